"""Concurrent questions share a round trip, and nothing else."""

import asyncio
from collections.abc import Sequence

import pytest

from vitalrelay.adapters.outbound.redis.together import Together
from vitalrelay.domain.errors import StoreUnreachable

MOST = 5


class Store:
    """Answers in capitals once it may; what it was asked is kept."""

    def __init__(self, *, away: bool = False) -> None:
        self.asked: list[list[str]] = []
        self.may_answer = asyncio.Event()
        self._away = away

    async def read(self, names: Sequence[str]) -> list[str]:
        self.asked.append(list(names))
        await self.may_answer.wait()
        if self._away:
            raise StoreUnreachable
        return [name.upper() for name in names]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def together(store: Store) -> Together[str, str]:
    return Together(store.read, MOST)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_in_one_turn_shares_a_round_trip(
    store: Store, together: Together[str, str]
) -> None:
    store.may_answer.set()

    answers = await asyncio.gather(together(["a"]), together(["c", "b"]), together(["b", "a"]))

    assert answers == [["A"], ["C", "B"], ["B", "A"]]
    assert store.asked == [["a", "c", "b"]]


async def test_what_is_under_way_is_not_joined(store: Store, together: Together[str, str]) -> None:
    """Its answer may be older than the question."""
    first = asyncio.create_task(together(["a"]))
    await turns(3)

    second = asyncio.create_task(together(["a"]))
    await turns(3)
    store.may_answer.set()

    assert store.asked == [["a"], ["a"]]
    assert await first == await second == ["A"]


async def test_a_round_trip_has_so_many_names_and_no_more(
    store: Store, together: Together[str, str]
) -> None:
    store.may_answer.set()

    answers = await asyncio.gather(*(together([f"{n}", f"{n}b"]) for n in range(3)))

    assert answers == [["0", "0B"], ["1", "1B"], ["2", "2B"]]
    assert store.asked == [["0", "0b", "1", "1b"], ["2", "2b"]]


async def test_a_question_with_more_is_asked_as_it_is(
    store: Store, together: Together[str, str]
) -> None:
    store.may_answer.set()
    names = list("abcdef")

    answers = await asyncio.gather(together(["x"]), together(names))

    assert answers == [["X"], list("ABCDEF")]
    assert store.asked == [["x"], names]


async def test_everybody_is_told_what_went_wrong_and_the_next_one_asks_again() -> None:
    store = Store(away=True)
    together = Together(store.read, MOST)
    store.may_answer.set()

    told = await asyncio.gather(together(["a"]), together(["b"]), return_exceptions=True)
    with pytest.raises(StoreUnreachable):
        await together(["c"])

    assert [type(error) for error in told] == [StoreUnreachable] * 2
    assert store.asked == [["a", "b"], ["c"]]


async def test_who_stops_waiting_takes_nothing_from_the_others(
    store: Store, together: Together[str, str]
) -> None:
    gone, stays = asyncio.create_task(together(["a"])), asyncio.create_task(together(["b"]))
    await turns(3)

    gone.cancel()
    await turns(2)
    store.may_answer.set()

    assert await stays == ["B"]
    assert gone.cancelled()
