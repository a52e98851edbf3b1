"""Trends over HTTP: the answer to the letter, and every way to be refused."""

import json
from typing import Any

import httpx2
import pytest

from tests.integration.http.packets import a_packet, id_of, lines, signals

NDJSON = {"Content-Type": "application/x-ndjson"}
CANARY = "PHI-CANARY-7f3a"
MINUTE_MS = 60_000
# Long ago, on the edge of a bucket: what is usual hangs on the packets, not on the clock.
START_MS = 1_767_225_600_000
DAY_MS = 86_400_000


async def a_patient(client: httpx2.AsyncClient, *values: float, **of_signal: Any) -> dict[str, Any]:
    """With a heart rate a minute; the packet with the last of them."""
    first = a_packet()
    packets = [
        first
        | {
            "timestampMs": START_MS + n * MINUTE_MS,
            "signals": [{"code": "heart_rate", "value": value, **of_signal}],
        }
        for n, value in enumerate(values)
    ]
    answer = await client.post("/v1/signal-packets/batch", content=lines(packets), headers=NDJSON)
    assert json.loads(answer.text.splitlines()[-1])["summary"]["stored"] == len(values)
    return packets[-1]


def trends_of(packet: dict[str, Any]) -> str:
    return f"/v1/subjects/{packet['subjectId']}/trends"


class TestAnswer:
    async def test_it_sums_up_a_window_and_its_buckets(self, client: httpx2.AsyncClient) -> None:
        newest = await a_patient(client, 70, 71, 0, 72, 73, 120, 74, unit="bpm")
        url = trends_of(newest)

        answer = await client.get(
            url,
            params={
                "code": "heart_rate",
                "from": START_MS,
                "to": START_MS + 6 * MINUTE_MS,
                "bucketSeconds": 120,
            },
        )

        at_ms = START_MS + 5 * MINUTE_MS
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "subjectId": newest["subjectId"],
            "code": "heart_rate",
            "unit": "/min",
            "fromMs": START_MS,
            "toMs": START_MS + 6 * MINUTE_MS,
            "bucketSeconds": 120,
            "summary": {
                "count": 5,
                "min": 70,
                "max": 120,
                "mean": 81.2,
                "median": 72,
                "p5": 70.2,
                "p95": 110.6,
                "slopePerHour": 430.465116,
            },
            "excluded": 1,
            "outlierCount": 1,
            "outliers": [
                {
                    "atMs": at_ms,
                    "value": 120,
                    "z": 32.376,
                    "packetId": id_of(newest | {"timestampMs": at_ms}),
                }
            ],
            "buckets": [
                a_bucket(START_MS, 70, 71, slope=60),
                a_bucket(START_MS + 2 * MINUTE_MS, 72),
                a_bucket(START_MS + 4 * MINUTE_MS, 73, 120, slope=2820),
            ],
        }

    async def test_the_usual_window_is_the_day_to_the_newest_packet_in_five_minutes(
        self, client: httpx2.AsyncClient
    ) -> None:
        newest = await a_patient(client, *range(70, 80))
        before = newest | {"timestampMs": newest["timestampMs"] - DAY_MS}
        await client.post("/v1/signal-packets", json=before)

        answer = await client.get(trends_of(newest), params={"code": "heart_rate"})

        trend = answer.json()
        assert trend["toMs"] == newest["timestampMs"] + 1
        assert trend["fromMs"] == trend["toMs"] - DAY_MS
        assert trend["bucketSeconds"] == 300
        assert trend["summary"]["count"] == 10
        assert [(one["startMs"], one["count"]) for one in trend["buckets"]] == [
            (START_MS, 5),
            (START_MS + 5 * MINUTE_MS, 5),
        ]

    async def test_a_patient_without_such_values_has_an_empty_trend(
        self, client: httpx2.AsyncClient
    ) -> None:
        newest = await a_patient(client, 70)

        answer = await client.get(trends_of(newest), params={"code": "temperature"})

        trend = answer.json()
        assert answer.status_code == 200
        assert trend["unit"] == "Cel"
        assert (trend["buckets"], trend["outliers"], trend["outlierCount"]) == ([], [], 0)
        assert trend["summary"] == {
            "count": 0,
            **dict.fromkeys(("min", "max", "mean", "median", "p5", "p95", "slopePerHour")),
        }

    async def test_other_units_are_told_in_the_one_of_the_signal(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet(
            signals=[
                {"code": "temperature", "value": value, "unit": unit, "measuredAtMs": START_MS}
                for value, unit in ((99.5, "[degF]"),)
            ],
            timestampMs=START_MS,
        )
        await client.post("/v1/signal-packets", json=packet)

        answer = await client.get(trends_of(packet), params={"code": "temperature"})

        assert answer.json()["summary"]["max"] == 37.5
        assert answer.json()["unit"] == "Cel"


def a_bucket(start_ms: int, *values: int, slope: float | None = None) -> dict[str, Any]:
    """Of one value, or of two."""
    low, high = values[0], values[-1]
    twentieth = (high - low) / 20
    return {
        "startMs": start_ms,
        "count": len(values),
        "min": low,
        "max": high,
        "mean": (low + high) / 2,
        "median": (low + high) / 2,
        "p5": pytest.approx(low + twentieth),
        "p95": pytest.approx(high - twentieth),
        "slopePerHour": slope,
    }


REFUSED = [
    ({}, "code", "is required"),
    ({"code": "hart_rate"}, "code", "is not a known signal code; the closest known are heart_rate"),
    ({"code": CANARY}, "code", "is not a known signal code"),
    ({"code": ""}, "code", "is not a known signal code"),
    ({"code": "\x00"}, "code", "is not a known signal code"),
    ({"code": CANARY * 5}, "code", "is not valid"),
    ({"code": "consciousness"}, "code", "is not the code of a number"),
    ({"code": "supplemental_oxygen"}, "code", "is not the code of a number"),
    ({"code": "spo2_scale"}, "code", "is not the code of a number"),
    ({"from": START_MS, "to": START_MS}, "to", "must be after from"),
    ({"from": START_MS, "to": START_MS - 1}, "to", "must be after from"),
    ({"to": 0}, "to", "must be after from"),
    ({"from": START_MS - 31 * DAY_MS}, "from", "must be within 31 days of the end"),
    ({"from": 0}, "from", "must be within 31 days of the end"),
    ({"bucketSeconds": 1}, "bucketSeconds", "makes more than 2000 buckets"),
    *(({"bucketSeconds": it}, "bucketSeconds", "is not valid") for it in (0, -1, 86_401, 1.5, "x")),
    *(({"from": it}, "from", "is not valid") for it in (-1, 253_402_300_800_000, 10**30, "x")),
    *(({"to": it}, "to", "is not valid") for it in (-1, 10**30, "now", "", "2026-01-01T00:00:00Z")),
]


class TestRefused:
    @pytest.mark.parametrize(("parameters", "name", "reason"), REFUSED)
    async def test_the_parameter_and_why_are_told_and_nothing_of_what_was_sent(
        self, client: httpx2.AsyncClient, parameters: dict[str, Any], name: str, reason: str
    ) -> None:
        newest = await a_patient(client, 70)
        of_heart_rate = {"code": "heart_rate"} if name != "code" else {}

        answer = await client.get(trends_of(newest), params=of_heart_rate | parameters)

        problem = answer.json()
        [fault] = problem["errors"]
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == "/problems/invalid-request"
        assert fault["pointer"] == f"/query/{name}"
        assert fault["reason"].startswith(reason)
        assert CANARY not in answer.text

    @pytest.mark.parametrize(
        "query", ["code=spo2&bucketseconds=60", "code=spo2&code=fio2", "code=spo2&encounterId=e-1"]
    )
    async def test_a_parameter_that_is_not_known_or_stands_twice_is_refused(
        self, client: httpx2.AsyncClient, query: str
    ) -> None:
        newest = await a_patient(client, 70)

        answer = await client.get(f"{trends_of(newest)}?{query}")

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"

    @pytest.mark.parametrize("subject", ["nobody", "%00", "%ff", "p%0d%0a1", "x" * 3_000])
    async def test_who_is_no_patient_is_not_found(
        self, client: httpx2.AsyncClient, subject: str
    ) -> None:
        answer = await client.get(f"/v1/subjects/{subject}/trends", params={"code": "heart_rate"})

        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"

    async def test_trends_are_only_read(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post("/v1/subjects/p-1/trends", json=a_packet(signals=signals()))

        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"


async def test_the_description_tells_of_parameters_and_refusals(
    client: httpx2.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()

    operation = document["paths"]["/v1/subjects/{subject_id}/trends"]["get"]
    names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    assert operation["operationId"] == "getTrends"
    assert names == ["code", "from", "to", "bucketSeconds"]
    assert set(operation["responses"]) == {"200", "404", "422", "503"}
    assert "/problems/invalid-request" in operation["responses"]["422"]["description"]
    assert "one hour" in " ".join(operation["description"].split())
