"""
A day of one patient among a million packets, over HTTP, from a database as ingest leaves it.

200 patients send a packet a minute, five more one every 12 s on the last day; the rows lie in the
order in which they came, so that no two packets of a patient lie together. Patients and signals
are drawn at random, one request after the other; the first few only open connections.
"""

import asyncio
import json
import random
from dataclasses import replace
from statistics import quantiles

from sqlalchemy import text

from bench.candidates import ours
from bench.ground import Ground, run_sql
from bench.report import Figure
from persistence.engine import PoolPolicy, create_engine
from vitalrelay.adapters.outbound.postgres.trend_statement import TREND, parameters_of
from vitalrelay.adapters.outbound.postgres.trends import NEWEST
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.trend import DAY_MS, MOST_PACKETS, USUAL_BUCKET_S, Asked
from vitalrelay.replay.connection import Lane
from vitalrelay.replay.target import Target

ASKED_MS = 100.0
EVERY_MINUTE, EVERY_12_S = range(1, 201), range(201, 206)
FIRST, REQUESTS, OF_THE_FEW = 20, 500, 200
SILENCE_S = 20.0
INDEX = "patient_signal_packets_subject_time_idx"
CODES = ("heart_rate", "spo2", "respiratory_rate", "systolic_bp", "temperature")

PACKETS = """
    insert into patient_signal_packets (
        packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms, payload,
        content_fingerprint, clock_suspect, received_at
    )
    select 'bench:bed-' || bed || ':' || at_ms, 'bench', 'bed-' || bed, 'patient-' || bed,
        'stay-' || bed, at_ms,
        jsonb_build_object(
            'siteId', 'bench', 'deviceId', 'bed-' || bed, 'subjectId', 'patient-' || bed,
            'encounterId', 'stay-' || bed, 'timestampMs', at_ms,
            'signals', jsonb_build_array(
                jsonb_build_object('code', 'heart_rate', 'unit', '/min',
                    'value', 60 + floor(random() * 40)),
                jsonb_build_object('code', 'spo2', 'unit', '%',
                    'value', 92 + floor(random() * 80) / 10),
                jsonb_build_object('code', 'respiratory_rate', 'unit', '/min',
                    'value', 12 + floor(random() * 10)),
                jsonb_build_object('code', 'systolic_bp', 'unit', 'mm[Hg]', 'value',
                    105 + (cuff_ms / 900000 + bed) % 40, 'measuredAtMs', cuff_ms),
                jsonb_build_object('code', 'temperature', 'unit', '[degF]',
                    'value', 97 + floor(random() * 40) / 10),
                jsonb_build_object('code', 'consciousness', 'value', 'A'),
                jsonb_build_object('code', 'supplemental_oxygen', 'value', false)
            )
        ),
        'sha256:' || md5(at_ms::text) || md5(bed::text), false,
        to_timestamp((at_ms + 105) / 1000.0)
    from (
        select bed, at_ms, at_ms / 900000 * 900000 as cuff_ms
        from (
            select bed, now_ms - (5000 - n) * 60000::bigint + bed * 280 - 60000 as at_ms
            from generate_series(0, 4999) n, generate_series(1, 200) bed, clock
            union all
            select bed, now_ms - (7200 - n) * 12000::bigint + bed * 50 - 12000
            from generate_series(0, 7199) n, generate_series(201, 205) bed, clock
        ) moments
    ) sent
    order by at_ms
"""
CLOCK = "with clock as (select (extract(epoch from now()) * 1000)::bigint as now_ms)"

# Of a snapshot only what a trend reads, and about as much else as a real one has.
SNAPSHOTS = """
    insert into patient_monitoring_snapshot_projections (
        projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
        status, attempt_count, incarnation, version, published_version, urgency
    )
    select 'monitoring-snapshot:' || subject, subject, '', '', '',
        jsonb_build_object('newestPacket', jsonb_build_object('atMs', newest_ms), 'vitals', more),
        'published', 1, 1, 1, 1, 0
    from (
        select demo_subject_id as subject, max(timestamp_ms) as newest_ms
        from patient_signal_packets
        group by 1
    ) patient, (select jsonb_object_agg(i, md5(i::text)) as more from generate_series(1, 60) i) more
"""


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url = ground.database("trends")
    run_sql(database_url, f"{CLOCK} {PACKETS}")
    run_sql(database_url, SNAPSHOTS)
    run_sql(database_url, "vacuum analyze")
    by_index = asyncio.run(goes_by_index(database_url))
    with ours(ground, database_url, processes) as url:
        asyncio.run(ask(url, EVERY_MINUTE, FIRST))
        minutely = quantiles(asyncio.run(ask(url, EVERY_MINUTE, REQUESTS)), n=100)
        densely = quantiles(asyncio.run(ask(url, EVERY_12_S, OF_THE_FEW)), n=100)
    others = {
        "p50": minutely[49],
        "a packet every 12 s: p50": densely[49],
        "a packet every 12 s: p99": densely[98],
    }
    figure = Figure.of_latency(
        "a patient's day among 1 M packets, p99", minutely[98], at_most=ASKED_MS, others=others
    )
    details = {**figure.details, "by the index": by_index}
    return [replace(figure, met=figure.met and by_index, details=details)]


async def ask(url: str, beds: range, requests: int) -> list[float]:
    """One after the other; how long each answer took, in milliseconds."""
    target, chance = Target.at(url), random.Random(requests)
    lane, took_ms = Lane(target, SILENCE_S), []
    for _ in range(requests):
        path = f"/v1/subjects/patient-{chance.choice(beds)}/trends?code={chance.choice(CODES)}"
        answer = await lane.exchange(
            f"GET {path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n\r\n".encode()
        )
        assert answer.status == 200, (answer.status, answer.body)
        assert json.loads(answer.body)["summary"]["count"] >= DAY_MS // 900_000
        took_ms.append((answer.ended_at - answer.sent_at) * 1000)
    lane.close()
    return took_ms


async def goes_by_index(database_url: str) -> bool:
    """What the planner means to do, for the parameters of such a request."""
    engine = create_engine(database_url, PoolPolicy(size=1), "bench-trends")
    async with engine.connect() as connection:
        newest_ms = await connection.scalar(NEWEST, {"subject": "patient-7"})
        window = Asked(None, None, USUAL_BUCKET_S).window(newest_ms)
        asked = parameters_of(SubjectId("patient-7"), "heart_rate", window)
        explain = text(f"explain {TREND.text}")
        lines = await connection.scalars(explain, {**asked, "most_packets": MOST_PACKETS})
        plan = "\n".join(lines)
    await engine.dispose()
    return INDEX in plan and "Seq Scan on patient_signal_packets" not in plan
