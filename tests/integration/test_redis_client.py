"""The client: prompt where all is well, and done with it in time where it is not."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, TimeoutError

from persistence.redis_client import RedisPolicy, create_redis

IMPATIENT = RedisPolicy(max_connections=1, answer_timeout_s=0.3)
MORE_THAN_BUFFERS_HOLD = b"x" * (32 << 20)


async def test_a_command_needs_no_task_of_its_own(own_redis: Redis) -> None:
    await own_redis.set("known", "1")
    made: list[object] = []

    def make(loop: asyncio.AbstractEventLoop, coroutine: object, **options: object) -> object:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)  # type: ignore[arg-type]  # as given

    asyncio.get_running_loop().set_task_factory(make)  # type: ignore[arg-type]  # of any kind
    try:
        answers = [await own_redis.get("known") for _ in range(10)]
    finally:
        asyncio.get_running_loop().set_task_factory(None)

    assert answers == [b"1"] * 10
    assert made == []


async def test_after_the_server_hung_up_the_next_command_finds_a_connection(
    own_redis: Redis, own_redis_url: str
) -> None:
    redis = create_redis(own_redis_url, RedisPolicy(max_connections=1))
    before = await redis.client_id()

    await own_redis.client_kill_filter(_id=str(before))
    await until_hung_up(redis)

    assert await redis.client_id() > before
    await redis.aclose()


async def until_hung_up(redis: Redis) -> None:
    [connection] = redis.connection_pool._available_connections
    async with asyncio.timeout(5):
        while not connection._reader.at_eof():  # noqa: ASYNC110 - nothing else tells of it
            await asyncio.sleep(0.001)


COMMANDS = {
    "whose answer does not come": ("GET", "known"),
    "that nobody takes": ("SET", "large", MORE_THAN_BUFFERS_HOLD),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_a_command_is_given_up_in_time(
    own_redis: Redis, own_redis_url: str, command: tuple[str | bytes, ...]
) -> None:
    redis = create_redis(own_redis_url, IMPATIENT)
    await redis.ping()

    with stopped(await process_of(own_redis)):
        started = time.perf_counter()
        with pytest.raises(TimeoutError):
            await redis.execute_command(*command)
        took_s = time.perf_counter() - started

    assert 0.3 <= took_s < 1.5
    assert await redis.ping()
    await redis.aclose()


async def test_a_socket_in_the_file_system_will_do(own_redis_url: str, tmp_path: Path) -> None:
    address = urlsplit(own_redis_url)
    assert address.hostname is not None
    socket = tmp_path / "redis.sock"

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(address.hostname, address.port)
        await asyncio.gather(copy(reader, to_server), copy(from_server, writer))

    async with await asyncio.start_unix_server(pass_on, socket):
        redis = create_redis(f"unix://{socket}", RedisPolicy())
        answered = await redis.ping()
        await redis.aclose()

    assert answered


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(1 << 16):
        writer.write(some)
    writer.close()


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up_in_time(
    own_redis: Redis, own_redis_url: str
) -> None:
    redis = create_redis(own_redis_url, IMPATIENT)

    with stopped(await process_of(own_redis)):
        started = time.perf_counter()
        with pytest.raises((TimeoutError, ConnectionError)):
            await redis.get("known")
        took_s = time.perf_counter() - started

    assert took_s < 2.5
    await redis.aclose()


async def process_of(redis: Redis) -> int:
    return int((await redis.info("server"))["process_id"])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The server of this test's own session, for a moment."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
