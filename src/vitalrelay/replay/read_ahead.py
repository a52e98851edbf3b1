"""Reading from somebody who may be long in coming, without making anybody else wait."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from threading import Thread
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

AHEAD: Final = 256


class ReadAhead(Generic[Item]):
    """The same items, read by a thread that ends with the process, whatever it waits for."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[list[Item] | Exception] = asyncio.Queue(AHEAD)

    async def __aiter__(self) -> AsyncIterator[Item]:
        Thread(target=self._read_while_wanted, name="read-ahead", daemon=True).start()
        while found := await self._ready.get():
            if isinstance(found, Exception):
                raise found
            yield found[0]

    def _read_while_wanted(self) -> None:
        # The loop may be gone by the time an item comes; then nobody wants it.
        with suppress(RuntimeError, CancelledError):
            self._read()

    def _read(self) -> None:
        try:
            for item in self._items:
                self._put([item])
        except Exception as error:
            self._put(error)
        self._put([])

    def _put(self, found: list[Item] | Exception) -> None:
        asyncio.run_coroutine_threadsafe(self._ready.put(found), self._loop).result()
