"""Who is served, who waits for his turn, and who waits in vain."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.clock import run
from vitalrelay.adapters.inbound.admission import Admission
from vitalrelay.domain.errors import Overloaded

PLACES, PATIENCE_S, SERVED_IN_S = 2, 5.0, 1.0


async def visit(admission: Admission, stays_s: float, seen: list[str], name: str = "") -> None:
    async with admission:
        seen.append(name)
        await asyncio.sleep(stays_s)


async def visits(
    admission: Admission, names: str, stays_s: float = SERVED_IN_S
) -> tuple[list[str], Sequence[BaseException | None]]:
    """Who was inside, in order; and how each visit ended."""
    seen: list[str] = []
    tasks = [asyncio.create_task(visit(admission, stays_s, seen, name)) for name in names]
    return seen, await asyncio.gather(*tasks, return_exceptions=True)


async def took_s(admission: Admission, names: str) -> float:
    started = asyncio.get_running_loop().time()
    await visits(admission, names)
    return asyncio.get_running_loop().time() - started


def test_as_many_as_there_are_places_are_served_at_once() -> None:
    async def story() -> list[float]:
        admission = Admission(PLACES, PATIENCE_S)
        return [await took_s(admission, names) for names in ("a", "ab", "abc", "abcde")]

    assert run(story) == pytest.approx([1, 1, 2, 3], abs=0.01)


def test_who_came_first_goes_in_first() -> None:
    async def story() -> list[str]:
        seen, _ = await visits(Admission(PLACES, PATIENCE_S), "abcdefgh")
        return seen

    assert run(story) == list("abcdefgh")


def test_who_waited_in_vain_is_turned_away_and_no_place_is_lost() -> None:
    async def story() -> tuple[list[str], list[str], float, float]:
        admission = Admission(PLACES, PATIENCE_S)
        loop = asyncio.get_running_loop()
        seen, ends = await visits(admission, "abcd", stays_s=PATIENCE_S + 1)
        turned_away = [name for name, end in zip("abcd", ends, strict=True) if end is not None]
        assert all(isinstance(end, Overloaded) for end in ends if end is not None)
        return seen, turned_away, loop.time(), await took_s(admission, "efgh")

    seen, turned_away, ended_s, took = run(story)

    assert (seen, turned_away) == (["a", "b"], ["c", "d"])
    assert ended_s == pytest.approx(PATIENCE_S + 1, abs=0.01)
    assert took == pytest.approx(2, abs=0.01)


def test_who_goes_away_while_he_waits_takes_no_place() -> None:
    async def story() -> tuple[list[str], float]:
        admission = Admission(PLACES, PATIENCE_S)
        seen: list[str] = []
        tasks = [asyncio.create_task(visit(admission, SERVED_IN_S, seen, name)) for name in "abcd"]
        await asyncio.sleep(SERVED_IN_S / 2)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen, await took_s(admission, "efgh")

    seen, took = run(story)

    assert seen == ["a", "b", "d"]
    assert took == pytest.approx(2, abs=0.01)
