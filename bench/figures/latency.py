"""
How long a gateway waits for its answer while half of what can be taken comes in.

What can be taken, a closed loop says; half of it comes on an absolute schedule, and a packet counts
from when it was due. All patients were admitted before.
"""

from bench.bare import bare
from bench.bulk import Bulk, send
from bench.candidates import ours
from bench.ground import Ground, run_sql
from bench.offered import Offer, capacity, offer
from bench.report import Figure

ASKED_MS = 50.0
CONNECTIONS, FIRST_SECONDS, CAPACITY_SECONDS = 64, 3.0, 8.0
ENOUGH_CONNECTIONS, SECONDS = 2_000, 15.0
COUNT = "select count(*) from patient_signal_packets"


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url = ground.database("latency")
    with ours(ground, database_url, processes) as url:
        known = send(Bulk(url=url, packets=ENOUGH_CONNECTIONS, patients=ENOUGH_CONNECTIONS))
        first = capacity(url, CONNECTIONS, FIRST_SECONDS)
        most = capacity(url, CONNECTIONS, CAPACITY_SECONDS)
        half = most.per_s() / 2
        answered = offer(Offer(url=url, connections=ENOUGH_CONNECTIONS, seconds=SECONDS, rate=half))
    assert answered.unsent == 0, answered
    assert answered.stored_in_all == answered.sent >= half * SECONDS, answered
    stored = known.stored + sum(one.stored_in_all for one in (first, most, answered))
    assert run_sql(database_url, COUNT) == [(stored,)]
    pair = bare(ground, like=database_url)
    figure = Figure.of_latency(
        f"answers at half of capacity, p99 at {half:,.0f}/s",
        answered.p99_ms,
        at_most=ASKED_MS,
        others={"p50": answered.p50_ms, "bare p50": pair.p50_ms},
        bare_ms=pair.p99_ms,
    )
    return [figure]
