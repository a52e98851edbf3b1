"""Who asks at the same time shares a round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Name = TypeVar("Name")
Found = TypeVar("Found")


class Together(Generic[Name, Found]):
    """
    All questions of one turn of the event loop, asked as one, each name once.

    No answer is older than its question: what is on its way already is not waited for. ``ask``
    answers in the order of the names; what it raises, everybody who asked is told. Who stops
    waiting takes nothing from the others.
    """

    def __init__(self, ask: Callable[[Sequence[Name]], Awaitable[Sequence[Found]]], most: int):
        self._ask = ask
        self._most = most  # names in one round trip; a single question may have more
        self._gathering: _Turn[Name, Found] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, names: Sequence[Name]) -> list[Found]:
        turn = self._gathering
        if turn is None or len(turn.names) + len(names) > self._most:
            turn = self._gathering = _Turn()
            task = asyncio.create_task(self._answer(turn))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return await turn.asked_for(names)

    async def _answer(self, turn: "_Turn[Name, Found]") -> None:
        if turn is self._gathering:
            self._gathering = None
        names = list(turn.names)
        try:
            turn.tell(dict(zip(names, await self._ask(names), strict=True)))
        except Exception as error:
            turn.fail(error)
        finally:
            turn.leave()


class _Turn(Generic[Name, Found]):
    """
    What is asked in one turn, and who waits for what of it.

    Everybody has a future of their own: to share one would take another turn of the loop.
    """

    def __init__(self) -> None:
        self.names: dict[Name, None] = {}
        self._waiting: list[tuple[Sequence[Name], asyncio.Future[list[Found]]]] = []

    def asked_for(self, names: Sequence[Name]) -> "asyncio.Future[list[Found]]":
        answer: asyncio.Future[list[Found]] = asyncio.get_running_loop().create_future()
        self.names.update(dict.fromkeys(names))
        self._waiting.append((names, answer))
        return answer

    def tell(self, found: dict[Name, Found]) -> None:
        for names, answer in self._waiting:
            if not answer.done():
                answer.set_result([found[name] for name in names])

    def fail(self, error: Exception) -> None:
        for _, answer in self._waiting:
            if not answer.done():
                answer.set_exception(error)

    def leave(self) -> None:
        """Nobody is left waiting for an answer that does not come any more."""
        for _, answer in self._waiting:
            answer.cancel()
