"""Single-packet POSTs: against the naive service, against pgbench, and against no work at all."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.candidates import naive, noop, ours
from bench.ground import Ground
from bench.load import Load, drive
from bench.pgbench import pgbench
from bench.report import Figure
from bench.rounds import alternate
from bench.same_rows import taken_from

CONNECTIONS, SECONDS, ROUNDS = (64, 256), 6.0, 5
ASKED: Mapping[str, float | None] = {"naive": 10.0, "pgbench": 0.5, "no-op": None}

Measure = Callable[[], float]


def measure(ground: Ground, processes: int) -> list[Figure]:
    figures = []
    for connections in CONNECTIONS:
        with candidates(ground, processes, connections) as measures:
            for warm in measures.values():  # plans, pools, caches
                warm()
            rounds = alternate(measures, ROUNDS)
        figures += [
            Figure.of_ratio(
                f"single POSTs at {connections} connections, ours / {rival}",
                rounds.compare("ours", rival),
                at_least=at_least,
                unit="packets/s",
            )
            for rival, at_least in ASKED.items()
        ]
    return figures


@contextmanager
def candidates(ground: Ground, processes: int, connections: int) -> Iterator[Mapping[str, Measure]]:
    mine, of_naive, of_pgbench = (
        ground.database(f"single_{connections}_{who}") for who in ("ours", "naive", "pgbench")
    )
    with ExitStack() as stack:
        services = {
            "ours": stack.enter_context(ours(ground, mine, processes)),
            "naive": stack.enter_context(naive(ground, of_naive, processes)),
            "no-op": stack.enter_context(noop(processes)),
        }
        driven = {who: partial(rate, url, connections) for who, url in services.items()}
        driven["ours"]()
        documents = asyncio.run(taken_from(mine))
        yield driven | {"pgbench": partial(pgbench, of_pgbench, documents, connections, SECONDS)}


def rate(url: str, connections: int) -> float:
    driven = drive(Load(url=url, connections=connections, seconds=SECONDS))
    assert driven.wrong == 0, f"{driven.wrong} answers were not 201"
    return driven.packets_per_s
