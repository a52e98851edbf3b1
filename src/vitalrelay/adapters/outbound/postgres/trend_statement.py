"""
A trend, in one statement that reads a patient's packets once, by index, and only if they are few.

What a unit is worth, what is no measurement and what is plausible come from the catalogue with
the parameters: the statement has the rules of ``domain.signals.read``, and none of its numbers.
"""

from collections.abc import Mapping

from sqlalchemy import text

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.signals import NO_MEASUREMENT, Numeric
from vitalrelay.domain.trend import (
    LATENESS_MS,
    MOST_OUTLIERS,
    OF_MEAN_DEVIATION,
    OF_MEDIAN_DEVIATION,
    OUTLYING_Z,
    SMALLEST_DEVIATION,
    Window,
    numeric,
)

# The index knows the device's clock. Where that is ahead of ours, the receipt is what counts, and
# it may lie anywhere: so whatever claims to be in the future is looked at as well.
NEARBY = """
    (values
        (cast(:start_ms as bigint) - cast(:lateness_ms as bigint),
            cast(:end_ms as bigint) + :lateness_ms),
        (greatest(:end_ms + :lateness_ms, floor(extract(epoch from now()) * 1000)::bigint),
            9223372036854775807)
    ) as span(start_ms, end_ms)
    join patient_signal_packets packet
        on packet.demo_subject_id = :subject
        and packet.timestamp_ms >= span.start_ms and packet.timestamp_ms < span.end_ms
"""

# Of values at one time a good one is taken before any other, then that of the greater packet id,
# then the first: as the fold has it.
TREND = text(f"""
    with found as materialized (
        select count(*) as packets from (select from {NEARBY} limit :most_packets + 1) few
    ), sent as materialized (
        select packet.packet_id, signal.place,
            least(coalesce((signal.it -> 'measuredAtMs')::bigint, packet.timestamp_ms),
                floor(extract(epoch from packet.received_at) * 1000)::bigint) as at_ms,
            (signal.it -> 'value')::numeric as value,
            signal.it ->> 'unit' as unit,
            coalesce(signal.it ->> 'quality', 'good') = 'good' as trusted
        from {NEARBY}
        cross join lateral jsonb_array_elements(packet.payload -> 'signals')
            with ordinality as signal(it, place)
        where signal.it ->> 'code' = :code and (select packets from found) <= :most_packets
    ), converted as (
        select at_ms, packet_id, place,
            trusted and value <> all(cast(:not_measured as numeric[])) as measured,
            case when conversion.unit is null then value
                else round((value - conversion.less) * conversion.times / conversion.per,
                    cast(:digits as integer))
            end as value
        from sent
        left join unnest(
            cast(:units as text[]), cast(:less as numeric[]),
            cast(:times as numeric[]), cast(:per as numeric[])
        ) as conversion(unit, less, times, per) using (unit)
        where at_ms >= :start_ms and at_ms < :end_ms
    ), judged as (
        select *, measured and value between :low and :high as good from converted
    ), moments as materialized (
        select distinct on (at_ms) at_ms, at_ms / :bucket_ms * :bucket_ms as bucket_ms, packet_id,
            case when good then value::float8 end as value
        from judged
        order by at_ms, good desc, packet_id desc, place
    ), measured as (
        select bucket_ms, count(*), min(value), max(value), avg(value) as mean,
            percentile_cont(array[0.05, 0.5, 0.95]) within group (order by value) as parts,
            regr_slope(value, at_ms - :start_ms) * 3600000 as slope_per_hour
        from moments
        where value is not null
        group by grouping sets ((bucket_ms), ())
    ), summaries as materialized (
        select bucket_ms, count, min, max, mean, parts[1] as p5, parts[2] as median,
            parts[3] as p95, slope_per_hour
        from measured
    ), deviations as (
        select at_ms, value, packet_id, value - median as deviation
        from moments, (select median from summaries where bucket_ms is null) whole
        where value is not null
    ), spread as (
        select percentile_cont(0.5) within group (order by abs(deviation)) as of_median,
            avg(abs(deviation)) as of_mean
        from deviations
    ), measure as (
        select case
                when of_median > :smallest then of_median / :of_median
                when of_mean > :smallest then of_mean * :of_mean
            end as of_z
        from spread
    ), outliers as materialized (
        select at_ms, value, packet_id as packet, deviation / of_z as z
        from deviations, measure
        where abs(deviation) > :outlying * of_z
    )
    select (select packets from found) as packets,
        (select count(*) from moments where value is null) as excluded,
        (select json_agg(one order by bucket_ms nulls first) from summaries one)::text
            as summaries,
        (select count(*) from outliers) as outlier_count,
        (select json_agg(one order by at_ms) from (
            select * from outliers order by abs(z) desc, at_ms limit :most_outliers
        ) one)::text as outliers
""")  # noqa: S608 - a constant of this file

ALWAYS: Mapping[str, object] = {
    "lateness_ms": LATENESS_MS,
    "most_outliers": MOST_OUTLIERS,
    "of_median": OF_MEDIAN_DEVIATION,
    "of_mean": OF_MEAN_DEVIATION,
    "outlying": OUTLYING_Z,
    "smallest": SMALLEST_DEVIATION,
}


def parameters_of(subject: SubjectId, code: str, window: Window) -> Mapping[str, object]:
    """All but how many packets may be looked at."""
    return {
        **ALWAYS,
        **_kind(numeric(code)),
        "subject": subject,
        "code": code,
        "start_ms": window.start_ms,
        "end_ms": window.end_ms,
        "bucket_ms": window.bucket_ms,
    }


def _kind(kind: Numeric) -> Mapping[str, object]:
    """What the catalogue says of a signal; a unit that is not named here is an alias."""
    units = {unit: how for unit, how in kind.accepts.items() if how is not None}
    low, high = kind.plausible
    return {
        "units": list(units),
        "less": [how.less for how in units.values()],
        "times": [how.times for how in units.values()],
        "per": [how.per for how in units.values()],
        "digits": -int(kind.resolution.as_tuple().exponent),
        "not_measured": list(NO_MEASUREMENT),  # a 0 that is no value is not plausible either
        "low": low,
        "high": high,
    }
