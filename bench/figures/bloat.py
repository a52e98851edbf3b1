"""
Two million packets of 400 patients in one go, published as they come: how large the table of
projections has grown, with its indexes and what lies outside of its pages, against the same rows
freshly rewritten.

Every packet rewrites its patient's row. Nobody vacuums but the database by itself.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic, sleep

from bench.bulk import Bulk, Sent, send
from bench.candidates import ours
from bench.ground import Ground, run_sql
from bench.report import Figure

ASKED = 3.0
PACKETS, PATIENTS = 2_000_000, 400
BETWEEN_S, SHOWN_WITHIN_S = 1.0, 30.0
TABLE = "patient_monitoring_snapshot_projections"
SIZE = f"select pg_total_relation_size('{TABLE}'), pg_indexes_size('{TABLE}')"
COUNT = "select count(*) from patient_signal_packets"
OWED = f"select count(*) from {TABLE} where status <> 'published'"
VACUUMS = f"select autovacuum_count from pg_stat_user_tables where relname = '{TABLE}'"

Size = tuple[int, int]  # all of it, and what the indexes are of it, in bytes


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url = ground.database("bloat")
    with ours(ground, database_url, processes) as url:
        bulk = Bulk(url=url, packets=PACKETS, patients=PATIENTS)
        sent, sizes = watched(lambda: send(bulk), database_url)
        wait_until_shown(database_url)
        sizes.append(size(database_url))
    assert run_sql(database_url, COUNT) == [(PACKETS,)]
    [(vacuums,)] = run_sql(database_url, VACUUMS)
    run_sql(database_url, f"vacuum full {TABLE}")
    fresh = size(database_url)
    times = sizes[-1][0] / fresh[0]
    details = {
        "half-way": said(sizes[len(sizes) // 2]),
        "at its largest": said(max(sizes)),
        "in the end": said(sizes[-1]),
        "rewritten": said(fresh),
        "vacuumed by the database": f"{vacuums} times",
        "ingested": f"{PACKETS:,} in {sent.seconds:.0f} s",
    }
    name = f"projections after {PACKETS:,} packets / freshly rewritten"
    return [Figure(name, round(times, 2), f"≤ {ASKED:g} times", times <= ASKED, details)]


def watched(work: Callable[[], Sent], database_url: str) -> tuple[Sent, list[Size]]:
    """What it returns, and the sizes while it was at it, a moment apart."""
    sizes = []
    with ThreadPoolExecutor(1) as beside:
        done: Future[Sent] = beside.submit(work)
        while not done.done():
            sizes.append(size(database_url))
            sleep(BETWEEN_S)
        return done.result(), sizes


def size(database_url: str) -> Size:
    [(whole, indexes)] = run_sql(database_url, SIZE)
    assert isinstance(whole, int)
    assert isinstance(indexes, int)
    return whole, indexes


def said(of: Size) -> str:
    whole, indexes = (part / 1_000_000 for part in of)
    return f"{whole:.1f} MB, {indexes:.1f} MB of it indexes"


def wait_until_shown(database_url: str) -> None:
    until = monotonic() + SHOWN_WITHIN_S
    while run_sql(database_url, OWED) != [(0,)]:
        assert monotonic() < until, "not all were published"
        sleep(0.1)
