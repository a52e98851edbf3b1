"""Packets and plans for tests of the replay."""

from vitalrelay.replay.pacing import AsFastAsPossible
from vitalrelay.replay.packets import Origin, Signal, write_packet
from vitalrelay.replay.patience import Patience
from vitalrelay.replay.plan import Plan
from vitalrelay.replay.sources.source import Source
from vitalrelay.replay.target import Target

SECOND_MS = 1000
START_MS = 1_767_225_600_000


def a_packet(second=0.0, bed=1, rate="81"):
    origin = Origin(site="ward", device=f"bed-{bed}", subject=f"p-{bed}")
    signals = [Signal("heart_rate", rate, "/min"), Signal("spo2", "96", "%")]
    return write_packet(origin, START_MS + int(second * SECOND_MS), signals)


def a_stream(number, every_s=1.0):
    return [a_packet(turn * every_s) for turn in range(number)]


def a_source(packets, pace=None, **more):
    return Source(
        name="a test",
        format="ndjson",
        packets=iter(packets),
        pace=pace or AsFastAsPossible(),
        **more,
    )


def a_plan(url, stream, pace=None, /, **more):
    more.setdefault("patience", Patience(give_up_after_s=5.0, silence_s=2.0))
    return Plan(source=a_source(stream, pace), target=Target.at(url), **more)
