"""One reader, many screens: what each is told, on a clock that only moves when all wait."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.clock import run
from vitalrelay.adapters.inbound.snapshot_feed import REST_AFTER_S, FeedLimits, SnapshotFeed
from vitalrelay.adapters.inbound.snapshot_screen import AT_ONCE, Streamed
from vitalrelay.adapters.outbound.memory.snapshot_events import MemorySnapshotEvents
from vitalrelay.domain.errors import Overloaded
from vitalrelay.domain.packet import SubjectId
from vitalrelay.ports.snapshot_events import START, Gap, Page, Position

HEARTBEAT_S = 10.0
LONG_S = 600.0
NOTICES = ("hello", "heartbeat", "interrupted", "resumed")


@dataclass
class Counts:
    streamed_: Counter[Streamed] = field(default_factory=Counter)
    screens: int = 0

    def streamed(self, what: Streamed, count: int = 1) -> None:
        self.streamed_[what] += count

    def watched_by(self, screens: int) -> None:
        self.screens = screens


@dataclass
class Asked(MemorySnapshotEvents):
    """
    A round trip away, with a count of what it was asked, and a mistake that it makes once.

    What came after ``slow_about`` takes until ``told`` to be answered, and is old by then.
    """

    questions: Counter[str] = field(default_factory=Counter)
    mistake: Exception | None = None
    slow_about: Position | None = None
    told: asyncio.Event = field(default_factory=asyncio.Event)
    telling: bool = False

    async def newest(self, most: int) -> Page:
        self.questions["newest"] += 1
        return await super().newest(most)

    async def after(self, position: Position, most: int) -> Page | Gap:
        self.questions["after"] += 1
        await asyncio.sleep(0.0005)
        if self.mistake is not None:
            mistake, self.mistake = self.mistake, None
            raise mistake
        page = await super().after(position, most)
        if position == self.slow_about:
            self.telling = True
            await self.told.wait()
        return page


@dataclass(frozen=True)
class Said:
    event: str
    data: dict[str, Any]
    id: str | None


def parsed(said: bytes) -> Iterator[Said]:
    assert said.endswith(b"\n\n")
    for block in said.decode()[:-2].split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        assert list(lines)[-2:] == ["event", "data"]
        yield Said(lines["event"], json.loads(lines["data"]), lines.get("id"))


@dataclass
class Screen:
    """What it was told; while ``deaf``, telling it something takes until it listens again."""

    pieces: list[bytes] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    following: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.listening.set()

    async def tell(self, said: bytes) -> None:
        await self.listening.wait()
        self.pieces.append(said)
        self.said += parsed(said)

    @property
    def events(self) -> list[str]:
        return [said.event for said in self.said if said.event != "heartbeat"]

    @property
    def snapshots(self) -> list[str]:
        """Their positions."""
        return [str(said.id) for said in self.said if said.event == "snapshot"]

    @property
    def position(self) -> Position | None:
        """What it says when it comes back."""
        ids = [said.id for said in self.said if said.id is not None]
        return Position.from_text(ids[-1]) if ids else None

    async def leave(self) -> None:
        assert self.following is not None
        self.following.cancel()
        await asyncio.gather(self.following, return_exceptions=True)


@dataclass
class Hall:
    """A feed with its events, and screens that come and go."""

    events: Asked
    feed: SnapshotFeed
    counts: Counts

    def screen(
        self, after: Position | None = None, *wanted: str, screen: Screen | None = None
    ) -> Screen:
        screen = screen or Screen()
        only = frozenset(map(SubjectId, wanted)) if wanted else None
        screen.following = asyncio.create_task(self.feed.follow(screen.tell, after, only))
        return screen

    async def watching(
        self, *, after: Position | None = None, wanted: Sequence[str] = ()
    ) -> Screen:
        """A screen that has been greeted."""
        screen = self.screen(after, *wanted)
        await until(lambda: bool(screen.said))
        return screen

    async def all_told(self, *screens: Screen) -> None:
        await until(lambda: all(map(self.up_to_date, screens)))

    def up_to_date(self, screen: Screen) -> bool:
        return screen.position == self.events.held[-1].position


async def until(happened: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONG_S
    while not happened():
        assert loop.time() < deadline, "it never happened"
        await asyncio.sleep(0.001)


Story = Callable[[Hall], Awaitable[None]]


def in_a_hall(story: Story, **limits: Any) -> Hall:
    """Told to its end; without events before, unless the story's hall had some."""

    async def told() -> Hall:
        with hall(**limits) as it:
            await asyncio.wait_for(story(it), LONG_S * 10)
            await it.feed.end()
        return it

    return run(told)


@contextmanager
def hall(before: int = 0, away: bool = False, **limits: Any) -> Iterator[Hall]:
    events, counts = Asked(), Counts()
    for number in range(before):
        events.add(f"p-{number % 7}", number)
    events.answer(not away)
    of_feed = FeedLimits(
        **{"heartbeat": timedelta(seconds=HEARTBEAT_S), "screens": 100} | limits,
    )
    yield Hall(events, SnapshotFeed(events, of_feed, counts), counts)


class TestFollowing:
    def test_a_screen_is_greeted_with_its_place_and_the_pace_of_the_heart(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()

            [hello] = screen.said
            assert (hello.event, hello.id) == ("hello", "3-0")
            assert set(hello.data) == {"serverTimeMs", "heartbeatSeconds"}
            assert hello.data["heartbeatSeconds"] == HEARTBEAT_S

        in_a_hall(story, before=3)

    def test_it_is_told_what_comes_and_nothing_of_before(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            event = hall.events.add("p-1", 42)
            await hall.all_told(screen)

            assert screen.events == ["hello", "snapshot"]
            assert screen.said[-1] == Said(
                "snapshot",
                {
                    "subjectId": "p-1",
                    "incarnation": 1,
                    "version": 42,
                    "fingerprint": event.fingerprint,
                },
                str(event.position),
            )

        in_a_hall(story, before=3)

    def test_all_screens_share_the_very_same_bytes(self) -> None:
        async def story(hall: Hall) -> None:
            one, other = await hall.watching(), await hall.watching()
            hall.events.add("p-1")
            hall.events.add("p-2")
            await hall.all_told(one, other)

            assert one.pieces[-1] is other.pieces[-1]

        in_a_hall(story)

    def test_the_store_is_asked_as_often_for_fifty_screens_as_for_one(self) -> None:
        async def story(hall: Hall, screens: int) -> None:
            here = [await hall.watching() for _ in range(screens)]
            hall.events.questions.clear()
            for number in range(20):
                hall.events.add("p-1", number)
                await hall.all_told(*here)

        of_one = in_a_hall(lambda hall: story(hall, 1)).events.questions
        of_fifty = in_a_hall(lambda hall: story(hall, 50)).events.questions

        assert of_fifty["after"] <= of_one["after"] + 2
        assert of_fifty["newest"] == of_one["newest"] == 0

    def test_what_comes_close_together_is_told_at_once(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            for number in range(1_000):
                hall.events.add("p-1", number)
                await asyncio.sleep(0.001)
            await hall.all_told(screen)

            assert len(screen.snapshots) == 1_000
            assert len(screen.pieces) < 30

        in_a_hall(story)

    def test_it_hears_only_of_the_patients_it_asked_for(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(wanted=["p-1", "p-3"])
            everybody = await hall.watching()
            for subject in ("p-1", "p-2", "p-3", "p-4"):
                hall.events.add(subject)
                await hall.all_told(everybody)
            hall.events.add("p-2")
            await hall.all_told(everybody)

            told = [said.data["subjectId"] for said in screen.said if said.event == "snapshot"]
            assert told == ["p-1", "p-3"]
            assert len(screen.pieces) == 3

        in_a_hall(story)

    def test_its_heart_beats_without_a_place(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            await until(lambda: len(screen.said) == 3)

            assert [said.event for said in screen.said] == ["hello", "heartbeat", "heartbeat"]
            assert screen.said[-1].id is None
            assert set(screen.said[-1].data) == {"serverTimeMs"}

        in_a_hall(story)


class TestComingBack:
    def test_what_the_ring_holds_needs_no_question(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            for number in range(100):
                hall.events.add("p-1", number)
            await hall.all_told(witness)
            hall.events.questions.clear()
            screen = await hall.watching(after=Position(40, 0))
            await hall.all_told(screen)

            assert screen.said[0].id == "40-0"
            assert screen.snapshots == [f"{ms}-0" for ms in range(41, 101)]
            assert hall.events.questions == Counter()

        in_a_hall(story)

    def test_notices_of_before_are_not_for_who_comes_back(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            hall.events.add("p-1")
            hall.events.answer(False)
            await until(lambda: len(witness.said) > 4)
            hall.events.answer(True)
            hall.events.add("p-2")
            await hall.all_told(witness)
            held = await hall.watching(after=Position(3, 0))
            reached = await hall.watching(after=Position(2, 0))
            await hall.all_told(held, reached)

            assert "heartbeat" in [said.event for said in witness.said]
            assert [said.event for said in held.said] == ["hello", "snapshot", "snapshot"]
            assert [said.event for said in reached.said] == ["hello", *["snapshot"] * 3]

        in_a_hall(story, before=3)

    def test_what_many_come_back_for_is_read_once(self) -> None:
        async def story(hall: Hall) -> None:
            screens = [hall.screen(Position(10 * number, 0)) for number in range(1, 51)]
            await hall.all_told(*screens)

            for number, screen in enumerate(screens, 1):
                assert screen.snapshots == [f"{ms}-0" for ms in range(10 * number + 1, 2_001)]
            assert hall.events.questions["after"] < 10

        in_a_hall(story, before=2_000)

    def test_what_it_reached_back_for_is_held_for_a_while(self) -> None:
        async def story(hall: Hall) -> None:
            slow = await hall.watching(after=Position(1, 0))
            slow.listening.clear()
            other = await hall.watching(after=Position(1, 0))
            await hall.all_told(other)
            hall.events.add("p-1")
            await hall.all_told(other)
            slow.listening.set()
            await hall.all_told(slow)

            assert slow.snapshots == [f"{ms}-0" for ms in range(2, 2_002)]

        in_a_hall(story, before=2_000, held=100)

    def test_what_it_reached_back_for_is_not_held_for_ever(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(after=Position(1, 0))
            await hall.all_told(screen)
            hall.events.questions.clear()
            again = await hall.watching(after=Position(2, 0))
            await hall.all_told(again)
            assert hall.events.questions["after"] == 0

            await asyncio.sleep(120)
            hall.events.questions.clear()
            late = await hall.watching(after=Position(3, 0))
            await hall.all_told(late)
            assert hall.events.questions["after"] > 0
            assert late.snapshots == again.snapshots[1:]

        in_a_hall(story, before=2_000, held=100)

    def test_further_than_it_reaches_is_too_far(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(after=Position(1, 0))
            await until(lambda: "resync" in screen.events)

            assert screen.said[-1] == Said("resync", {"reason": "trimmed"}, "2000-0")

        in_a_hall(story, before=2_000, held=100, reach=1_000)

    def test_what_it_does_not_hold_is_read_from_the_store(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(after=Position(40, 0))
            await hall.all_told(screen)
            hall.events.add("p-1")
            await hall.all_told(screen)

            assert screen.snapshots == [f"{ms}-0" for ms in range(41, 2_002)]

        in_a_hall(story, before=2_000)

    def test_what_it_holds_no_more_is_read_from_the_store_page_by_page(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            for number in range(2_000):
                hall.events.add("p-1", number)
            await hall.all_told(witness)
            screen = await hall.watching(after=Position(1, 0))
            await hall.all_told(screen)

            assert screen.snapshots == [f"{ms}-0" for ms in range(2, 2_001)]

        in_a_hall(story, held=600)

    def test_before_and_after_its_floor_everybody_finds_his_place(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            for number in range(110):
                hall.events.add("p-1", number)
                await hall.all_told(witness)
            for floor in (250, 120, 1):
                await hall.all_told(await hall.watching(after=Position(floor, 0)))
            screens = [hall.screen(Position(ms, 0)) for ms in range(1, 410)]
            await hall.all_told(*screens)

            for begin, screen in enumerate(screens, 1):
                assert screen.snapshots == [f"{ms}-0" for ms in range(begin + 1, 411)]

        in_a_hall(story, before=300)

    def test_what_another_process_told_it_already_is_not_repeated(self) -> None:
        async def story(hall: Hall) -> None:
            await hall.watching()
            *_, told = [hall.events.add("p-1", number) for number in range(150)]
            screen = await hall.watching(after=told.position)
            hall.events.add("p-2")
            await hall.all_told(screen)

            assert screen.snapshots == [str(hall.events.held[-1].position)]

        in_a_hall(story)

    def test_from_the_start_it_is_everything(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(after=START)
            await hall.all_told(screen)

            assert screen.snapshots == [f"{ms}-0" for ms in range(1, 1_501)]

        in_a_hall(story, before=1_500)

    def test_the_patients_it_asked_for_are_kept_apart_here_too(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(after=START, wanted=["p-3"])
            hall.events.add("p-3")
            await hall.all_told(screen)

            told = {said.data["subjectId"] for said in screen.said if said.event == "snapshot"}
            assert told == {"p-3"}
            assert len(screen.snapshots) == 101

        in_a_hall(story, before=700)

    @pytest.mark.parametrize("seed", range(8))
    def test_whenever_it_goes_and_comes_back_nothing_is_missing_and_nothing_is_repeated(
        self, seed: int
    ) -> None:
        chance = random.Random(seed)

        async def story(hall: Hall) -> None:
            screens = [Screen(said=[Said("hello", {}, "1-0")]) for _ in range(3)]
            publishing = asyncio.create_task(publish_now_and_then(hall, chance))
            while not (publishing.done() and all(map(hall.up_to_date, screens))):
                await asyncio.gather(*(come_and_go(hall, screen, chance) for screen in screens))

            everything = [str(event.position) for event in hall.events.held[1:]]
            assert [screen.snapshots for screen in screens] == [everything] * 3
            assert hall.counts.streamed_[Streamed.RESYNC] == 0

        in_a_hall(story, before=500, held=100)


async def publish_now_and_then(hall: Hall, chance: random.Random) -> None:
    """While the store is away now and then, too."""
    for number in range(3_000):
        hall.events.add(f"p-{number % 7}", number)
        await let_time_pass(hall, chance)


async def let_time_pass(hall: Hall, chance: random.Random) -> None:
    if chance.random() < 0.02:
        hall.events.answer(False)
        await asyncio.sleep(chance.random())
        hall.events.answer(True)
    if chance.random() < 0.3:
        await asyncio.sleep(chance.random() / 10)


async def come_and_go(hall: Hall, screen: Screen, chance: random.Random) -> None:
    hall.screen(screen.position, screen=screen)
    for _ in range(3):
        await asyncio.sleep(chance.random())
    await screen.leave()


class TestNobodyThere:
    def test_nothing_is_read_before_the_first_screen(self) -> None:
        async def story(hall: Hall) -> None:
            await asyncio.sleep(LONG_S)

            assert hall.events.questions == Counter()

        in_a_hall(story, before=3)

    def test_nothing_is_read_for_long_after_the_last_one_left(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            await screen.leave()
            await asyncio.sleep(2 * REST_AFTER_S)
            hall.events.questions.clear()
            hall.events.add("p-1")
            await asyncio.sleep(LONG_S)

            assert hall.events.questions == Counter()

        in_a_hall(story)

    def test_who_comes_after_the_rest_begins_where_the_store_is_by_then(self) -> None:
        async def story(hall: Hall) -> None:
            await (await hall.watching()).leave()
            await asyncio.sleep(2 * REST_AFTER_S)
            for number in range(3 * AT_ONCE):
                hall.events.add("p-1", number)
            screen = await hall.watching()
            hall.events.add("p-1", 3 * AT_ONCE)
            await hall.all_told(screen)

            assert screen.said[0].id == f"{3 * AT_ONCE}-0"
            assert screen.snapshots == [f"{3 * AT_ONCE + 1}-0"]

        in_a_hall(story)

    def test_who_comes_back_after_the_rest_has_missed_nothing(self) -> None:
        async def story(hall: Hall) -> None:
            before = await hall.watching()
            hall.events.add("p-1", 0)
            await hall.all_told(before)
            await before.leave()
            await asyncio.sleep(2 * REST_AFTER_S)
            for number in range(1, 6):
                hall.events.add("p-1", number)
            screen = await hall.watching(after=before.position)
            await hall.all_told(screen)

            assert screen.events == ["hello", *["snapshot"] * 5]
            assert screen.snapshots == [f"{ms}-0" for ms in range(2, 7)]

        in_a_hall(story)

    def test_an_end_during_the_rest_keeps_nobody(self) -> None:
        async def story(hall: Hall) -> None:
            await asyncio.sleep(LONG_S)
            hall.feed.close()
            late = hall.screen()
            await until(lambda: late.following is not None and late.following.done())

        in_a_hall(story)


class TestGaps:
    def test_who_comes_back_too_late_reads_everything_again_and_goes_on(self) -> None:
        async def story(hall: Hall) -> None:
            hall.events.trim(keep=10)
            screen = await hall.watching(after=Position(40, 0))
            await until(lambda: "resync" in screen.events)
            hall.events.add("p-1")
            await hall.all_told(screen)

            assert screen.events == ["hello", "resync", "snapshot"]
            assert screen.said[1] == Said("resync", {"reason": "trimmed"}, "100-0")

        in_a_hall(story, before=100)

    @pytest.mark.parametrize("never", [Position(100, 7), Position(40, 1), Position(2**63, 0)])
    def test_an_event_that_never_was_is_taken_for_lost(self, never: Position) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching(after=never)
            await until(lambda: "resync" in screen.events)

            assert screen.said[1] == Said("resync", {"reason": "lost"}, "100-0")

        in_a_hall(story, before=100)

    def test_when_everything_is_lost_all_are_told_and_hear_what_comes(self) -> None:
        async def story(hall: Hall) -> None:
            everybody = await hall.watching()
            filtered = await hall.watching(wanted=["p-1"])
            hall.events.lose()
            await until(lambda: "resync" in everybody.events)
            hall.events.add("p-1")
            await hall.all_told(everybody, filtered)
            assert hall.counts.streamed_[Streamed.RESYNC] == 2

            assert everybody.events == filtered.events == ["hello", "resync", "snapshot"]
            assert everybody.said[1] == Said("resync", {"reason": "lost"}, "0-0")

        in_a_hall(story, before=100)

    def test_after_a_loss_places_may_be_lower_than_before(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            hall.events.fall_back(by=70)
            await until(lambda: "resync" in screen.events)
            hall.events.add("p-1")
            await hall.all_told(screen)

            assert [said.id for said in screen.said[1:]] == ["30-0", "31-0"]

        in_a_hall(story, before=100)

    def test_an_older_copy_that_nobody_has_noticed_yet_keeps_nobody_for_ever(self) -> None:
        async def story(hall: Hall) -> None:
            await hall.watching()
            screen = hall.screen(Position(20, 0))
            hall.events.fall_back(by=70)
            await hall.all_told(screen)

            assert screen.snapshots == [f"{ms}-0" for ms in range(21, 31)]

        in_a_hall(story, before=100)

    def test_who_was_told_of_a_former_history_last_is_not_taken_for_one_of_this(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            hall.events.lose()
            hall.events.add("p-1")
            await until(lambda: "resync" in witness.events)
            screen = await hall.watching(after=Position(90, 0))
            await until(lambda: "resync" in screen.events)

            assert screen.said[1] == Said("resync", {"reason": "lost"}, "101-0")

        in_a_hall(story, before=100)

    def test_what_was_read_before_a_loss_is_not_taken_for_what_comes_after_it(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            hall.events.slow_about = Position(40, 0)
            screen = await hall.watching(after=Position(40, 0))
            await until(lambda: hall.events.telling)
            hall.events.lose()
            await until(lambda: "resync" in witness.events)
            hall.events.told.set()
            await until(lambda: "resync" in screen.events)

            assert screen.snapshots == [f"{ms}-0" for ms in range(41, 101)]
            assert screen.said[-1] == Said("resync", {"reason": "lost"}, "0-0")

        in_a_hall(story, before=100)

    def test_what_was_trimmed_before_the_reader_got_there_is_told_to_all(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            for number in range(20):
                hall.events.add("p-1", number)
            hall.events.trim(keep=5)
            await until(lambda: "resync" in screen.events)
            hall.events.add("p-2")
            await hall.all_told(screen)

            assert screen.events == ["hello", "resync", "snapshot"]
            assert screen.said[1] == Said("resync", {"reason": "trimmed"}, "23-0")

        in_a_hall(story, before=3)

    @pytest.mark.parametrize("seed", range(8))
    def test_whatever_happens_nothing_is_missed_in_silence(self, seed: int) -> None:
        chance = random.Random(seed)

        async def story(hall: Hall) -> None:
            screens = [Screen(said=[Said("hello", {}, "1-0")]) for _ in range(3)]
            publishing = asyncio.create_task(publish_and_lose(hall, chance))
            while not (publishing.done() and all(map(hall.up_to_date, screens))):
                await asyncio.gather(*(come_and_go(hall, screen, chance) for screen in screens))

            log = await publishing
            for screen in screens:
                assert list(missed_in_silence(screen.said, log)) == []
                assert "resync" in screen.events

        in_a_hall(story, before=1, held=100)


async def publish_and_lose(hall: Hall, chance: random.Random) -> list[str]:
    """Every position ever given, in order; START where everything began anew."""
    log = [str(hall.events.held[-1].position)]
    for number in range(3_000):
        if chance.random() < 0.002:
            hall.events.lose()
            log.append(str(START))
        if chance.random() < 0.005:
            hall.events.trim(keep=chance.randrange(1, 50))
        log.append(str(hall.events.add("p-1", number).position))
        await let_time_pass(hall, chance)
    return log


def missed_in_silence(said: Sequence[Said], log: Sequence[str]) -> Iterator[Said]:
    """Snapshots before which there was another one, or the start, that was never told."""
    followers = {(before, after) for before, after in pairwise(log)}
    last = None
    for one in said:
        if one.event == "snapshot" and (last, one.id) not in followers:
            yield one
        last = one.id or last


class TestOutages:
    def test_an_interruption_and_its_end_are_told_and_nothing_is_missing(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            hall.events.answer(False)
            await until(lambda: "interrupted" in screen.events)
            hall.events.add("p-1")
            await asyncio.wait_for(until(lambda: len(screen.said) > 9), LONG_S)
            hall.events.answer(True)
            await hall.all_told(screen)

            assert screen.events == ["hello", "interrupted", "resumed", "snapshot"]

        in_a_hall(story, before=3)

    def test_who_comes_meanwhile_is_told_so_and_nothing_is_missing(self) -> None:
        async def story(hall: Hall) -> None:
            witness = await hall.watching()
            hall.events.answer(False)
            await until(lambda: "interrupted" in witness.events)
            new = await hall.watching()
            back = await hall.watching(after=Position(2, 0))
            hall.events.add("p-1")
            await until(lambda: len(back.said) > 4)
            hall.events.answer(True)
            await hall.all_told(new, back)

            assert new.events == ["hello", "interrupted", "resumed", "snapshot"]
            assert back.events == ["hello", "interrupted", "resumed", "snapshot", "snapshot"]
            assert back.snapshots == ["3-0", "4-0"]

        in_a_hall(story, before=3)

    def test_of_many_who_come_back_meanwhile_not_everybody_asks_in_vain(self) -> None:
        async def story(hall: Hall) -> None:
            await hall.watching()
            hall.events.questions.clear()
            screens = [hall.screen(Position(ms, 0)) for ms in range(100, 50, -1)]
            await until(lambda: hall.events.questions["after"] > 0)
            hall.events.answer(False)
            await until(lambda: sum("interrupted" in one.events for one in screens) > 40)

            assert hall.events.questions["after"] < 20

        in_a_hall(story, before=200)

    def test_a_store_that_is_away_at_the_start_keeps_nobody_out(self) -> None:
        async def story(hall: Hall) -> None:
            new = await hall.watching()
            back = await hall.watching(after=Position(2, 0))
            await until(lambda: len(new.said) > 2)
            hall.events.answer(True)
            await until(lambda: "resync" in new.events)
            hall.events.add("p-1")
            await hall.all_told(new, back)

            assert new.events == ["hello", "interrupted", "resumed", "resync", "snapshot"]
            assert back.snapshots == ["3-0", "4-0"]

        in_a_hall(story, before=3, away=True)

    def test_a_mistake_in_the_reader_is_an_interruption_and_not_its_end(self) -> None:
        async def story(hall: Hall) -> None:
            screen = await hall.watching()
            hall.events.mistake = KeyError("never thought of")
            await until(lambda: "resumed" in screen.events)
            hall.events.add("p-1")
            await hall.all_told(screen)

            assert screen.events == ["hello", "interrupted", "resumed", "snapshot"]

        in_a_hall(story)


class TestTooSlow:
    def test_who_falls_behind_the_ring_has_to_come_back_and_others_go_on(self) -> None:
        async def story(hall: Hall) -> None:
            slow, quick = await hall.watching(), await hall.watching()
            slow.listening.clear()
            for number in range(300):
                hall.events.add("p-1", number)
                await hall.all_told(quick)
            slow.listening.set()
            assert slow.following is not None
            await slow.following
            hall.screen(slow.position, screen=slow)
            await hall.all_told(slow)

            assert len(quick.snapshots) == 300
            assert slow.snapshots == quick.snapshots

        hall = in_a_hall(story, held=50)

        assert hall.counts.streamed_[Streamed.DROPPED] == 1

    def test_who_was_behind_is_not_led_past_anything_when_the_ring_reaches_back(self) -> None:
        """Pieces have other numbers then: from the hundredth event on, one would be too far."""

        async def story(hall: Hall) -> None:
            slow, quick = await hall.watching(), await hall.watching()
            for number in range(1, 100):
                if number == 99:
                    slow.listening.clear()
                hall.events.add("p-1", number)
                await hall.all_told(quick)
            for number in range(350):
                hall.events.add("p-2", number)
                if number >= 299:
                    await hall.all_told(quick)
            await hall.all_told(await hall.watching(after=Position(1, 0)))
            slow.listening.set()
            assert slow.following is not None
            await slow.following

            assert slow.snapshots == [f"{ms}-0" for ms in range(1, 100)]

        in_a_hall(story, held=310)

    def test_who_is_cut_off_while_it_does_not_listen_was_dropped(self) -> None:
        async def story(hall: Hall) -> None:
            slow, quick = await hall.watching(), await hall.watching()
            slow.listening.clear()
            hall.events.add("p-1")
            await hall.all_told(quick)
            await slow.leave()
            await quick.leave()

        hall = in_a_hall(story)

        assert hall.counts.streamed_ == {Streamed.EVENT: 1, Streamed.DROPPED: 1}


class TestAdmission:
    def test_so_many_screens_and_no_more(self) -> None:
        async def story(hall: Hall) -> None:
            with hall.feed.admitted():
                with hall.feed.admitted():
                    assert hall.counts.screens == 2
                    with pytest.raises(Overloaded), hall.feed.admitted():
                        pass
                with hall.feed.admitted():
                    assert hall.counts.screens == 2

        hall = in_a_hall(story, screens=2)

        assert hall.counts.screens == 0


class TestClosing:
    @pytest.mark.parametrize("away", [False, True])
    def test_every_stream_ends_at_once(self, away: bool) -> None:
        async def story(hall: Hall) -> None:
            new = await hall.watching()
            back = await hall.watching(after=Position(2, 0))
            began = asyncio.get_running_loop().time()
            hall.feed.close()
            for screen in (new, back, hall.screen()):
                assert screen.following is not None
                await screen.following

            assert asyncio.get_running_loop().time() - began < 0.1

        hall = in_a_hall(story, before=3, away=away)

        assert hall.counts.streamed_[Streamed.DROPPED] == 0
