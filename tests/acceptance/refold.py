"""
A patient's snapshot once more, from what is stored and by the domain alone.

Version by version, each change that may have made it is tried, and stays if it tells what the
audit trail tells. Mostly the trail names the change. Where it is silent, either the next packets
were folded, or the worker ended a mute of an alarm that rests, which is no news: each stays a
world of its own until a later record contradicts it.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.acceptance.written import Written
from vitalrelay.domain.actions import Acknowledge, Mute
from vitalrelay.domain.alarms import SYSTEM, AlarmAction, AlarmPolicy
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import Document, document_of, parse_document
from vitalrelay.domain.errors import NotPossible
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.hearing import Hearing
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.snapshot import Snapshot
from vitalrelay.domain.watch import look

POLICY = AlarmPolicy()
ASSESS = News2()


@dataclass(frozen=True, slots=True)
class World:
    """What may be true after a version. ``commits`` of packets are folded, and it is ``now_ms``."""

    snapshot: Snapshot
    hearing: Hearing = field(default_factory=Hearing)
    commits: int = 0
    now_ms: int = field(default=0, compare=False)

    @property
    def document(self) -> Document:
        return as_stored(document_of(self.snapshot))

    def chart(self, now_ms: int) -> Chart:
        return Chart(self.snapshot, self.hearing, now_ms)

    def after(self, chart: Chart, commits: int = 0) -> "World":
        return World(chart.snapshot, chart.hearing, self.commits + commits, chart.now_ms)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One change that may have made a version, and the records it would have left."""

    change: str
    after: World
    records: Sequence[Document]


class Refold:
    def __init__(self, subject: str, written: Written) -> None:
        self._subject = SubjectId(subject)
        self._written = written

    def worlds(self) -> list[World]:
        """All that lead to what is written; fails at the first version to which none leads."""
        told = self._written.told()
        worlds = [World(Snapshot(subject=self._subject))]
        for version in range(1, self._written.version + 1):
            records = told.get(version, [])
            tried = [attempt for world in worlds for attempt in self._attempts(world, records)]
            worlds = []
            for attempt in tried:
                if attempt.records == records and attempt.after not in worlds:
                    worlds.append(attempt.after)
            assert worlds, unexplained(version, records, tried)
        return [world for world in worlds if world.commits == len(self._written.commits)]

    def _attempts(self, world: World, told: Sequence[Document]) -> Iterator[Attempt]:
        by_person = [record for record in told if record["actorRef"] != SYSTEM]
        if by_person:
            with suppress(NotPossible):
                yield acted(world, *by_person)
        elif told and told[0]["packetId"] is None:
            yield looked(world, told[0]["occurredAtMs"])
        else:
            yield from self._folded(world)
        if not told:
            yield from self._looked_in_silence(world)

    def _folded(self, world: World) -> Iterator[Attempt]:
        for packets in self._written.commits[world.commits : world.commits + 1]:
            chart = world.chart(packets[0].at_ms)
            for received in packets:
                chart.fold(received, ASSESS, POLICY)
            yield of(chart, f"{len(packets)} packets", world.after(chart, commits=1))

    def _looked_in_silence(self, world: World) -> Iterator[Attempt]:
        """No later than the next but one packets came: those wait for the next to be committed."""
        later = self._written.commits[world.commits + 1 : world.commits + 2]
        latest_ms = later[0][0].at_ms if later else math.inf
        ends_ms = [alarm.muted_until_ms for alarm in world.snapshot.resting if alarm.muted_until_ms]
        for at_ms in sorted({max(end_ms, world.now_ms) for end_ms in ends_ms}):
            if at_ms <= latest_ms:
                yield looked(world, at_ms)


def acted(world: World, record: Document) -> Attempt:
    chart = world.chart(record["occurredAtMs"])
    action_of(record).on(chart, signature_of(record), POLICY)
    return of(chart, "an action", world.after(chart))


def action_of(record: Document) -> Acknowledge | Mute:
    about, reason = record["alarmId"], record["reason"]
    if record["action"] == AlarmAction.ACKNOWLEDGED:
        return Acknowledge(about=about, reason=reason)
    for_ms = record["current"]["mutedUntilMs"] - record["occurredAtMs"]
    return Mute(about=about, reason=reason, for_ms=for_ms)


def signature_of(record: Document) -> Signature:
    return Signature(
        actor_ref=record["actorRef"],
        actor_role=record["actorRole"],
        client_ms=record["clientTimeMs"],
        request_id=record["requestId"],
        key=record["eventId"].split(":")[2],
    )


def looked(world: World, at_ms: int) -> Attempt:
    chart = world.chart(at_ms)
    look(chart, POLICY)
    return of(chart, "a look", world.after(chart))


def of(chart: Chart, change: str, after: World) -> Attempt:
    return Attempt(change, after, [as_stored(event.record()) for event in chart.audit])


def as_stored(document: Document) -> Document:
    return parse_document(canonical_json(document))


def unexplained(version: int, told: Sequence[Document], tried: Sequence[Attempt]) -> str:
    lines = [f"nothing leads to version {version}, with which the trail tells", *map(brief, told)]
    for attempt in tried:
        lines += [f"but {attempt.change} would tell", *map(brief, attempt.records)]
    return "\n".join(lines)


def brief(record: Document) -> str:
    return f"    {canonical_json({name: record[name] for name in record if name != 'assessment'})}"
