"""Trends from stored packets: against rules written by hand, and against Python's statistics."""

import asyncio
import itertools
import statistics
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from statistics import linear_regression
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support import DAY_MS, HOUR_MS, LEASE, MINUTE_MS, NOW_MS, SECOND, a_signal, received
from tests.unit.domain.strategies import stored_packets
from tests.worlds import PostgresWorld, a_reading
from vitalrelay.adapters.inbound.http.packet_in import read_packet
from vitalrelay.adapters.outbound.postgres.trends import PostgresTrends, read_trend
from vitalrelay.domain.errors import InvalidRequest, Overloaded
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet, PacketId, Quality, Received, Signal, SubjectId
from vitalrelay.domain.signals import CATALOGUE, Numeric, read
from vitalrelay.domain.trend import LATENESS_MS, Asked, Outlier, Summary, Trend, Window
from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.sources.catalogue import Format, Wanted, open_source
from vitalrelay.usecases.ingest_packets import IngestPackets

NUMBERS = {code: kind for code, kind in CATALOGUE.items() if isinstance(kind, Numeric)}
PATIENT = SubjectId("p-0042")
A_DAY = Window(NOW_MS, NOW_MS + DAY_MS, 5 * MINUTE_MS)
STRANGERS = itertools.count(1)

KEEP = text("""
    insert into patient_signal_packets (
        packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms,
        payload, content_fingerprint, clock_suspect, received_at
    )
    values (:id, :site, :device, :subject, :encounter, :timestamp_ms,
        cast(:payload as jsonb), '', false, to_timestamp(:received_ms / 1000.0))
""")


@dataclass(frozen=True, slots=True)
class Ward:
    """What was sent, and what is told of it."""

    engine: AsyncEngine

    async def trend_of(
        self,
        packets: Sequence[Received],
        code: str = "heart_rate",
        window: Window = A_DAY,
    ) -> Trend:
        await keep(self.engine, packets)
        return await self.read(PATIENT, code, window)

    async def read(self, subject: SubjectId, code: str, window: Window) -> Trend:
        async with self.engine.connect() as connection:
            return await read_trend(connection, subject, code, window)


@pytest.fixture
def ward(engine: AsyncEngine) -> Ward:
    return Ward(engine)


async def keep(engine: AsyncEngine, packets: Iterable[Received]) -> None:
    """As ingest stores them, received when the test says."""
    async with engine.begin() as connection:
        for one in packets:
            row = {
                "id": one.packet.id,
                "site": one.packet.site,
                "device": one.packet.device,
                "subject": one.packet.subject,
                "encounter": one.packet.encounter,
                "timestamp_ms": one.packet.timestamp_ms,
                "payload": canonical_json(one.packet.content()),
                "received_ms": one.at_ms,
            }
            await connection.execute(KEEP, row)


def pulses(*values: float, every_ms: int = MINUTE_MS) -> list[Received]:
    """One after the other, from NOW_MS on."""
    return [
        received(at_ms=NOW_MS + n * every_ms, heart_rate=value) for n, value in enumerate(values)
    ]


def values_of(trend: Trend) -> dict[int, float | None]:
    """By bucket, where each has one value."""
    assert all(bucket.summary.count == 1 for bucket in trend.buckets)
    return {bucket.start_ms: bucket.summary.min for bucket in trend.buckets}


class TestWhichValuesCount:
    async def test_the_window_has_its_start_and_not_its_end(self, ward: Ward) -> None:
        packets = pulses(60, 61, 62, 63)
        window = Window(NOW_MS + MINUTE_MS, NOW_MS + 3 * MINUTE_MS, MINUTE_MS)

        trend = await ward.trend_of(packets, window=window)

        assert values_of(trend) == {NOW_MS + MINUTE_MS: 61, NOW_MS + 2 * MINUTE_MS: 62}
        assert (trend.summary.count, trend.unit) == (2, "/min")

    async def test_a_value_counts_when_it_was_measured_not_when_its_packet_was_made(
        self, ward: Ward
    ) -> None:
        end_ms = NOW_MS + HOUR_MS
        cuff = a_signal("systolic_bp", 118, measured_ms=end_ms - 1)
        before = a_signal("systolic_bp", 130, measured_ms=NOW_MS - 1)
        packets = [
            received(cuff, at_ms=end_ms + 24 * MINUTE_MS),
            received(before, at_ms=NOW_MS + 24 * MINUTE_MS),
        ]

        trend = await ward.trend_of(packets, "systolic_bp", Window(NOW_MS, end_ms, MINUTE_MS))

        assert values_of(trend) == {end_ms - MINUTE_MS: 118}

    @pytest.mark.parametrize("apart_ms", [-LATENESS_MS, LATENESS_MS - 1])
    async def test_its_packet_may_be_an_hour_off(self, ward: Ward, apart_ms: int) -> None:
        measured_ms = NOW_MS if apart_ms < 0 else A_DAY.end_ms - 1
        pulse = a_signal(measured_ms=measured_ms)
        packet = received(
            pulse,
            at_ms=measured_ms + (apart_ms + 1 if apart_ms > 0 else apart_ms),
            received_ms=A_DAY.end_ms + DAY_MS,
        )

        trend = await ward.trend_of([packet])

        assert trend.summary.count == 1

    async def test_what_a_monitor_repeats_counts_once(self, ward: Ward) -> None:
        cuff = a_signal("systolic_bp", 118, measured_ms=NOW_MS)
        packets = [received(cuff, at_ms=NOW_MS + n * MINUTE_MS) for n in range(24)]

        trend = await ward.trend_of(packets, "systolic_bp")

        assert trend.summary.count == 1

    async def test_of_two_packets_the_greater_id_has_the_value_of_a_time(self, ward: Ward) -> None:
        packets = [
            received(sequence=sequence, heart_rate=value)
            for sequence, value in ((10, 60), (9, 90), (None, 120))
        ]

        trend = await ward.trend_of(packets)

        assert values_of(trend) == {NOW_MS: 90}

    async def test_within_a_packet_the_first_entry_has_it(self, ward: Ward) -> None:
        packet = received(a_signal(value=70), a_signal(value=80), heart_rate=60)

        trend = await ward.trend_of([packet])

        assert values_of(trend) == {NOW_MS: 70}

    @pytest.mark.parametrize("other", [0, 20_000, -100])
    async def test_what_is_not_good_takes_nothing_away(self, ward: Ward, other: int) -> None:
        packets = [
            received(a_signal(value=other), heart_rate=81),
            received(sequence=9, heart_rate=other),
        ]

        trend = await ward.trend_of(packets)

        assert values_of(trend) == {NOW_MS: 81}
        assert trend.excluded == 0

    async def test_what_is_not_good_is_left_out_and_counted(self, ward: Ward) -> None:
        doubtful = a_signal(value=70, quality=Quality.QUESTIONABLE, measured_ms=NOW_MS - 1)
        packets = pulses(0, 81, 32767, 10, 82)

        trend = await ward.trend_of([*packets, received(doubtful, device="x")])
        earlier = await ward.read(PATIENT, "heart_rate", Window(NOW_MS - 1, NOW_MS, 1000))

        assert (trend.summary.count, trend.summary.min, trend.excluded) == (2, 81, 3)
        assert (earlier.summary.count, earlier.excluded, earlier.buckets) == (0, 1, [])

    async def test_stays_are_taken_together_and_patients_are_not(self, ward: Ward) -> None:
        packets = [
            received(encounter="e-1", heart_rate=60),
            received(encounter="e-2", at_ms=NOW_MS + MINUTE_MS, heart_rate=70),
            received(subject="p-0043", device="bed-13", heart_rate=80),
        ]

        trend = await ward.trend_of(packets)

        assert (trend.summary.count, trend.summary.max) == (2, 70)

    @pytest.mark.parametrize("ahead_ms", [1, HOUR_MS - 1, 11 * 365 * DAY_MS])
    async def test_a_clock_that_is_ahead_counts_as_of_the_receipt(
        self, ward: Ward, ahead_ms: int
    ) -> None:
        at_ms = NOW_MS + MINUTE_MS
        packet = received(at_ms=at_ms + ahead_ms, received_ms=at_ms, heart_rate=81)
        end_ms = A_DAY.end_ms
        later = received(at_ms=end_ms + ahead_ms, received_ms=end_ms, heart_rate=90)

        trend = await ward.trend_of([packet, later])

        assert values_of(trend) == {at_ms // A_DAY.bucket_ms * A_DAY.bucket_ms: 81}

    async def test_there_may_be_nothing(self, ward: Ward) -> None:
        packets = pulses(60)

        trend = await ward.trend_of(packets, "spo2")

        assert trend == Trend(
            unit="%",
            window=A_DAY,
            summary=summary_of([]),
            excluded=0,
            outlier_count=0,
            outliers=[],
            buckets=[],
        )


class TestOutliers:
    async def test_they_are_far_from_the_median_by_its_absolute_deviation(self, ward: Ward) -> None:
        packets = pulses(70, 71, 72, 73, 74, 120, 72, 30)

        trend = await ward.trend_of(packets)

        median, deviation = 72, 1.5  # of 2, 1, 0, 1, 2, 48, 0, 42
        at_ms, id_of = NOW_MS + 5 * MINUTE_MS, packets[5].packet.id
        assert trend.outlier_count == 2
        assert trend.outliers == [
            Outlier(at_ms, 120, pytest.approx(0.6745 * (120 - median) / deviation), id_of),
            Outlier(
                at_ms + 2 * MINUTE_MS,
                30,
                pytest.approx(0.6745 * (30 - median) / deviation),
                packets[7].packet.id,
            ),
        ]

    async def test_where_most_values_are_equal_the_mean_deviation_stands_in(
        self, ward: Ward
    ) -> None:
        packets = pulses(*[72] * 9, 82)

        trend = await ward.trend_of(packets)

        [outlier] = trend.outliers
        assert outlier.z == pytest.approx(10 / (1.253314 * 1))

    async def test_where_all_values_are_equal_there_are_none(self, ward: Ward) -> None:
        packets = pulses(*[72] * 10)

        trend = await ward.trend_of(packets)

        assert (trend.outlier_count, trend.outliers) == (0, [])

    async def test_a_hundred_are_listed_in_the_order_of_time(self, ward: Ward) -> None:
        ordinary, far = [72 + n % 3 for n in range(300)], [200 + n % 60 for n in range(120)]
        packets = pulses(*ordinary, *far)

        trend = await ward.trend_of(packets)

        times = [outlier.at_ms for outlier in trend.outliers]
        left_out = sorted(far)[:20]
        assert trend.outlier_count == 120
        assert times == sorted(times)
        assert sorted(outlier.value for outlier in trend.outliers) == sorted(far)[20:]
        assert max(left_out) <= min(outlier.value for outlier in trend.outliers)

    async def test_a_value_next_to_nothing_breaks_nothing(self, ward: Ward) -> None:
        flows = [5e-324, 1e-310, 0, 80, 2.5e-308]
        packets = [
            received(at_ms=NOW_MS + n, oxygen_flow=Decimal(repr(flow)))
            for n, flow in enumerate(flows)
        ]

        trend = await ward.trend_of(packets, "oxygen_flow")

        assert (trend.summary.count, trend.summary.min, trend.summary.max) == (5, 0, 80)
        assert [outlier.value for outlier in trend.outliers] == [80]


@pytest.fixture
async def patient(postgres_world: PostgresWorld) -> SubjectId:
    """With three packets, the newest of them NOW_MS."""
    ingest = IngestPackets(begin=postgres_world.begin, assess=News2(), lease_for=LEASE)
    await ingest([a_reading("p-1", NOW_MS - n) for n in (1, 0, 2)])
    return SubjectId("p-1")


USUAL = Asked(None, None, 300)


class TestAsking:
    async def test_the_usual_window_ends_with_the_newest_packet(
        self, engine: AsyncEngine, patient: SubjectId
    ) -> None:
        trends = PostgresTrends(engine, at_once=1, patience=SECOND)

        trend = await trends.trend(patient, "heart_rate", USUAL)

        assert trend is not None
        assert trend.window == USUAL.window(NOW_MS)
        assert trend.summary.count == 3

    async def test_nobody_has_no_trend(self, engine: AsyncEngine, patient: SubjectId) -> None:
        trends = PostgresTrends(engine, at_once=1, patience=SECOND)

        trend = await trends.trend(SubjectId("p-2"), "heart_rate", USUAL)

        assert trend is None

    async def test_what_is_no_window_is_refused_and_the_next_question_answered(
        self, engine: AsyncEngine, patient: SubjectId
    ) -> None:
        trends = PostgresTrends(engine, at_once=1, patience=SECOND)

        with pytest.raises(InvalidRequest):
            await trends.trend(patient, "heart_rate", Asked(NOW_MS, NOW_MS, 300))

        assert await trends.trend(patient, "heart_rate", USUAL) is not None

    @pytest.mark.parametrize("code", ["heart_rate", "spo2"])
    async def test_as_many_packets_as_may_be_looked_at_are(
        self, engine: AsyncEngine, patient: SubjectId, code: str
    ) -> None:
        trends = PostgresTrends(engine, at_once=1, patience=SECOND, most_packets=3)

        trend = await trends.trend(patient, code, USUAL)

        assert trend is not None

    @pytest.mark.parametrize("code", ["heart_rate", "spo2"])
    async def test_one_more_is_refused(
        self, engine: AsyncEngine, patient: SubjectId, code: str
    ) -> None:
        trends = PostgresTrends(engine, at_once=1, patience=SECOND, most_packets=2)

        with pytest.raises(InvalidRequest) as refused:
            await trends.trend(patient, code, USUAL)

        assert refused.value.faults[0].pointer == "/query/from"

    async def test_who_asks_when_enough_others_do_is_turned_away(
        self, engine: AsyncEngine, patient: SubjectId
    ) -> None:
        trends = PostgresTrends(engine, at_once=1, patience=timedelta(milliseconds=20))
        async with locked(engine):
            first = asyncio.create_task(trends.trend(patient, "heart_rate", USUAL))
            await waits_for_the_lock(engine)

            with pytest.raises(Overloaded):
                await trends.trend(patient, "heart_rate", USUAL)

        assert await first == await trends.trend(patient, "heart_rate", USUAL)


@asynccontextmanager
async def locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """Nobody reads packets for as long as the block lasts."""
    async with engine.begin() as connection:
        await connection.execute(text("lock table patient_signal_packets in access exclusive mode"))
        yield


async def waits_for_the_lock(engine: AsyncEngine) -> None:
    waiting = text("select count(*) from pg_locks where not granted")
    async with asyncio.timeout(20):
        while True:
            async with engine.connect() as connection:
                if await connection.scalar(waiting):
                    return
            await asyncio.sleep(0.01)


# What conversions, ranges and the words for "not measured" may be got wrong at.
SPECIAL = (
    *(0, 1, 2, -1, -40, -49.9, -50, -100, -100.5, -32768, 32767, 32767.5, 10**14, 10**15, 1e22),
    *(1.7e308, -1.7e308, 5e-324, 0.1, 0.5, 0.945, 0.225, 0.995, 1.005, 0.30000000000000004),
    *(
        36.598,
        5.3333,
        10.6,
        16,
        99.05,
        99.04999999999999,
        99.05000000000001,
        98.95,
        101,
        77,
        76.91,
        76.90999999999999,
        113,
        113.09,
    ),
)
UNITS = [(code, unit) for code, kind in NUMBERS.items() for unit in (None, *kind.units())]


def edges(kind: Numeric) -> list[Decimal]:
    """The ends of what is plausible, and their neighbours."""
    return [
        edge + step * Decimal(10) ** -places
        for edge in kind.plausible
        for places in (0, 1, 2, 13)
        for step in (-1, 0, 1)
    ]


async def values_read(ward: Ward, signals: Sequence[Signal]) -> Mapping[int, Any]:
    """By the time of the signal, which has to be a whole second; of a patient of its own."""
    subject = SubjectId(f"p-of-{next(STRANGERS)}")
    await keep(ward.engine, [received(*signals, subject=subject, device=subject, at_ms=NOW_MS)])
    window = Window(NOW_MS - HOUR_MS, NOW_MS, 1000)
    trend = await ward.read(subject, signals[0].code, window)
    assert trend.summary.count + trend.excluded == len(signals)
    return values_of(trend)


def values_shown(signals: Iterable[Signal]) -> Mapping[int, Any]:
    """As the domain reads them, if they are good."""
    readings = {signal.measured_ms: read(signal) for signal in signals}
    return {
        at_ms: float(reading.value)
        for at_ms, reading in readings.items()
        if reading.quality is Quality.GOOD and isinstance(reading.value, Decimal)
    }


def one_a_second(code: str, sent: Iterable[tuple[str | None, Decimal, Quality]]) -> list[Signal]:
    return [
        Signal(code, value, unit, NOW_MS - (n + 1) * 1000, quality)
        for n, (unit, value, quality) in enumerate(sent)
    ]


def as_kept(number: float) -> Decimal:
    """A double as it comes back from the database."""
    return Decimal(repr(float(number)))


class TestReading:
    @pytest.mark.parametrize(("code", "unit"), UNITS)
    async def test_special_values_are_read_as_the_snapshot_reads_them(
        self, ward: Ward, code: str, unit: str | None
    ) -> None:
        numbers = [*map(as_kept, SPECIAL), *map(as_kept, map(float, edges(NUMBERS[code])))]
        signals = one_a_second(code, [(unit, number, Quality.GOOD) for number in numbers])

        found = await values_read(ward, signals)

        assert found == values_shown(signals)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    async def test_any_value_is_read_as_the_snapshot_reads_it(
        self, ward: Ward, data: st.DataObject
    ) -> None:
        code = data.draw(st.sampled_from(sorted(NUMBERS)))
        signals = one_a_second(code, data.draw(st.lists(sent(NUMBERS[code]), min_size=1)))

        found = await values_read(ward, signals)

        assert found == values_shown(signals)


@st.composite
def sent(draw: st.DrawFn, kind: Numeric) -> tuple[str | None, Decimal, Quality]:
    """Mostly what may be plausible in its unit, with any number of decimals."""
    unit = draw(st.sampled_from([None, *kind.units()]))
    how = kind.accepts.get(unit or "")
    low, high = (
        float(edge if how is None else edge * how.per / how.times + how.less)
        for edge in kind.plausible
    )
    plausible = st.floats(low - 1, high + 1)
    rounded = st.tuples(plausible, st.integers(0, 4)).map(lambda it: round(it[0], it[1]))
    anything = st.floats(allow_nan=False, allow_infinity=False)
    number = draw(st.one_of(plausible, rounded, rounded, st.sampled_from(SPECIAL), anything))
    quality = draw(st.sampled_from([Quality.GOOD, Quality.GOOD, *Quality]))
    return unit, as_kept(number), quality


Kept = tuple[int, float, PacketId]


def expected(packets: Iterable[Received], code: str, window: Window) -> tuple[list[Kept], int]:
    """What counts, in the order of time, and how much is left out: by the rules of the fold."""
    best: dict[int, Any] = {}
    for one in packets:
        at_hand = range(window.start_ms - LATENESS_MS, window.end_ms + LATENESS_MS)
        if one.packet.timestamp_ms not in at_hand:
            continue
        for place, signal in enumerate(one.packet.signals):
            at_ms = min(signal.measured_ms, one.at_ms)
            if signal.code != code or not window.start_ms <= at_ms < window.end_ms:
                continue
            reading = read(signal)
            good = reading.quality is Quality.GOOD
            claim = (good, one.packet.id, -place, reading.value)
            best[at_ms] = max(best.get(at_ms, claim), claim)
    kept = [
        (at_ms, float(best[at_ms][3]), best[at_ms][1]) for at_ms in sorted(best) if best[at_ms][0]
    ]
    return kept, len(best) - len(kept)


def summary_of(kept: Sequence[Kept]) -> Summary:
    """By Python's own statistics."""
    values = [value for _, value, _ in kept]
    times = [at_ms - kept[0][0] for at_ms, _, _ in kept]
    several = len(values) > 1
    parts = statistics.quantiles(values, n=20, method="inclusive") if several else values * 19
    return Summary(
        count=len(values),
        min=min(values, default=None),
        max=max(values, default=None),
        mean=statistics.mean(values) if values else None,
        median=statistics.median(values) if values else None,
        p5=parts[0] if parts else None,
        p95=parts[18] if parts else None,
        slope_per_hour=HOUR_MS * linear_regression(times, values).slope if several else None,
    )


def outliers_of(kept: Sequence[Kept]) -> list[Outlier]:
    values = [value for _, value, _ in kept]
    if not values:
        return []
    median = statistics.median(values)
    deviations = [abs(value - median) for value in values]
    spread = statistics.median(deviations) / 0.6745 or statistics.mean(deviations) * 1.253314
    scored = [
        Outlier(at_ms, value, (value - median) / spread if spread else 0, packet)
        for at_ms, value, packet in kept
    ]
    return [outlier for outlier in scored if abs(outlier.z) > 3.5]


def near(summary: Summary) -> list[object]:
    """To compare with another; None is near None alone."""
    return [
        None if number is None else pytest.approx(number, rel=1e-9, abs=1e-7)
        for number in astuple(summary)
    ]


def assert_as_by_python(trend: Trend, kept: Sequence[Kept]) -> None:
    by_bucket = [
        (start_ms, list(values)) for start_ms, values in groupby(kept, trend_bucket(trend.window))
    ]
    wanted = outliers_of(kept)
    assert list(astuple(trend.summary)) == near(summary_of(kept))
    assert [bucket.start_ms for bucket in trend.buckets] == [start_ms for start_ms, _ in by_bucket]
    for bucket, (_, values) in zip(trend.buckets, by_bucket, strict=True):
        assert list(astuple(bucket.summary)) == near(summary_of(values))
    assert trend.outlier_count == len(wanted)
    assert [replace(one, z=0) for one in trend.outliers] == [replace(one, z=0) for one in wanted]
    assert [one.z for one in trend.outliers] == pytest.approx([one.z for one in wanted])


def trend_bucket(window: Window) -> Callable[[Kept], int]:
    return lambda kept: kept[0] // window.bucket_ms * window.bucket_ms


WINDOWS = st.builds(
    lambda start_ms, length_ms, bucket_ms: Window(start_ms, start_ms + length_ms, bucket_ms),
    st.sampled_from([NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS, NOW_MS - 1, NOW_MS, NOW_MS + 1]),
    st.sampled_from([1, MINUTE_MS, 5 * MINUTE_MS + 1, 4 * HOUR_MS + 1, 3 * DAY_MS]),
    st.sampled_from([1000, 7 * MINUTE_MS, DAY_MS]),
)
CODES = st.sampled_from(["heart_rate", "heart_rate", "pulse_rate", "spo2", "systolic_bp"])


class TestStatistics:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(packets=stored_packets(), window=WINDOWS, code=CODES)
    async def test_whatever_comes_from_a_ward_is_told_as_python_tells_it(
        self, ward: Ward, packets: list[Received], window: Window, code: str
    ) -> None:
        await empty(ward.engine)

        trend = await ward.trend_of(packets, code, window)

        kept, excluded = expected(packets, code, window)
        assert_as_by_python(trend, kept)
        assert trend.excluded == excluded

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        values=st.lists(st.sampled_from([*range(60, 100), 80, 80, 80, 250]), max_size=60),
        every_ms=st.sampled_from([1, 12_000, MINUTE_MS]),
    )
    async def test_a_series_of_any_values_is_told_as_python_tells_it(
        self, ward: Ward, values: list[int], every_ms: int
    ) -> None:
        await empty(ward.engine)
        packets = pulses(*values, every_ms=every_ms)

        trend = await ward.trend_of(packets)

        assert_as_by_python(trend, expected(packets, "heart_rate", A_DAY)[0])

    @pytest.mark.clinical_data
    @pytest.mark.parametrize("code", ["heart_rate", "temperature", "systolic_bp", "fio2"])
    async def test_a_real_patients_trend_is_what_python_makes_of_the_packets(
        self, clinical_data: Path, postgres_world: PostgresWorld, ward: Ward, code: str
    ) -> None:
        packets = packets_of(clinical_data / "physionet2019" / "p00946.psv")
        ingest = IngestPackets(begin=postgres_world.begin, assess=News2(), lease_for=LEASE)
        await ingest(packets)
        subject, newest_ms = packets[0].subject, packets[-1].timestamp_ms
        window = Window(newest_ms - 20 * DAY_MS, newest_ms + 1, 6 * HOUR_MS)

        trend = await ward.read(subject, code, window)

        sent = [Received(packet, packet.timestamp_ms) for packet in packets]
        kept, excluded = expected(sent, code, window)
        assert_as_by_python(trend, kept)
        assert (trend.summary.count, trend.excluded) == (len(kept), excluded)
        assert trend.summary.count > 0


async def empty(engine: AsyncEngine) -> None:
    """Of packets: another example comes."""
    async with engine.begin() as connection:
        await connection.execute(text("delete from patient_signal_packets"))


def packets_of(record: Path) -> list[Packet]:
    wanted = Wanted(name=str(record), format=Format("physionet2019"))
    return [read_packet(packet.body) for packet in open_source(wanted, Disturbance()).packets]
