"""``python -m bench [NAME …]``: measure, print, and say with the exit status whether all is met."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from bench.figures import drain, freshness, ndjson, reads, single_posts, stream, trends
from bench.ground import Ground, ground
from bench.report import Figure

FIGURES: Mapping[str, Callable[[Ground, int], list[Figure]]] = {
    "single-posts": single_posts.measure,
    "ndjson": ndjson.measure,
    "freshness": freshness.measure,
    "stream": stream.measure,
    "reads": reads.measure,
    "trends": trends.measure,
    "drain": drain.measure,
}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--processes", type=int, default=2, help="of each service, ours and theirs")
    wanted = parser.parse_args()
    figures: list[Figure] = []
    for name in wanted.names or FIGURES:
        with ground() as servers:
            measured = FIGURES[name](servers, wanted.processes)
        for figure in measured:
            print(figure.line(), flush=True)
        figures += measured
    write(figures, wanted.processes)
    return 0 if all(figure.met for figure in figures) else 1


def write(figures: list[Figure], processes: int) -> None:
    RESULTS.mkdir(exist_ok=True)
    document = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processes": processes,
        "figures": [asdict(figure) for figure in figures],
    }
    (RESULTS / "latest.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
