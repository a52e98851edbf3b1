"""
The relay drain: 40,000 patients due at once, against the best of the relay peers.

For everybody a document of the same size, in Redis in the end and marked done where the work is
kept; as many worker processes, up and waiting when the work is released; the clock runs from the
first document in Redis until all is there and done (``bench/drained.py``). We do more than a peer:
a document that is older never replaces a newer one, and an event tells of each.

Peers move 20,000 documents, slow ones fewer, so that nobody waits for minutes.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.candidates import ours
from bench.ground import Ground
from bench.load import Load, drive
from bench.our_drain import OurDrain
from bench.peer_drain import PeerDrain
from bench.peers.order import Order
from bench.report import Figure
from bench.rounds import Compared, alternate
from bench.same_rows import FINGERPRINT, taken_from
from vitalrelay.domain.document import with_envelope

ASKED = 4.0
PATIENTS, ROUNDS = 40_000, 3
PEERS = {"pgqueuer": 20_000, "faststream_outbox": 20_000, "arq": 6_000, "procrastinate": 2_000}
UNIT = "documents/s"


def measure(ground: Ground, processes: int) -> list[Figure]:
    document = a_document(ground)
    subject = json.loads(document)["subjectId"]
    drain = OurDrain(ground, ground.database("drain"), PATIENTS, processes, document, subject)
    asyncio.run(drain.fill())
    template = Order(
        processes=processes, like=with_envelope(document, 1, 1, FINGERPRINT), subject=subject
    )
    peers = {
        name: PeerDrain(ground, replace(template, peer=name, documents=documents))
        for name, documents in PEERS.items()
    }
    candidates: dict[str, Callable[[], float]] = {"ours": drain, **peers}
    rounds = alternate(candidates, ROUNDS)
    compared = {name: rounds.compare("ours", name) for name in peers}
    return [figure_of(compared, peers)]


def a_document(ground: Ground) -> str:
    """Of a patient all of whose vitals are known, without its envelope."""
    database_url = ground.database("drain_document")
    with ours(ground, database_url, processes=1) as url:
        driven = drive(Load(url=url, connections=1, seconds=0.5))
        assert driven.wrong == 0, f"{driven.wrong} packets were not stored"
        return asyncio.run(taken_from(database_url)).snapshot


def figure_of(compared: Mapping[str, Compared], peers: Mapping[str, PeerDrain]) -> Figure:
    """Against whoever has the highest median; the others are told of."""
    best = max(compared, key=lambda name: compared[name].medians[name])
    name = f"relay drain of {PATIENTS:,} patients, ours / best peer"
    figure = Figure.of_ratio(name, compared[best], at_least=ASKED, unit=UNIT)
    rates = {
        f"{name} {peers[name].version} ({PEERS[name]:,})": f"{of.medians[name]:,.0f} {UNIT}"
        for name, of in sorted(compared.items(), key=lambda item: item[0] != best)
    }
    said = {name: value for name, value in figure.details.items() if name != best}
    bars = figure.bars | {name: of.medians[name] for name, of in compared.items()}
    return replace(figure, details={**rates, **said}, bars=bars)
