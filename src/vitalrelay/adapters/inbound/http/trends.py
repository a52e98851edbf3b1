"""Trends for charts: a signal of one patient, summed up."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from vitalrelay.adapters.inbound.http.documents import json_response
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.packet import LAST_MS, SubjectId
from vitalrelay.domain.trend import (
    LONGEST_BUCKET_S,
    USUAL_BUCKET_S,
    Asked,
    Outlier,
    Summary,
    Trend,
)

router = APIRouter(tags=["trends"])

PLACES = 6  # beyond them are only the traces of binary fractions

Code = Annotated[str, Query(max_length=64, description="A numeric signal, like heart_rate.")]
From = Annotated[
    int | None,
    Query(alias="from", ge=0, le=LAST_MS, description="Unix ms, inclusive; 24 h before the end."),
]
To = Annotated[
    int | None,
    Query(ge=0, le=LAST_MS, description="Unix ms, exclusive; just after the newest packet."),
]
BucketSeconds = Annotated[int, Query(alias="bucketSeconds", ge=1, le=LONGEST_BUCKET_S)]


@router.get(
    "/v1/subjects/{subject_id}/trends", operation_id="getTrends", responses=problems(404, 422, 503)
)
async def get_trends(
    subject_id: str,
    of: OfApp,
    code: Code,
    start_ms: From = None,
    to: To = None,
    bucket_seconds: BucketSeconds = USUAL_BUCKET_S,
) -> Response:
    """
    What one signal of a patient did: as a whole, bucket by bucket, and where it was out of line.

    Values count by their effective time, the earlier of measured and received, once each, if they
    are good, and in the signal's unit. A value is found if its packet's own time is at most one
    hour off the window. Buckets are aligned to the epoch, and left out where they have no value;
    `excluded` are the times for which nothing good was sent. The slope is that of the least
    squares. Outliers have a modified z-score (Iglewicz and Hoaglin, 1993) beyond 3.5; the 100
    farthest from the median are listed. Numbers are rounded to six decimals. At most 31 days and
    2,000 buckets; a window with more than 250,000 packets is refused.
    """
    asked = Asked(start_ms, to, bucket_seconds)
    trend = await of.trends(SubjectId(subject_id), code, asked)
    return json_response({"subjectId": subject_id, "code": code, **trend_out(trend)})


def trend_out(trend: Trend) -> dict[str, Any]:
    window = trend.window
    return {
        "unit": trend.unit,
        "fromMs": window.start_ms,
        "toMs": window.end_ms,
        "bucketSeconds": window.bucket_ms // 1000,
        "summary": summary_out(trend.summary),
        "excluded": trend.excluded,
        "outlierCount": trend.outlier_count,
        "outliers": [outlier_out(outlier) for outlier in trend.outliers],
        "buckets": [
            {"startMs": bucket.start_ms, **summary_out(bucket.summary)} for bucket in trend.buckets
        ],
    }


def summary_out(summary: Summary) -> dict[str, Any]:
    return {
        "count": summary.count,
        "min": number(summary.min),
        "max": number(summary.max),
        "mean": number(summary.mean),
        "median": number(summary.median),
        "p5": number(summary.p5),
        "p95": number(summary.p95),
        "slopePerHour": number(summary.slope_per_hour),
    }


def outlier_out(outlier: Outlier) -> dict[str, Any]:
    return {
        "atMs": outlier.at_ms,
        "value": number(outlier.value),
        "z": number(outlier.z),
        "packetId": outlier.packet,
    }


def number(value: float | None) -> float | None:
    """As it is told: rounded, and without a point where it is whole."""
    if value is None:
        return None
    rounded = round(value, PLACES)
    return int(rounded) if rounded == int(rounded) else rounded
