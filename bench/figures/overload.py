"""
Ten times what can be taken, for half a minute: how much is still taken meanwhile, and afterwards.

The schedule stands whatever the answers do. But a connection that waits for its answer can send
nothing else, and who answers too slowly to refuse so many is offered less: as many as there are
connections wait all the time, more than have room in the queues of the service. What was offered
by then is printed, and what the offering itself took of the cores it shares with the service.
"""

import time
from collections import Counter

from bench.bulk import Bulk, send
from bench.candidates import ours
from bench.ground import Ground, run_sql
from bench.offered import Answered, Offer, capacity, offer
from bench.report import Figure

TIMES, SECONDS, COUNTED_FROM_S, AFTER_S = 10, 30.0, 3, 10.0
DURING, AFTER = 0.8, 0.95  # of capacity
CONNECTIONS, MANY_CONNECTIONS = 256, 18_000
FIRST_SECONDS, CAPACITY_SECONDS = 3.0, 8.0
TURNED_AWAY = ("429 ", "503 ")
COUNT = "select count(*) from patient_signal_packets"


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url = ground.database("overload")
    with ours(ground, database_url, processes) as url:
        known = send(Bulk(url=url, packets=MANY_CONNECTIONS, patients=MANY_CONNECTIONS))
        first = capacity(url, CONNECTIONS, FIRST_SECONDS)
        before = capacity(url, CONNECTIONS, CAPACITY_SECONDS)
        rate = TIMES * before.per_s()
        over = offer(Offer(url=url, connections=MANY_CONNECTIONS, seconds=SECONDS, rate=rate))
        time.sleep(max(0.0, over.ended_at + AFTER_S - time.time()))
        after = capacity(url, CONNECTIONS, CAPACITY_SECONDS)
    check(
        database_url,
        over,
        known.stored + sum(one.stored_in_all for one in (first, before, over, after)),
    )
    during = over.per_s(COUNTED_FROM_S) / before.per_s()
    wrong = mistakes(over)
    details = {
        "capacity": f"{before.per_s():,.0f}/s ({before.cpu:.0%} of a core to offer it)",
        "goodput": f"{over.per_s(COUNTED_FROM_S):,.0f}/s, {min(over.stored[COUNTED_FROM_S:]):,} in "
        "the worst second",
        "due": f"{rate:,.0f}/s",
        "connections": over.connections,
        "sent": f"{over.sent / SECONDS:,.0f}/s ({over.cpu:.0%} of a core to offer it)",
        "answers": dict(Counter(over.others) + Counter({"201": over.stored_in_all})),
        "unanswered": over.unanswered,
        "201 after": f"{over.p50_ms / 1000:.1f} s (p50), {over.p99_ms / 1000:.1f} s (p99)",
    }
    recovered = after.per_s() / before.per_s()
    return [
        Figure(
            f"goodput under {TIMES} times capacity / capacity",
            round(during, 2),
            f"≥ {DURING:g}, and the rest turned away",
            during >= DURING and not wrong,
            details,
        ),
        Figure(
            f"goodput {AFTER_S:g} s after an overload / before",
            round(recovered, 2),
            f"≥ {AFTER:g}",
            recovered >= AFTER,
            {"before": f"{before.per_s():,.0f}/s", "after": f"{after.per_s():,.0f}/s"},
        ),
    ]


def mistakes(over: Answered) -> int:
    """What is neither stored nor turned away with a problem document: connections cut, too."""
    return sum(
        count
        for answer, count in over.others.items()
        if not answer.startswith(TURNED_AWAY) or answer.endswith("no problem document")
    )


def check(database_url: str, over: Answered, stored: int) -> None:
    """Whatever was answered 201 is there; beside it only what was not answered for certain."""
    [(rows,)] = run_sql(database_url, COUNT)
    assert isinstance(rows, int)
    uncertain = mistakes(over) + over.unanswered + over.others.get("503 outcome-unknown", 0)
    assert stored <= rows <= stored + uncertain, (stored, rows, uncertain)
