"""What runs all day reads what it needs and no more: asked of the planner, on tables in size."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.engine import PoolPolicy, create_engine
from tests.fixtures import migrate
from tests.support import LEASE, NOW_MS
from vitalrelay.adapters.outbound.postgres import (
    answers,
    audit_trail,
    claim,
    file,
    ledger,
    lock,
    look_again,
    on_call,
    owe,
    patient_of,
    record,
    records,
    review_queue,
    settle,
    trend_statement,
    trends,
)
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.review_queue import QueueFilter, QueuePlace
from vitalrelay.domain.trend import MOST_PACKETS, Window

PATIENTS, PACKETS, RECENT_PATIENTS, OF_EACH_OTHER = 50_000, 200_000, 500, 20_000

NUMBERS = {
    "patients": PATIENTS,
    "packets": PACKETS,
    "recent": RECENT_PATIENTS,
    "others": OF_EACH_OTHER,
    "now_ms": NOW_MS,
}

PROJECTIONS = "patient_monitoring_snapshot_projections"
RELAY_INDEX, BY_ID = f"{PROJECTIONS}_relay_idx", f"{PROJECTIONS}_pkey"
LOOK_INDEX = f"{PROJECTIONS}_look_idx"
BY_SUBJECT, BY_PACKET = "patient_signal_packets_subject_time_idx", "patient_signal_packets_pkey"
BY_ENCOUNTER = "patient_risk_assessments_encounter_idx"
OPEN_INDEX = "patient_review_queue_open_idx"
OPEN_OF_SITE = "patient_review_queue_open_site_idx"
BY_ITEM = "patient_review_queue_pkey"
BY_KEY, BY_AGE = "patient_action_keys_pkey", "patient_action_keys_created_idx"
BY_ALARM = "patient_alarm_audit_events_alarm_time_idx"
BY_SITE = "patient_alarm_audit_events_site_id_seq_key"
ONE_ROW = "relay_state"

FILL = (
    """
    insert into patient_monitoring_snapshot_projections (
        projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
        status, attempt_count, incarnation, version, published_version, urgency, heard_at, look_at
    )
    select 'monitoring-snapshot:p-' || n, 'p-' || n, 'patient-risk:monitoring-snapshots:p-' || n,
        'patient-risk:monitoring-snapshots:latest', 'sha256:' || repeat(md5(n::text), 2),
        jsonb_build_object('asOfMs', n, 'subjectId', 'p-' || n, 'vitals', vitals.of_all),
        'published', 1, 1, 3, 3, n % 5, now(),
        case when n % 10 = 0 then null else now() + (n - :recent) * interval '1 s' end
    from generate_series(1, :patients) n,
        (select jsonb_object_agg(i, md5(i::text)) as of_all from generate_series(1, 38) i) vitals
    """,
    """
    insert into patient_signal_packets (
        packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms, payload,
        content_fingerprint, clock_suspect, received_at
    )
    select 'seoul-01:bed-' || bed || ':' || :now_ms + n, 'seoul-01', 'bed-' || bed, 'p-' || bed,
        'e-' || bed, :now_ms + n, signals.of_all, 'sha256:' || repeat(md5(n::text), 2), false,
        now()
    from generate_series(1, :packets) n,
        lateral (select case when n % 10 = 0 then 0 else 1 + n % :recent end as bed) bed,
        (select jsonb_object_agg(i, md5(i::text)) as of_all from generate_series(1, 12) i) signals
    """,
    """
    insert into patient_risk_assessments (
        assessment_key, encounter_id, demo_subject_id, model_name, model_version, horizon,
        risk_level, clinician_review_required, score, completeness, packet_id, assessed_at,
        payload, updated_at
    )
    select 'e-' || n || ':news2:current', 'e-' || n, 'p-' || n, 'news2', 'news2-2017/1',
        'current', 'low', false, 1, 'partial', 'seoul-01:bed:' || n, now(), '{}',
        now() - n * interval '1 s'
    from generate_series(1, :others) n
    """,
    """
    insert into patient_review_queue (
        review_item_id, demo_subject_id, encounter_id, site_id, priority, last_updated_ms, state,
        payload
    )
    select 'review:e-' || n, 'p-' || n, 'e-' || n, 'site-' || n / 20 % 4,
        (array['high', 'medium', 'low-medium', 'low'])[1 + n % 4], :now_ms + n * 7919 % :others,
        case when n % 20 < 4 then 'open' when n % 2 = 0 then 'resolved' else 'closed' end, '{}'
    from generate_series(1, :others) n
    """,
    """
    insert into patient_alarm_audit_events (
        event_id, alarm_id, demo_subject_id, site_id, action, actor_ref, reason, occurred_at_ms,
        payload, seq, previous_hash, hash
    )
    select 'p-' || n || ':1.1', 'p-' || n % :recent || ':news2-high', 'p-' || n % :recent,
        'site-' || n % 4, 'raised', 'system', 'risk', :now_ms + n, '{}', n, md5(n::text),
        md5(n::text)
    from generate_series(1, :others) n
    """,
    """
    insert into patient_action_keys (action_key, request_fingerprint, answer, created_at)
    select 'key-' || n, 'sha256:' || repeat(md5(n::text), 2), repeat(md5(n::text), 16),
        now() - n * interval '10 s'
    from generate_series(1, :others) n
    """,
)

DUE = text("""
    update patient_monitoring_snapshot_projections
    set status = 'failed', pending_since = now(), due_at = now() - interval '1 h',
        relay_at = now() - interval '1 h',
        lease_token = :lease, published_version = 2
    where projection_id in (
        select projection_id from patient_monitoring_snapshot_projections
        where status = 'published' limit :many
    )
""")
NONE_DUE = text("""
    update patient_monitoring_snapshot_projections
    set status = 'published', pending_since = null, due_at = null, lease_token = null,
        relay_at = null
    where status <> 'published'
""")
LEASED = UUID(int=7)


@dataclass(frozen=True, slots=True)
class Scan:
    """One place where a plan reads a table; ``looked_at`` are the rows that it touched there."""

    kind: str
    what: str
    looked_at: float


def scans(plan: Mapping[str, Any]) -> Iterator[Scan]:
    for node in nodes(plan):
        kind, what = node["Node Type"], node.get("Index Name") or node.get("Relation Name")
        if "Scan" in kind and what is not None and what != ONE_ROW:
            removed = node.get("Rows Removed by Filter", 0) + node.get(
                "Rows Removed by Index Recheck", 0
            )
            each = node.get("Actual Rows", 0) + removed
            yield Scan(kind, what, each * node.get("Actual Loops", 1))


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@dataclass(frozen=True, slots=True)
class Plans:
    """How it runs for these parameters, and how it would run for any."""

    custom: list[Scan]
    generic: list[Scan]

    @property
    def whole_tables(self) -> list[str]:
        return [scan.what for scan in (*self.custom, *self.generic) if scan.kind.startswith("Seq")]

    @property
    def custom_indexes(self) -> set[str]:
        return {scan.what for scan in self.custom if "Index" in scan.kind}

    @property
    def generic_indexes(self) -> set[str]:
        return {scan.what for scan in self.generic if "Index" in scan.kind}

    @property
    def looked_at(self) -> float:
        """Rows; a bitmap is made of an index first, and what it leads to is counted."""
        return sum(scan.looked_at for scan in self.custom if scan.kind != "Bitmap Index Scan")


async def plans_of(
    connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, object]
) -> Plans:
    """It does run, and is undone again; the statement has to be alone in its transaction."""
    explain = text(f"explain (analyze, timing off, format json) {statement.text}")
    [[custom]] = await connection.execute(explain, parameters)
    await connection.rollback()
    generic = await generic_plan(connection, statement)
    return Plans(list(scans(of_json(custom))), list(scans(of_json(generic))))


async def generic_plan(connection: AsyncConnection, statement: TextClause) -> str:
    """As a prepared statement may come to be planned, after its first executions."""
    compiled = statement.compile(dialect=dialect())
    nothing = ", ".join(["null"] * len(compiled.params))
    driver = (await connection.get_raw_connection()).driver_connection
    await driver.execute(f"prepare hot as {compiled}")
    await driver.execute("set plan_cache_mode = force_generic_plan")
    try:
        plan: str = await driver.fetchval(
            f"explain (format json) execute hot{f'({nothing})' if nothing else ''}"
        )
    finally:
        await driver.execute("deallocate hot; reset plan_cache_mode")
        await connection.rollback()
    return plan


def of_json(explained: Any) -> Mapping[str, Any]:
    document = json.loads(explained) if isinstance(explained, str) else explained
    plan: Mapping[str, Any] = document[0]["Plan"]
    return plan


@pytest.fixture(scope="module")
def nobody_yet(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with new_database() as url:
        migrate(url)
        yield url


@pytest.fixture(scope="module")
async def ward(
    new_database: Callable[[], AbstractContextManager[str]],
) -> AsyncIterator[AsyncEngine]:
    """Tables in size. Nobody vacuums or gathers statistics but the tests."""
    with new_database() as url:
        migrate(url)
        policy = PoolPolicy(size=2, command_timeout_s=120)
        engine = create_engine(url, policy, "vitalrelay-hot-queries")
        async with engine.begin() as connection:
            await connection.execute(
                text(f"alter table {PROJECTIONS} set (autovacuum_enabled = false)")
            )
            for statement in FILL:
                await connection.exec_driver_sql(with_numbers(statement))
        await run(engine, "vacuum analyze")
        yield engine
        await engine.dispose()


def with_numbers(statement: str) -> str:
    for name, number in NUMBERS.items():
        statement = statement.replace(f":{name}", str(number))
    return statement


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(statement))


async def arrange(engine: AsyncEngine, due: int) -> None:
    """So many are due, leased by us once; the others are published."""
    async with engine.begin() as connection:
        await connection.execute(NONE_DUE)
        await connection.execute(DUE, {"many": due, "lease": LEASED})


KNOWN = [f"sha256:{n}" for n in range(100)]  # and of no patient here


def ids(count: int) -> list[str]:
    """Of patients from all over the table."""
    return [f"monitoring-snapshot:p-{1 + n * 97 % PATIENTS}" for n in range(count)]


def packets(count: int) -> Mapping[str, Sequence[object]]:
    """Half of them of new patients."""
    numbers = range(count)
    subjects = [f"p-{n}" if n % 2 else f"new-{n}" for n in numbers]
    return {
        "packet_ids": [f"seoul-01:bed-{n}:{NOW_MS - n}" for n in numbers],
        "sites": ["seoul-01"] * count,
        "devices": [f"bed-{n}" for n in numbers],
        "subjects": subjects,
        "encounters": subjects,
        "timestamps": [NOW_MS - n for n in numbers],
        "payloads": ["{}"] * count,
        "fingerprints": ["sha256:0"] * count,
        "newest": [NOW_MS - n for n in numbers],
        "oldest": [NOW_MS - n for n in numbers],
    }


BATCH = 500
A_PAGE, A_SHORT_PAGE = 100, 20
OF_ONE_PATIENT = PACKETS // RECENT_PATIENTS
OF_A_LONG_STAY = PACKETS // 10

RECORD = {
    **packets(BATCH),
    "tolerance_ms": 2_000,
    "never_set_ms": 0,
    "documents": "patient-risk:monitoring-snapshots:",
    "latest": "patient-risk:monitoring-snapshots:latest",
}
OWE = {
    "ids": ids(BATCH),
    "versions": [4] * BATCH,
    "fingerprints": ["sha256:1"] * BATCH,
    "documents": ['{"asOfMs":1}'] * BATCH,
    "urgencies": [4] * BATCH,
    "heard": [NOW_MS] * BATCH,
    "cadences": [None] * BATCH,
    "looks": [NOW_MS] * BATCH,
    "lease": LEASED,
    "lease_for": LEASE,
}
SETTLE = {
    "ids": ids(BATCH),
    "versions": [3] * BATCH,
    "leases": [LEASED] * BATCH,
    "statuses": ["published"] * BATCH,
    "delays": [None] * BATCH,
    "restored": [0] * BATCH,
    "errors": [""] * BATCH,
}
MIDDLE = "monitoring-snapshot:p-3"
EVERYBODY = {"status": None, "older_than": None, "subject": None}
FAILED = {**EVERYBODY, "status": "failed"}
OLD_AND_FAILED = {**FAILED, "older_than": timedelta(seconds=60)}
NEWEST = {"subject": "p-7", "timestamp_ms": NOW_MS * 2, "packet_id": "", "limit": A_PAGE}
OLDER = {**NEWEST, "timestamp_ms": NOW_MS + PACKETS // 2, "packet_id": "seoul-01:bed-7:1"}
LONG = {"subject": "p-0"}
TREND = {
    **trend_statement.parameters_of(
        SubjectId("p-0"), "heart_rate", Window(NOW_MS + 50_000, NOW_MS + 60_000, 1_000)
    ),
    "most_packets": MOST_PACKETS,
    "lateness_ms": 1_000,
}
OF_TWELVE_SECONDS = 12_000 // 10
EVERY_ITEM, OF_A_SITE = QueueFilter(), QueueFilter(site="site-2")
OLD_ITEMS = QueueFilter(older_than=timedelta(days=3650))
TOP = QueuePlace(RiskLevel.HIGH.urgency, 2**62, "")
FURTHER_DOWN = QueuePlace(RiskLevel.MEDIUM.urgency, NOW_MS + 9_000, "review:e-1")


def some_of_the_queue(
    which: QueueFilter, after: QueuePlace, limit: int = A_PAGE
) -> Mapping[str, object]:
    return review_queue.parameters_of(which, limit, after)


OF_ONE_ALARM = {
    "about": "p-7:news2-high",
    "occurred_ms": 2**62,
    "seq": 0,
    "limit": A_PAGE,
}
OLD_KEYS = OF_EACH_OTHER - 2 * 8_640
A_KEY = {"key": "key-7", "request": "sha256:0"}

# Statement, parameters, the indexes it goes by, and how many rows it may touch at most.
HOT = [
    ("record", record.RECORD, RECORD, {BY_ID}, 2 * BATCH),
    (
        "what was stored before",
        record.STORED_BEFORE,
        {"packet_ids": RECORD["packet_ids"]},
        {BY_PACKET, BY_ID},
        2 * BATCH,
    ),
    ("lock", lock.LOCK, {"projection_ids": ids(BATCH), "known": KNOWN}, {BY_ID}, 2 * BATCH),
    (
        "recall a stay",
        lock.RECALL,
        {"subjects": ["p-7", "p-8"], "encounters": ["e-7", "e-8"], "new": ["a:b:1"]},
        {BY_SUBJECT},
        2 * OF_ONE_PATIENT,
    ),
    ("owe", owe.OWE, OWE, {BY_ID}, 2 * BATCH),
    ("settle", settle.SETTLE, SETTLE, {BY_ID}, 3 * BATCH),
    ("whom time concerns", lock.LOCK_DUE, {"limit": A_PAGE, "known": []}, {LOOK_INDEX}, 2 * A_PAGE),
    (
        "whom to look at again",
        look_again.LOOK_AGAIN,
        {"ids": ids(A_PAGE), "looks": [NOW_MS] * A_PAGE},
        {BY_ID},
        2 * A_PAGE,
    ),
    ("a packet", records.PACKET, {"packet_id": "seoul-01:bed-7:1"}, {BY_PACKET}, 1),
    ("a patient's newest packets", records.PACKETS_OF, NEWEST, {BY_SUBJECT}, A_PAGE + 1),
    ("a patient's older packets", records.PACKETS_OF, OLDER, {BY_SUBJECT}, OF_ONE_PATIENT),
    ("newest of a long stay", records.PACKETS_OF, {**NEWEST, **LONG}, {BY_SUBJECT}, A_PAGE + 2),
    ("older of a long stay", records.PACKETS_OF, {**OLDER, **LONG}, {BY_SUBJECT}, A_PAGE + 2),
    ("a patient's newest time", trends.NEWEST, {"subject": "p-7"}, {BY_ID}, 1),
    ("a patient's trend", trend_statement.TREND, TREND, {BY_SUBJECT}, 2 * OF_TWELVE_SECONDS),
    (
        "a trend of too many packets",
        trend_statement.TREND,
        {**TREND, "most_packets": A_PAGE},
        {BY_SUBJECT},
        A_PAGE + 1,
    ),
    (
        "assessments of an encounter",
        records.ASSESSMENTS_OF,
        {"encounter": "e-7"},
        {BY_ENCOUNTER},
        1,
    ),
    ("some snapshots", records.SNAPSHOTS_OF, {"ids": ids(200)}, {BY_ID}, 400),
    (
        "the review queue",
        review_queue.OF_ALL,
        some_of_the_queue(EVERY_ITEM, TOP),
        {OPEN_INDEX},
        4 * A_PAGE,
    ),
    (
        "further down the review queue",
        review_queue.OF_ALL,
        some_of_the_queue(EVERY_ITEM, FURTHER_DOWN),
        {OPEN_INDEX},
        3 * A_PAGE,
    ),
    (
        "one priority of the review queue",
        review_queue.OF_ALL,
        some_of_the_queue(QueueFilter(priority=RiskLevel.MEDIUM), TOP),
        {OPEN_INDEX},
        A_PAGE,
    ),
    (
        "what waits for long in the review queue",
        review_queue.OF_ALL,
        some_of_the_queue(OLD_ITEMS, TOP),
        {OPEN_INDEX},
        0,
    ),
    (
        "the review queue of a site",
        review_queue.OF_SITE,
        some_of_the_queue(OF_A_SITE, TOP, A_SHORT_PAGE),
        {OPEN_OF_SITE},
        4 * A_SHORT_PAGE,
    ),
    (
        "further down the review queue of a site",
        review_queue.OF_SITE,
        some_of_the_queue(OF_A_SITE, FURTHER_DOWN, A_SHORT_PAGE),
        {OPEN_OF_SITE},
        3 * A_SHORT_PAGE,
    ),
    (
        "the audit records of an alarm",
        audit_trail.OF_ONE,
        OF_ONE_ALARM,
        {BY_ALARM},
        OF_EACH_OTHER // RECENT_PATIENTS,
    ),
    (
        "older audit records of an alarm",
        audit_trail.OF_ONE,
        OF_ONE_ALARM | {"occurred_ms": NOW_MS + 1_000, "seq": 7},
        {BY_ALARM},
        2,
    ),
    *(
        (f"whose {about} it is", patient_of.PATIENT_OF, {"about": about}, {BY_ALARM, BY_ITEM}, 1)
        for about in ("p-7:news2-high", "review:e-7")
    ),
    ("an action that came before", answers.ANSWERED, A_KEY, set(), 0),
    ("what an action is answered", answers.ANSWER, {"key": "key-7", "answer": "{}"}, {BY_KEY}, 1),
    (
        "keys to forget",
        answers.FORGET,
        {"older_than": timedelta(days=2)},
        {BY_KEY, BY_AGE},
        3 * OLD_KEYS,
    ),
    (
        "the audit records of a site",
        records.AUDIT_OF,
        {"site": "site-2", "after": 10_000, "until": 2**62, "limit": 1_000},
        {BY_SITE},
        2_500,
    ),
    ("a sweep begins", ledger.PUBLISHED_AFTER, {"after": "", "limit": BATCH}, {BY_ID}, 2 * BATCH),
    (
        "a sweep goes on",
        ledger.PUBLISHED_AFTER,
        {"after": MIDDLE, "limit": BATCH},
        {BY_ID},
        2 * BATCH,
    ),
    ("a second look", ledger.PUBLISHED, {"ids": ids(BATCH)}, {BY_ID}, 2 * BATCH),
    ("who is known", ledger.KNOWN, {"ids": ids(BATCH)}, {BY_ID}, 2 * BATCH),
    (
        "owe again",
        ledger.OWE_AGAIN,
        {"ids": ids(BATCH), "versions": [3] * BATCH},
        {BY_ID},
        3 * BATCH,
    ),
    ("owe anew", ledger.OWE_ANEW, {"ids": ids(BATCH)}, {BY_ID}, 3 * BATCH),
    ("every patient", records.SUBJECTS_AFTER, {"after": MIDDLE, "limit": BATCH}, {BY_ID}, BATCH),
    ("how much is owed", on_call.SUMMARY, {}, {RELAY_INDEX, BY_ID}, PATIENTS + 2 * BATCH),
    ("one projection", on_call.ONE, {"projection": MIDDLE}, {BY_ID}, 1),
    (
        "projections, page by page",
        on_call.SOME,
        {**EVERYBODY, "after": MIDDLE, "limit": A_PAGE},
        {BY_ID},
        A_PAGE,
    ),
    ("how many failed", on_call.COUNT, OLD_AND_FAILED, {RELAY_INDEX}, 2 * BATCH),
    (
        "failed projections, page by page",
        on_call.SOME,
        {**OLD_AND_FAILED, "after": "", "limit": A_PAGE},
        {RELAY_INDEX},
        2 * BATCH,
    ),
    (
        "try those that failed anew",
        on_call.RETRY,
        {**OLD_AND_FAILED, "all": True, "ids": []},
        {RELAY_INDEX, BY_ID},
        4 * BATCH,
    ),
]


@pytest.mark.parametrize(
    ("statement", "parameters", "indexes", "most"),
    [pytest.param(*case, id=name) for name, *case in HOT],
)
async def test_it_reads_what_it_needs(
    ward: AsyncEngine,
    statement: TextClause,
    parameters: Mapping[str, object],
    indexes: set[str],
    most: int,
) -> None:
    await arrange(ward, due=BATCH)

    async with ward.connect() as connection:
        plans = await plans_of(connection, statement, parameters)

    assert plans.whole_tables == []
    assert plans.custom_indexes == indexes
    assert plans.looked_at <= most


WORK = {
    "record": record.RECORD,
    "stored before": record.STORED_BEFORE,
    "lock": lock.LOCK,
    "lock who is due": lock.LOCK_DUE,
    "recall": lock.RECALL,
    "file assessments": file.ASSESSMENTS,
    "file reviews": file.REVIEWS,
    "the end of a chain": file.CHAIN_HEAD,
    "file audit records": file.AUDIT,
    "whose it is": patient_of.PATIENT_OF,
    "answered": answers.ANSWERED,
    "answer": answers.ANSWER,
    "forget": answers.FORGET,
    "owe": owe.OWE,
    "look again": look_again.LOOK_AGAIN,
    "claim": claim.CLAIM_DUE,
    "settle": settle.SETTLE,
}


@pytest.mark.parametrize("statement", WORK.values(), ids=WORK)
async def test_what_is_planned_while_there_is_not_a_row_is_good_for_a_whole_hospital(
    nobody_yet: str, statement: TextClause
) -> None:
    policy = PoolPolicy(size=1, by_keys=True)
    engine = create_engine(nobody_yet, policy, "vitalrelay-hot-queries")
    async with engine.connect() as connection:
        plan = of_json(await generic_plan(connection, statement))
    await engine.dispose()

    assert [scan.what for scan in scans(plan) if scan.kind.startswith("Seq")] == []
    assert not {node["Node Type"] for node in nodes(plan)} & {"Hash Join", "Merge Join"}


async def test_reading_a_whole_table_would_be_noticed(ward: AsyncEngine) -> None:
    """`vitalrelay verify` does so, and has to."""
    async with ward.connect() as connection:
        plans = await plans_of(connection, records.UNPUBLISHED, {})

    assert plans.whole_tables == [PROJECTIONS, PROJECTIONS]
    assert plans.looked_at == PATIENTS


NOBODY, SOME, ALL = 0, 100, PATIENTS

SILENT = text("""
    update patient_monitoring_snapshot_projections
    set look_at = case when n <= :many then now() - interval '1 h' else now() + interval '1 h' end
    from (
        select projection_id as id, row_number() over () as n
        from patient_monitoring_snapshot_projections
    ) numbered
    where projection_id = id
""")


@pytest.mark.parametrize(
    ("when_analyzed", "silent", "looked_at"),
    [
        pytest.param(NOBODY, NOBODY, 0, id="nobody is silent"),
        pytest.param(NOBODY, ALL, A_PAGE, id="all are silent, and the statistics know of none"),
        pytest.param(ALL, ALL, A_PAGE, id="all are silent"),
    ],
)
async def test_a_look_reads_whom_it_looks_at(
    ward: AsyncEngine, when_analyzed: int, silent: int, looked_at: int
) -> None:
    """An outage of the network: a whole hospital falls silent at once."""
    for many in (when_analyzed, silent):
        async with ward.begin() as connection:
            await connection.execute(SILENT, {"many": many})
        if many == when_analyzed:
            await run(ward, f"vacuum analyze {PROJECTIONS}")

    async with ward.connect() as connection:
        plans = await plans_of(connection, lock.LOCK_DUE, {"limit": A_PAGE, "known": []})

    assert plans.whole_tables == []
    assert plans.custom_indexes == plans.generic_indexes == {LOOK_INDEX}
    assert plans.looked_at <= 2 * looked_at


CLAIMS = [
    pytest.param(NOBODY, NOBODY, 0, id="nobody is due"),
    pytest.param(NOBODY, SOME, SOME, id="some are due, and the statistics know of none"),
    pytest.param(SOME, SOME, SOME, id="some are due"),
    pytest.param(SOME, ALL, BATCH, id="all are due, and the statistics know of some"),
    pytest.param(ALL, ALL, BATCH, id="all are due"),
]


@pytest.mark.parametrize(("when_analyzed", "due", "claimed"), CLAIMS)
async def test_a_claim_reads_what_it_claims(
    ward: AsyncEngine, when_analyzed: int, due: int, claimed: int
) -> None:
    """Read once in the order of the index, once more to be changed; then what is passed over."""
    await arrange(ward, when_analyzed)
    await run(ward, f"analyze {PROJECTIONS}")
    if due != when_analyzed:
        await arrange(ward, due)
    asked = {"batch_size": BATCH, "lease_for": LEASE, "lease": LEASED}

    async with ward.connect() as connection:
        plans = await plans_of(connection, claim.CLAIM_DUE, asked)

    assert plans.whole_tables == []
    assert plans.custom_indexes == plans.generic_indexes == {RELAY_INDEX, BY_ID}
    assert plans.looked_at <= 2 * claimed
