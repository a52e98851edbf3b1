"""What the reader of events may rely on: nothing is left out in silence."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import pytest
from redis.asyncio import Redis

from tests.fixtures import RedisPolicy, create_redis
from vitalrelay.adapters.outbound.memory.snapshot_events import MemorySnapshotEvents
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.snapshot_events import RedisSnapshotEvents
from vitalrelay.domain.errors import StoreUnreachable
from vitalrelay.embedded.loopback import a_free_port
from vitalrelay.ports.snapshot_events import START, Gap, Page, Position, SnapshotEvents

MANY = 100
LONGEST_WAIT = timedelta(milliseconds=200)


class EventWorld(Protocol):
    """The events, and the means to bring them about and to lose them."""

    events: SnapshotEvents

    async def add(self, *subjects: str) -> list[Position]: ...

    async def trim(self, keep: int) -> None: ...

    async def lose(self) -> None: ...

    async def fall_back(self, by: int) -> None:
        """To an older copy, which does not have the last ones."""


@dataclass
class InMemory:
    events: MemorySnapshotEvents = field(default_factory=MemorySnapshotEvents)

    async def add(self, *subjects: str) -> list[Position]:
        return [self.events.add(subject).position for subject in subjects]

    async def trim(self, keep: int) -> None:
        self.events.trim(keep)

    async def lose(self) -> None:
        self.events.lose()

    async def fall_back(self, by: int) -> None:
        self.events.fall_back(by)


@dataclass
class InRedis:
    redis: Redis
    keys: Keys

    def __post_init__(self) -> None:
        self.events = RedisSnapshotEvents(self.redis, self.keys, LONGEST_WAIT)

    async def add(self, *subjects: str) -> list[Position]:
        return [await self._add("*", subject) for subject in subjects]

    async def trim(self, keep: int) -> None:
        await self.redis.xtrim(self.keys.events, maxlen=keep, approximate=False)

    async def lose(self) -> None:
        """And be a millisecond later: within the same one, Redis gives the same positions again."""
        [(newest, _)] = await self.redis.xrevrange(self.keys.events, count=1)
        await self.redis.delete(self.keys.events)
        while await self._now_ms() <= int(newest.partition(b"-")[0]):
            pass

    async def _now_ms(self) -> int:
        seconds, microseconds = await self.redis.time()
        return int(seconds * 1000 + microseconds // 1000)

    async def fall_back(self, by: int) -> None:
        entries = await self.redis.xrange(self.keys.events)
        await self.lose()
        for position, fields in entries[:-by]:
            await self._add(position, fields[b"subjectId"])

    async def _add(self, position: bytes | str, subject: bytes | str) -> Position:
        fields = {"subjectId": subject, "incarnation": 1, "version": 1, "fingerprint": "sha256:1"}
        added = await self.redis.xadd(self.keys.events, fields, id=position)
        found = Position.from_text(added.decode())
        assert found is not None
        return found


@pytest.fixture(params=["memory", "redis"])
def world(request: pytest.FixtureRequest) -> EventWorld:
    if request.param == "memory":
        return InMemory()
    return InRedis(request.getfixturevalue("redis"), request.getfixturevalue("keys"))


def subjects(page: Page | Gap) -> list[str]:
    assert isinstance(page, Page)
    return [event.subject for event in page.events]


class TestNewest:
    async def test_before_the_first_event_it_is_the_start(self, world: EventWorld) -> None:
        page = await world.events.newest(MANY)

        assert page == Page([], START, last=True)

    async def test_it_is_the_last_ones_in_their_order(self, world: EventWorld) -> None:
        *_, last = await world.add("a", "b", "c")

        page = await world.events.newest(2)

        assert subjects(page) == ["b", "c"]
        assert page.up_to == last


class TestAfter:
    async def test_from_the_start_it_is_all_of_them(self, world: EventWorld) -> None:
        added = await world.add("a", "b")

        page = await world.events.after(START, MANY)

        assert subjects(page) == ["a", "b"]
        assert page == Page(page.events, added[-1], last=True)
        assert [event.position for event in page.events] == added

    async def test_after_an_event_it_is_what_followed(self, world: EventWorld) -> None:
        first, *_ = await world.add("a", "b", "c")

        page = await world.events.after(first, MANY)

        assert subjects(page) == ["b", "c"]

    async def test_page_by_page_nothing_is_missing_or_repeated(self, world: EventWorld) -> None:
        names = [f"p-{number}" for number in range(11)]
        await world.add(*names)

        seen, up_to, last = [], START, False
        while not last:
            page = await world.events.after(up_to, 3)
            seen += subjects(page)
            assert isinstance(page, Page)
            up_to, last = page.up_to, page.last

        assert seen == names

    async def test_after_the_last_one_there_is_nothing_yet(self, world: EventWorld) -> None:
        [only] = await world.add("a")

        page = await world.events.after(only, MANY)

        assert page == Page(page.events, only, last=True)
        assert subjects(page) == []

    async def test_where_there_never_was_any_there_is_nothing_yet(self, world: EventWorld) -> None:
        page = await world.events.after(START, MANY)

        assert page == Page([], START, last=True)

    async def test_as_long_as_the_known_one_is_there_nothing_was_trimmed(
        self, world: EventWorld
    ) -> None:
        _, known, _ = await world.add("a", "b", "c")
        await world.trim(keep=2)

        page = await world.events.after(known, MANY)

        assert subjects(page) == ["c"]

    async def test_what_was_trimmed_may_have_had_followers(self, world: EventWorld) -> None:
        known, *_ = await world.add("a", "b", "c")
        await world.trim(keep=1)

        gap = await world.events.after(known, MANY)

        assert gap is Gap.TRIMMED

    async def test_where_the_start_was_trimmed_it_is_gone(self, world: EventWorld) -> None:
        await world.add("a", "b", "c")
        await world.trim(keep=1)

        gap = await world.events.after(START, MANY)

        assert gap is Gap.TRIMMED

    async def test_trimmed_to_nothing_there_is_no_gap_after_the_last_one(
        self, world: EventWorld
    ) -> None:
        *_, last = await world.add("a", "b")
        await world.trim(keep=0)

        page = await world.events.after(last, MANY)

        assert page == Page(page.events, last, last=True)
        assert subjects(page) == []

    async def test_without_a_stream_what_was_known_is_lost(self, world: EventWorld) -> None:
        [known] = await world.add("a")
        await world.lose()

        gap = await world.events.after(known, MANY)

        assert gap is Gap.LOST

    async def test_another_stream_in_its_place_is_noticed(self, world: EventWorld) -> None:
        known, _ = await world.add("a", "b")
        await world.lose()
        await world.add("c")

        gap = await world.events.after(known, MANY)

        assert gap is Gap.LOST

    async def test_an_older_copy_in_its_place_is_noticed(self, world: EventWorld) -> None:
        *_, known = await world.add("a", "b", "c")
        await world.fall_back(by=1)

        gap = await world.events.after(known, MANY)

        assert gap is Gap.LOST

    async def test_what_was_never_an_event_of_ours_is_lost(self, world: EventWorld) -> None:
        _, last = await world.add("a", "b")

        gap = await world.events.after(Position(last.ms, last.number + 7), MANY)

        assert gap is Gap.LOST


class TestWaiting:
    async def test_what_is_there_is_not_waited_for(self, world: EventWorld) -> None:
        known, _ = await world.add("a", "b")

        async with asyncio.timeout(LONGEST_WAIT.total_seconds() / 2):
            await world.events.wait_beyond(known)

    async def test_an_event_ends_the_wait(self, world: EventWorld) -> None:
        [known] = await world.add("a")

        waiting = asyncio.create_task(world.events.wait_beyond(known))
        await world.add("b")
        await waiting

        assert subjects(await world.events.after(known, MANY)) == ["b"]

    async def test_it_ends_without_one_too(self, world: EventWorld) -> None:
        async with asyncio.timeout(5):
            await world.events.wait_beyond(START)


class TestForeigners:
    """Of Redis alone: others may write to it."""

    async def test_what_is_no_event_of_ours_is_passed_over(self, redis: Redis, keys: Keys) -> None:
        world = InRedis(redis, keys)
        await world.add("a")
        await redis.xadd(keys.events, {"what": "ever"})
        broken = {"subjectId": b"\xff", "incarnation": 1, "version": 1, "fingerprint": "f"}
        await redis.xadd(keys.events, broken)
        await redis.xadd(keys.events, broken | {"subjectId": "b", "version": "many"})
        [last] = await world.add("c")

        page = await world.events.after(START, MANY)

        assert subjects(page) == ["a", "c"]
        assert page.up_to == last

    async def test_another_kind_of_key_is_an_outage(self, redis: Redis, keys: Keys) -> None:
        events = InRedis(redis, keys).events
        await redis.set(keys.events, "no stream")

        with pytest.raises(StoreUnreachable):
            await events.newest(1)
        with pytest.raises(StoreUnreachable):
            await events.after(START, 1)
        with pytest.raises(StoreUnreachable):
            await events.wait_beyond(START)


class TestAway:
    @pytest.fixture
    async def nobody(self) -> AsyncIterator[SnapshotEvents]:
        redis = create_redis(f"redis://127.0.0.1:{a_free_port()}", RedisPolicy())
        yield RedisSnapshotEvents(redis, Keys("nobody"), LONGEST_WAIT)
        await redis.aclose()

    async def test_a_store_that_does_not_answer_is_an_outage(self, nobody: SnapshotEvents) -> None:
        with pytest.raises(StoreUnreachable):
            await nobody.newest(1)
        with pytest.raises(StoreUnreachable):
            await nobody.after(Position(1, 1), 1)
        with pytest.raises(StoreUnreachable):
            await nobody.wait_beyond(START)


NONE = ["", "1", "1-", "-1", "1-2-3", "01-2", "1-02", "+1-2", "1 -2", "\u0661-2", f"1-{2**64}"]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_position_is_none(text: str) -> None:
    position = Position.from_text(text)

    assert position is None


@pytest.mark.parametrize("text", ["0-0", "1767225600000-0", f"{2**64 - 1}-{2**64 - 1}"])
def test_a_position_is_the_same_as_text(text: str) -> None:
    position = Position.from_text(text)

    assert str(position) == text
