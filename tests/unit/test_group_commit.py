"""
Many requests, one commit, and nobody shares a fate: on a clock that only moves when all wait.

A wait without an end, and nobody left to end it, fails the test at once.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.clock import run
from tests.support import NOW_MS, a_claim, a_packet, an_assessment
from vitalrelay.adapters.inbound.group_commit import Answer, GroupCommit, GroupLimits
from vitalrelay.domain.errors import (
    Contention,
    EncounterOfAnother,
    InvalidPacket,
    OutcomeUnknown,
    Overloaded,
    StorageUnavailable,
    VitalrelayError,
)
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import Conflict, Receipt, Standing, Stored

Committed = tuple[list[Receipt], list[Claim]]

LINGER_S = 0.003
AT_ONCE_S = 1e-6
STANDING = Standing(1, "sha256:0", an_assessment())


def stored(packet: Packet) -> Stored:
    return Stored(packet.id, packet.subject, NOW_MS, False, STANDING, False)


def number(count: int) -> Packet:
    return a_packet(heart_rate=70, sequence=count)


def numbers(*counts: int) -> list[Packet]:
    return [number(count) for count in counts]


@dataclass
class Database:
    """Stores what it is given, unless a script says otherwise; takes ``takes_s`` over it."""

    takes_s: float = 1.0
    refuses: dict[str, Exception] = field(default_factory=dict)
    script: list[BaseException] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0

    async def ingest(self, packets: Sequence[Packet]) -> Committed:
        self.calls.append([packet.id for packet in packets])
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            return await self._answer(packets)
        finally:
            self.busy -= 1

    async def _answer(self, packets: Sequence[Packet]) -> Committed:
        await asyncio.sleep(self.takes_s)
        if self.script:
            raise self.script.pop(0)
        for packet in packets:
            if packet.id in self.refuses:
                raise self.refuses[packet.id]
        self.stored += [packet.id for packet in packets]
        return [stored(packet) for packet in packets], [a_claim(packets[0].id)]


@dataclass
class Log:
    """What the observer and the delivery were told, in order."""

    groups: list[tuple[int, float, float]] = field(default_factory=list)
    splits: int = 0
    delivered: list[str] = field(default_factory=list)

    def committed(self, packets: int, waited_s: float, took_s: float) -> None:
        self.groups.append((packets, round(waited_s, 5), round(took_s, 5)))

    def split(self) -> None:
        self.splits += 1

    def deliver(self, claims: Sequence[Claim]) -> None:
        self.delivered += [claim.subject for claim in claims]


def open_queue(
    database: Database,
    log: Log | None = None,
    *,
    most: int = 100,
    waiting: int = 1_000,
    at_once: int = 2,
) -> GroupCommit:
    log = log or Log()
    limits = GroupLimits(
        most=most, linger=timedelta(seconds=LINGER_S), waiting=waiting, at_once=at_once
    )
    return GroupCommit(database.ingest, log.deliver, limits, log)


async def answers_of(waiting: Sequence[Awaitable[Answer]]) -> list[Answer]:
    return list(await asyncio.gather(*waiting))


def sizes(database: Database) -> list[int]:
    return [len(call) for call in database.calls]


class TestSharing:
    def test_what_comes_together_shares_a_transaction(self) -> None:
        database, packets = Database(), numbers(*range(50))

        async def story() -> list[Answer]:
            commits = open_queue(database)
            answers = await answers_of([commits.enqueue(packet) for packet in packets])
            await commits.close()
            return answers

        assert run(story) == [stored(packet) for packet in packets]
        assert database.calls == [[packet.id for packet in packets]]

    def test_no_transaction_has_more_packets_than_it_may(self) -> None:
        database = Database()

        async def story() -> None:
            commits = open_queue(database, most=20)
            await answers_of([commits.enqueue(packet) for packet in numbers(*range(50))])
            await commits.close()

        run(story)
        assert sorted(sizes(database)) == [10, 20, 20]

    def test_no_more_transactions_than_allowed_run_at_once(self) -> None:
        database = Database()

        async def story() -> None:
            commits = open_queue(database, most=10, at_once=3)
            await answers_of([commits.enqueue(packet) for packet in numbers(*range(200))])
            await commits.close()

        run(story)
        assert database.busiest == 3
        assert sizes(database) == [10] * 20

    def test_a_lone_packet_waits_no_longer_for_company_than_the_linger(self) -> None:
        database, log = Database(takes_s=0), Log()

        async def story() -> float:
            commits = open_queue(database, log)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await commits.enqueue(number(1))
            waited = loop.time() - began
            await commits.close()
            return waited

        assert run(story) == pytest.approx(LINGER_S, abs=AT_ONCE_S)
        assert log.groups == [(1, LINGER_S, 0)]

    def test_it_waits_no_longer_whenever_one_looks_at_the_clock(self) -> None:
        """The lingering may end between any two looks."""

        async def story() -> Answer:
            commits = open_queue(Database(takes_s=0))
            answer = await commits.enqueue(number(1))
            await commits.close()
            return answer

        for parts in range(1, 400):
            assert run(story, step_s=LINGER_S / parts) == stored(number(1))

    def test_a_full_group_waits_for_nobody(self) -> None:
        async def story() -> float:
            commits = open_queue(Database(takes_s=0), most=5)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await answers_of([commits.enqueue(packet) for packet in numbers(*range(5))])
            waited = loop.time() - began
            await commits.close()
            return waited

        assert run(story) < AT_ONCE_S

    def test_when_all_are_back_who_shared_the_last_commit_nobody_else_is_waited_for(self) -> None:
        database = Database(takes_s=0)

        async def story() -> tuple[float, float]:
            commits = open_queue(database)
            loop = asyncio.get_running_loop()
            took = []
            for turn in range(4):
                packets = numbers(*range(3 * turn, 3 * turn + (2 if turn == 2 else 3)))
                began = loop.time()
                await answers_of([commits.enqueue(packet) for packet in packets])
                took.append(loop.time() - began)
            await commits.close()
            _, all_back, one_less, more_than_that = took
            return max(all_back, more_than_that), one_less

        all_back, one_less = run(story)
        assert all_back < AT_ONCE_S
        assert one_less == pytest.approx(LINGER_S, abs=AT_ONCE_S)
        assert sizes(database) == [3, 3, 2, 3]

    def test_who_comes_within_the_linger_of_the_first_travels_along(self) -> None:
        database = Database()

        async def story() -> None:
            commits = open_queue(database)
            first = commits.enqueue(number(1))
            await asyncio.sleep(LINGER_S * 0.9)
            second = commits.enqueue(number(2))
            await answers_of([first, second])
            await commits.close()

        run(story)
        assert sizes(database) == [2]

    def test_what_comes_during_a_commit_shares_the_next_one(self) -> None:
        database = Database(takes_s=1)

        async def story() -> None:
            commits = open_queue(database)
            first = commits.enqueue(number(0))
            await asyncio.sleep(0.5)
            others = [commits.enqueue(packet) for packet in numbers(1, 2, 3)]
            await answers_of([first, *others])
            await commits.close()

        run(story)
        assert sizes(database) == [1, 3]

    def test_packets_are_taken_in_the_order_they_came(self) -> None:
        database, packets = Database(), numbers(*range(9))

        async def story() -> None:
            commits = open_queue(database, most=3, at_once=1)
            await answers_of([commits.enqueue(packet) for packet in packets])
            await commits.close()

        run(story)
        assert database.stored == [packet.id for packet in packets]

    def test_what_was_committed_is_delivered_once(self) -> None:
        database, log = Database(), Log()

        async def story() -> None:
            commits = open_queue(database, log, most=2, at_once=1)
            await answers_of([commits.enqueue(packet) for packet in numbers(1, 2, 3)])
            await commits.close()

        run(story)
        assert log.delivered == [number(1).id, number(3).id]
        assert [packets for packets, _, _ in log.groups] == [2, 1]


class TestFates:
    @pytest.mark.parametrize("place", [0, 1, 24, 48, 49])
    def test_one_that_is_refused_stands_alone_among_fifty(self, place: int) -> None:
        packets, error = numbers(*range(50)), EncounterOfAnother()
        database = Database(refuses={packets[place].id: error})

        async def story() -> list[Answer]:
            commits = open_queue(database)
            answers = await answers_of([commits.enqueue(packet) for packet in packets])
            await commits.close()
            return answers

        answers = run(story)
        assert answers.pop(place) is error
        packets.pop(place)
        assert answers == [stored(packet) for packet in packets]
        assert sorted(database.stored) == sorted(packet.id for packet in packets)
        assert len(database.calls) <= 2 * 6 + 1

    def test_each_of_several_gets_its_own_refusal(self) -> None:
        packets = numbers(*range(8))
        errors = {1: EncounterOfAnother(), 2: InvalidPacket(), 7: InvalidPacket()}
        database = Database(refuses={packets[at].id: error for at, error in errors.items()})

        async def story() -> list[Answer]:
            commits = open_queue(database)
            answers = await answers_of([commits.enqueue(packet) for packet in packets])
            await commits.close()
            return answers

        expected = [errors.get(at, stored(packet)) for at, packet in enumerate(packets)]
        assert run(story) == expected

    def test_splits_are_told(self) -> None:
        packets, log = numbers(1, 2), Log()
        database = Database(refuses={packets[0].id: InvalidPacket()})

        async def story() -> None:
            commits = open_queue(database, log)
            await answers_of([commits.enqueue(packet) for packet in packets])
            await commits.close()

        run(story)
        assert log.splits == 1
        assert [packets for packets, _, _ in log.groups] == [2]

    def test_a_conflict_is_an_answer_and_no_reason_to_split(self) -> None:
        async def ingest(packets: Sequence[Packet]) -> Committed:
            return [Conflict(), *map(stored, packets[1:])], []

        async def story() -> list[Answer]:
            log = Log()
            limits = GroupLimits(most=9, linger=timedelta(0), waiting=9, at_once=1)
            commits = GroupCommit(ingest, log.deliver, limits, log)
            answers = await answers_of([commits.enqueue(packet) for packet in numbers(1, 2)])
            await commits.close()
            return answers

        assert run(story) == [Conflict(), stored(number(2))]

    def test_contention_is_tried_again_and_nobody_notices(self) -> None:
        database = Database(script=[Contention("40P01"), Contention("55P03")])

        async def story() -> list[Answer]:
            commits = open_queue(database)
            answers = await answers_of([commits.enqueue(packet) for packet in numbers(1, 2)])
            await commits.close()
            return answers

        assert run(story) == [stored(number(1)), stored(number(2))]
        assert sizes(database) == [2, 2, 2]

    def test_contention_without_an_end_is_overload(self) -> None:
        database = Database(script=[Contention("40P01") for _ in range(3)])

        async def story() -> Answer:
            commits = open_queue(database)
            answer = await commits.enqueue(number(1))
            await commits.close()
            return answer

        assert isinstance(run(story), Overloaded)
        assert sizes(database) == [1, 1, 1]

    @pytest.mark.parametrize("error", [StorageUnavailable("08006"), OutcomeUnknown("08006")])
    def test_an_outage_is_told_to_all_and_not_tried_again(self, error: VitalrelayError) -> None:
        database = Database(script=[error])

        async def story() -> list[Answer]:
            commits = open_queue(database)
            answers = await answers_of([commits.enqueue(packet) for packet in numbers(1, 2)])
            await commits.close()
            return answers

        assert run(story) == [error, error]
        assert sizes(database) == [2]

    def test_a_mistake_of_ours_leaves_the_outcome_unknown_and_the_queue_working(self) -> None:
        """Nobody knows whether it was made before the commit or after it."""
        database = Database(script=[KeyError("a mistake")])

        async def story() -> tuple[list[Answer], Answer]:
            commits = open_queue(database)
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            first = await answers_of([commits.enqueue(number(1))])
            then = await commits.enqueue(number(3))
            await commits.close()
            return first, then

        first, then = run(story)
        assert [type(answer) for answer in first] == [OutcomeUnknown]
        assert then == stored(number(3))

    def test_a_mistake_of_ours_over_one_packet_is_not_shared(self) -> None:
        packets = numbers(*range(8))
        database = Database(refuses={packets[3].id: KeyError("a mistake")})

        async def story() -> list[Answer]:
            commits = open_queue(database)
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            answers = await answers_of([commits.enqueue(packet) for packet in packets])
            await commits.close()
            return answers

        answers = run(story)
        assert type(answers.pop(3)) is OutcomeUnknown
        packets.pop(3)
        assert answers == [stored(packet) for packet in packets]

    def test_who_is_cut_off_during_a_commit_does_not_know_its_outcome(self) -> None:
        """The loop is torn down: whether the database had the COMMIT by then, nobody knows."""
        database = Database(takes_s=60)

        async def story() -> Answer:
            commits = open_queue(database)
            answer = commits.enqueue(number(1))
            await asyncio.sleep(1)
            [commit] = [task for task in asyncio.all_tasks() if task.get_name() == "commit"]
            commit.cancel()
            told = await answer
            await commits.close()
            return told

        assert type(run(story)) is OutcomeUnknown

    def test_commit_raises_what_stood_in_the_way(self) -> None:
        database = Database(script=[StorageUnavailable("08006")])

        async def story() -> Receipt:
            commits = open_queue(database)
            with pytest.raises(StorageUnavailable):
                await commits.commit(number(1))
            receipt = await commits.commit(number(2))
            await commits.close()
            return receipt

        assert run(story) == stored(number(2))


class TestCallers:
    def test_a_caller_who_goes_away_cancels_nobody(self) -> None:
        database = Database()

        async def story() -> tuple[bool, Receipt]:
            commits = open_queue(database)
            gone, stays = (asyncio.create_task(commits.commit(packet)) for packet in numbers(1, 2))
            await asyncio.sleep(0.5)
            gone.cancel()
            receipt = await stays
            await commits.close()
            return gone.cancelled(), receipt

        assert run(story) == (True, stored(number(2)))
        assert database.stored == [number(1).id, number(2).id]

    def test_a_caller_who_goes_away_before_the_commit_is_stored_all_the_same(self) -> None:
        database, log = Database(), Log()

        async def story() -> None:
            commits = open_queue(database, log)
            gone = asyncio.create_task(commits.commit(number(1)))
            await asyncio.sleep(0)
            gone.cancel()
            await commits.close()

        run(story)
        assert database.stored == [number(1).id]
        assert log.delivered == [number(1).id]

    def test_an_answer_that_nobody_waits_for_any_more_disturbs_nobody(self) -> None:
        async def story() -> Answer:
            commits = open_queue(Database())
            gone, stays = commits.enqueue(number(1)), commits.enqueue(number(2))
            gone.cancel()
            answer = await stays
            await commits.close()
            return answer

        assert run(story) == stored(number(2))


class TestRoom:
    def test_a_full_queue_turns_away_and_stores_nothing_of_it(self) -> None:
        database = Database()

        async def story() -> None:
            commits = open_queue(database, waiting=3)
            kept = [commits.enqueue(packet) for packet in numbers(1, 2, 3)]
            with pytest.raises(Overloaded):
                commits.enqueue(number(4))
            await answers_of(kept)
            await commits.enqueue(number(5))
            await commits.close()

        run(story)
        assert database.stored == [number(count).id for count in (1, 2, 3, 5)]

    def test_a_patient_sender_waits_until_there_is_room(self) -> None:
        database, most_waiting = Database(), 0

        async def story() -> list[Answer]:
            commits = open_queue(database, waiting=4, most=2, at_once=1)

            async def send(packet: Packet) -> Answer:
                nonlocal most_waiting
                answer = await commits.enqueue_patiently(packet)
                most_waiting = max(most_waiting, commits.waiting)
                return await answer

            answers = await asyncio.gather(*map(send, numbers(*range(40))))
            await commits.close()
            return list(answers)

        assert run(story) == [stored(packet) for packet in numbers(*range(40))]
        assert most_waiting == 4

    def test_what_waits_is_counted(self) -> None:
        async def story() -> tuple[int, int]:
            commits = open_queue(Database())
            waiting = [commits.enqueue(packet) for packet in numbers(1, 2, 3)]
            before = commits.waiting
            await answers_of(waiting)
            after = commits.waiting
            await commits.close()
            return before, after

        assert run(story) == (3, 0)


class TestClosing:
    def test_what_waits_is_committed_and_answered_first(self) -> None:
        database = Database()

        async def story() -> list[Answer]:
            commits = open_queue(database, most=2, at_once=1)
            waiting = [commits.enqueue(packet) for packet in numbers(*range(5))]
            await commits.close()
            assert all(answer.done() for answer in waiting)
            return await answers_of(waiting)

        assert run(story) == [stored(packet) for packet in numbers(*range(5))]

    def test_nothing_is_lingered_for_any_more(self) -> None:
        async def story() -> float:
            commits = open_queue(Database(takes_s=0))
            commits.enqueue(number(1))
            await commits.close()
            return asyncio.get_running_loop().time()

        assert run(story) < AT_ONCE_S

    def test_what_comes_later_is_turned_away(self) -> None:
        async def story() -> None:
            commits = open_queue(Database())
            await commits.close()
            with pytest.raises(Overloaded):
                commits.enqueue(number(1))

        run(story)

    def test_a_patient_sender_is_not_left_waiting(self) -> None:
        database = Database()

        async def story() -> None:
            commits = open_queue(database, waiting=1)
            kept = commits.enqueue(number(1))
            patient = asyncio.create_task(commits.enqueue_patiently(number(2)))
            await asyncio.sleep(0)
            closing = asyncio.create_task(commits.close())
            with pytest.raises(Overloaded):
                await patient
            await closing
            assert await kept == stored(number(1))

        run(story)
        assert database.stored == [number(1).id]

    def test_an_idle_queue_closes_at_once(self) -> None:
        async def story() -> float:
            commits = open_queue(Database())
            await commits.enqueue(number(1))
            began = asyncio.get_running_loop().time()
            await commits.close()
            return asyncio.get_running_loop().time() - began

        assert run(story) < AT_ONCE_S
