"""The Redis side: one client, every wait with an end, no retry behind anybody's back."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPolicy:
    """How many connections, and how long anything may take, in seconds."""

    max_connections: int = 16
    connect_timeout_s: float = 1.0
    answer_timeout_s: float = 2.0
    idle_check_s: int = 15


def create_redis(redis_url: str, policy: RedisPolicy) -> Redis:
    """
    A client that answers in bytes; nothing is connected yet.

    It repeats nothing by itself: whether a command may be repeated, only its sender knows.
    """
    options: dict[str, Any] = {**parse_url(redis_url)}
    transport = options.pop("connection_class", Connection)
    if issubclass(transport, Connection):  # a socket in the file system needs nothing to keep it
        options["socket_keepalive"] = True
    pool = BlockingConnectionPool(
        connection_class=type(f"Prompt{transport.__name__}", (Prompt, transport), {}),
        max_connections=policy.max_connections,
        timeout=policy.answer_timeout_s,  # type: ignore[arg-type]  # any number of seconds will do
        answer_timeout_s=policy.answer_timeout_s,
        socket_connect_timeout=policy.connect_timeout_s,
        health_check_interval=policy.idle_check_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        **options,
    )
    return Redis.from_pool(pool)


class Prompt(AbstractConnection):
    """
    A command costs two turns of the event loop: it is sent, and its answer is there.

    The library's own connection takes four more, which add up where the loop has much to do: it
    sends from a task made for the time limit, and before each command it waits for bytes that
    should not be there. And it packs a command in Python, where the library has C for its other
    connections.
    """

    pack_command = HiredisRespSerializer().pack  # type: ignore[assignment]  # of another connection

    def __init__(self, *, answer_timeout_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._answer_timeout_s = answer_timeout_s

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        writer = self._writer
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            if writer is not None:
                writer.transport.abort()  # to close it is to wait until all is sent
            raise exceptions.TimeoutError("Timeout writing") from None

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await super().read_response(*args, **options)
        except TimeoutError:
            raise exceptions.TimeoutError("Timeout reading") from None

    async def can_read_destructive(self) -> bool:
        """Whether the server hung up; a command that was given up has closed its connection."""
        if self._reader is None or self._reader.at_eof():
            raise exceptions.ConnectionError("closed by the server")
        return False
