"""``python -m bench [NAME …]``: measure, print, and say with the exit status whether all is met."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.figures import (
    bloat,
    drain,
    freshness,
    gigabyte,
    growth,
    latency,
    ndjson,
    outage,
    overload,
    reads,
    single_posts,
    stream,
    trends,
)
from bench.ground import Ground, ground
from bench.page import page
from bench.report import Figure, table

Measure = Callable[[Ground, int], list[Figure]]

FIGURES: Mapping[str, Measure] = {
    "single-posts": single_posts.measure,
    "ndjson": ndjson.measure,
    "freshness": freshness.measure,
    "reads": reads.measure,
    "latency": latency.measure,
    "overload": overload.measure,
    "drain": drain.measure,
}
BY_NAME: Mapping[str, Measure] = {
    "stream": stream.measure,
    "trends": trends.measure,
    "outage": outage.measure,
    "gigabyte": gigabyte.measure,
    "growth": growth.measure,
    "bloat": bloat.measure,
}
EVERY = {**FIGURES, **BY_NAME}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    usual, by_name = ", ".join(FIGURES), ", ".join(BY_NAME)
    names = f"{usual}; only by name: {by_name}; all"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--processes", type=int, default=2, help="of each service, ours and theirs")
    wanted = parser.parse_args()
    figures: list[Figure] = []
    for name in EVERY if wanted.names == ["all"] else wanted.names or FIGURES:
        with ground() as servers:
            measured = EVERY[name](servers, wanted.processes)
        for figure in measured:
            print(figure.line(), flush=True)
        figures += measured
    Console().print(table(figures))
    write(figures, wanted.processes)
    return 0 if all(figure.met for figure in figures) else 1


def write(figures: list[Figure], processes: int) -> None:
    RESULTS.mkdir(exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processes": processes,
    }
    document = {**machine, "figures": [asdict(figure) for figure in figures]}
    (RESULTS / "latest.json").write_text(json.dumps(document, indent=2) + "\n")
    (RESULTS / "latest.html").write_text(page(figures, machine))


if __name__ == "__main__":
    sys.exit(main())
