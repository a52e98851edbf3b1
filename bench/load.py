"""
The load, in a process of its own: ``python -m bench.load '{"kind": …}'`` prints one JSON object.

A closed loop: so many connections, each a gateway with one patient, the next packet when the
answer is there; with a rate, on an absolute schedule. Every packet is new and changes the snapshot.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import uvloop

from bench.ground import elsewhere
from vitalrelay.replay.connection import Lane
from vitalrelay.replay.target import MANY_PACKETS, ONE_PACKET, Target

SILENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    ``lines``: packets in one request, 1 for the single POST; ``patients``: whom each connection's
    packets are about, in turn. ``rate``: requests a second.
    """

    url: str
    connections: int
    seconds: float
    lines: int = 1
    patients: int = 1
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Driven:
    """What came of it: packets a second, and how many were not answered as they should be."""

    packets_per_s: float
    stored: int
    wrong: int


def drive(load: Load) -> Driven:
    return Driven(**elsewhere("bench.load", load))


def packets(gateway: int, patients: int = 1) -> Iterator[bytes]:
    """
    A gateway's stream, about 1.2 kB each, from now on, of each of its patients in turn.

    Every run has devices of its own.
    """
    run = time.time_ns()
    chance = random.Random(run + gateway)
    now_ms = run // 1_000_000 - 86_400_000
    while True:
        now_ms += 1
        patient = gateway * patients + now_ms % patients
        yield packet(f"gateway-{patient}-{run}", patient, now_ms, chance)


def packet(device: str, patient: int, at_ms: int, chance: random.Random) -> bytes:
    """What a monitor sends that measures everything, each value with its moment and quality."""
    measured = f'"measuredAtMs":{at_ms},"quality":"good"'
    signals = [
        ("heart_rate", chance.randrange(70, 85), "/min"),
        ("pulse_rate", chance.randrange(70, 85), "/min"),
        ("spo2", chance.randrange(960, 995) / 10, "%"),
        ("respiratory_rate", chance.randrange(13, 19), "/min"),
        ("systolic_bp", chance.randrange(115, 135), "mm[Hg]"),
        ("diastolic_bp", chance.randrange(70, 85), "mm[Hg]"),
        ("mean_bp", chance.randrange(85, 95), "mm[Hg]"),
        ("perfusion_index", chance.randrange(10, 40) / 10, "%"),
        ("temperature", chance.randrange(365, 376) / 10, "Cel"),
    ]
    said = [
        f'{{"code":"{code}","value":{value},"unit":"{unit}",{measured}}}'
        for code, value, unit in signals
    ]
    said += [
        f'{{"code":"consciousness","value":"A",{measured}}}',
        f'{{"code":"supplemental_oxygen","value":false,{measured}}}',
    ]
    return (
        f'{{"siteId":"bench","deviceId":"{device}","subjectId":"patient-{patient}",'
        f'"encounterId":"stay-{patient}","timestampMs":{at_ms},"signals":[{",".join(said)}]}}'
    ).encode()


async def run(load: Load) -> Driven:
    target = Target.at(load.url)
    loop = asyncio.get_running_loop()
    started = loop.time()
    until = started + load.seconds
    counts = [0, 0]

    async def one_gateway(number: int) -> None:
        lane, stream = Lane(target, SILENCE_S), packets(number, load.patients)
        head = target.head(ONE_PACKET if load.lines == 1 else MANY_PACKETS)
        due = started + number / (load.rate or 1)
        while loop.time() < until:
            if load.rate is not None:
                await asyncio.sleep(max(0.0, due - loop.time()))
                due += load.connections / load.rate
            body = b"\n".join(next(stream) for _ in range(load.lines))
            answer = await lane.exchange(head + b"%d\r\n\r\n%b" % (len(body), body))
            stored = stored_in(answer.status, answer.body, load.lines)
            counts[0] += stored
            counts[1] += load.lines - stored
        lane.close()

    await asyncio.gather(*(one_gateway(number) for number in range(load.connections)))
    return Driven(counts[0] / (loop.time() - started), counts[0], counts[1])


def stored_in(status: int, body: bytes, lines: int) -> int:
    if lines == 1:
        return int(status == 201)
    if status != 200:
        return 0
    stored: int = json.loads(body.rpartition(b'{"summary":')[2][:-2])["stored"]
    return stored


if __name__ == "__main__":
    uvloop.install()
    result = asyncio.run(run(Load(**json.loads(sys.argv[1]))))
    print(json.dumps(asdict(result)))
