"""
What every screen is told, encoded once and kept for a while.

Each screen is a place in the ring. Who falls so far behind that its place is gone has missed
something: it is disconnected, comes back, and says what it was told last.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from vitalrelay.adapters.inbound.server_sent import Told, told
from vitalrelay.domain.packet import SubjectId
from vitalrelay.ports.snapshot_events import Gap, Position, SnapshotEvent

AT_ONCE = 100  # events in one piece: a slow screen makes the server keep a copy of a few of them
ROOMY_S = 60.0

Wanted = frozenset[SubjectId] | None


class FellBehind(Exception):
    """What the screen should be told next is not held any more."""


@dataclass(frozen=True, slots=True)
class Piece:
    """
    What is said at one time: some events, or a notice for everybody.

    It is for those who were told all up to ``since``; after it, they were told all ``up_to``.
    """

    said: bytes
    since: Position
    up_to: Position
    events: Sequence[Told] = ()
    subjects: Collection[SubjectId] = ()

    def part(self, after: Position, wanted: Wanted) -> bytes:
        """What a screen has not been told yet, and wants to hear."""
        if not self.events or (wanted is None and self.events[0].position > after):
            return self.said
        if wanted is not None and wanted.isdisjoint(self.subjects):
            return b""
        return b"".join(
            event.said
            for event in self.events
            if event.position > after and (wanted is None or event.subject in wanted)
        )


class Ring:
    """
    All that came after ``floor`` and up to ``up_to``, in one history of the store.

    Where that has ended, ``missed`` says how, and ``next`` is the ring of what came then. It holds
    ``held`` events and notices, and for a minute after it reached back ``reach`` more.
    """

    def __init__(self, begin: Position, held: int, reach: int) -> None:
        self.floor = self.up_to = begin
        self._last = begin  # what was told last, where others write to the stream, too
        self.missed: Gap | None = None
        self.next: Ring | None = None
        self._held = held
        self._roomy = held + reach
        self._lines = 0
        self._pieces: deque[Piece] = deque()
        self._begin = 0  # the number of the first piece that is held
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._roomy_until = 0.0

    @property
    def end(self) -> int:
        """The number that the next piece will have."""
        return self._begin + len(self._pieces)

    def piece(self, number: int, after: Position) -> Piece:
        """Raises FellBehind where something between the two is not held."""
        index = number - self._begin
        if index < 0 or self._pieces[index].since > after:
            raise FellBehind
        return self._pieces[index]

    async def grows(self) -> None:
        await self._changed.wait()

    def wake(self) -> None:
        """Whoever waits looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def go_on(self, up_to: Position, events: Sequence[SnapshotEvent]) -> None:
        for piece in pieces_of(self._last, [told(event) for event in events]):
            self._add(piece)
        self.up_to = up_to

    def notify(self, said: bytes) -> None:
        self._add(Piece(said, self._last, self._last))

    def go_over(self, to: "Ring", missed: Gap) -> None:
        """Another history begins, and some of this one, or all that it told of, may be gone."""
        self.missed, self.next = missed, to
        self.wake()

    def reach_back(self, since: Position, events: Sequence[Told]) -> None:
        """Hold what came before the floor, too: all from ``since`` on."""
        if since >= self.floor:
            return
        missing = [event for event in events if event.position <= self.floor]
        pieces = list(pieces_of(since, missing))
        last = missing[-1].position if missing else since
        if last < self.floor:  # what is there in between is no event of ours
            pieces.append(Piece(b"", last, self.floor))
        for piece in reversed(pieces):
            self._pieces.appendleft(piece)
            self._begin -= 1
            self._lines += _lines(piece)
        self.floor = since
        self._roomy_until = self._loop.time() + ROOMY_S

    def number_of(self, position: Position) -> int | None:
        """Where a screen goes on that was told this event last; None if it is not held."""
        if position in (self.floor, self.up_to):
            return self.number_beyond(position)
        index = bisect_left(self._pieces, position, key=_up_to)
        held = self._pieces[index].events if index < len(self._pieces) else ()
        return self._begin + index if any(e.position == position for e in held) else None

    def number_beyond(self, position: Position) -> int | None:
        """Where a screen goes on that was told all up to here; None if that is too long ago."""
        if position < self.floor:
            return None
        return self._begin + bisect_right(self._pieces, position, key=_up_to)

    def _add(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._lines += _lines(piece)
        self._last = piece.up_to
        roomy = self._loop.time() < self._roomy_until
        while self._lines > (self._roomy if roomy else self._held) and len(self._pieces) > 1:
            gone = self._pieces.popleft()
            self.floor = gone.up_to
            self._lines -= _lines(gone)
            self._begin += 1
        self.wake()


def _lines(piece: Piece) -> int:
    return len(piece.events) or 1


def _up_to(piece: Piece) -> Position:
    return piece.up_to


def pieces_of(since: Position, events: Sequence[Told]) -> Iterator[Piece]:
    for begin in range(0, len(events), AT_ONCE):
        some = events[begin : begin + AT_ONCE]
        subjects = frozenset(event.subject for event in some)
        said = b"".join(event.said for event in some)
        yield Piece(said, since, some[-1].position, some, subjects)
        since = some[-1].position
