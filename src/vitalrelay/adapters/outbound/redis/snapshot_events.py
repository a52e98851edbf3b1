"""The stream of events, read so that no gap in it goes unnoticed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.shown_snapshots import answering
from vitalrelay.domain.packet import SubjectId
from vitalrelay.ports.snapshot_events import START, Gap, Page, Position, SnapshotEvent

Entry = tuple[bytes, Mapping[bytes, bytes]]
Stream = Mapping[str, Any]


class RedisSnapshotEvents:
    """``longest_wait`` must be shorter than what the connection waits for an answer."""

    def __init__(self, redis: Redis, keys: Keys, longest_wait: timedelta) -> None:
        self._redis = redis
        self._key = keys.events
        self._block_ms = max(1, round(longest_wait.total_seconds() * 1000))

    async def newest(self, most: int) -> Page:
        with answering():
            entries = await self._redis.xrevrange(self._key, count=most)
        return _page(entries[::-1], START, last=True)

    async def after(self, position: Position, most: int) -> Page | Gap:
        if position == START:
            return await self._since_the_start(most)
        with answering():
            # From the known event on: as long as it is there, nothing after it was trimmed.
            entries = await self._redis.xrange(self._key, min=str(position), count=most + 1)
        if entries and _position(entries[0]) == position:
            return _page(entries[1:], position, last=len(entries) <= most)
        return await self._without(position)

    async def wait_beyond(self, position: Position) -> None:
        with answering():
            await self._redis.xread({self._key: str(position)}, count=1, block=self._block_ms)

    async def _since_the_start(self, most: int) -> Page | Gap:
        with answering():
            entries = await self._redis.xrange(self._key, count=most)
            stream = await self._stream() if entries else None
        if stream is not None and _was_trimmed(stream):
            return Gap.TRIMMED
        return _page(entries, START, last=len(entries) < most)

    async def _without(self, position: Position) -> Page | Gap:
        """The event of this position is not there any more, or never was."""
        with answering():
            stream = await self._stream()
        newest = START if stream is None else _read(stream["last-generated-id"])
        if stream is None or position > newest:
            return Gap.LOST
        if position == newest:  # everything was taken out, and nothing came since
            return Page((), position, last=True)
        first = stream["first-entry"]
        before = first is None or position < _position(first)
        return Gap.TRIMMED if before and _was_trimmed(stream) else Gap.LOST

    async def _stream(self) -> Stream | None:
        """What Redis says of the stream as such; None where there is none."""
        try:
            stream: Stream = await self._redis.xinfo_stream(self._key)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return None
        return stream


def _was_trimmed(stream: Stream) -> bool:
    more: bool = stream["entries-added"] > stream["length"]
    return more


def _page(entries: Sequence[Entry], before: Position, last: bool) -> Page:
    events = [event for event in map(_event, entries) if event is not None]
    return Page(events, _position(entries[-1]) if entries else before, last)


def _event(entry: Entry) -> SnapshotEvent | None:
    """None where somebody else wrote it."""
    _, fields = entry
    try:
        return SnapshotEvent(
            position=_position(entry),
            subject=SubjectId(fields[b"subjectId"].decode()),
            incarnation=int(fields[b"incarnation"]),
            version=int(fields[b"version"]),
            fingerprint=fields[b"fingerprint"].decode(),
        )
    except (KeyError, ValueError):
        return None


def _position(entry: Entry) -> Position:
    return _read(entry[0])


def _read(stored: bytes) -> Position:
    ms, _, number = stored.partition(b"-")
    return Position(int(ms), int(number))
