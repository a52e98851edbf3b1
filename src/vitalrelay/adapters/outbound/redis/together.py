"""Who asks at the same time shares a round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
        self._names: dict[Name, None] = {}
        self._turn: asyncio.Task[Mapping[Name, Found]] | None = None

    async def __call__(self, names: Sequence[Name]) -> list[Found]:
        if self._turn is None or len(self._names) + len(names) > self._most:
            self._names = {}
            self._turn = asyncio.create_task(self._answer(self._names))
        self._names.update(dict.fromkeys(names))
        found = await asyncio.shield(self._turn)
        return [found[name] for name in names]

    async def _answer(self, names: Mapping[Name, None]) -> Mapping[Name, Found]:
        if names is self._names:
            self._turn = None
        asked = list(names)
        return dict(zip(asked, await self._ask(asked), strict=True))
