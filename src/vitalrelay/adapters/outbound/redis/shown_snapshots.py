"""What Redis has, and the number by which a loss is noticed."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.together import Together
from vitalrelay.adapters.outbound.redis.verified import shown_in
from vitalrelay.domain.errors import StoreUnreachable
from vitalrelay.domain.packet import RESERVED_SUBJECTS, SubjectId
from vitalrelay.domain.shown import Damaged, Shown

SCAN_COUNT = 500
AT_ONCE = 500  # documents in one answer, so that nobody else waits long for Redis

Believe = Callable[[SubjectId, bytes], Shown | Damaged]

# Only upwards: two workers may put it back at once, and one may already have raised it further.
PUT_BACK = """
if (tonumber(redis.call('GET', KEYS[1])) or -1) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
"""


@contextmanager
def answering() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreUnreachable(type(error).__name__) from None


class RedisShownSnapshots:
    """``believe`` may remember what it has looked at."""

    def __init__(self, redis: Redis, keys: Keys, believe: Believe = shown_in) -> None:
        self._redis = redis
        self._keys = keys
        self._believe = believe
        self._together = Together(self._read, AT_ONCE)

    async def read(self, subjects: Sequence[SubjectId]) -> list[Shown | Damaged | None]:
        return await self._together(subjects) if subjects else []

    async def _read(self, subjects: Sequence[SubjectId]) -> list[Shown | Damaged | None]:
        with answering():
            # MGET answers nil for a key of another type, where GET would be an error.
            stored = await self._redis.mget([self._keys.document(s) for s in subjects])
        return [
            None if one is None else self._believe(subject, one)
            for subject, one in zip(subjects, stored, strict=True)
        ]

    async def latest(self) -> SubjectId | None:
        with answering():
            [latest] = await self._redis.mget([self._keys.latest])
        return None if latest is None else SubjectId(latest.decode(errors="replace"))

    async def subjects(self) -> AsyncIterator[list[SubjectId]]:
        cursor = -1
        while cursor != 0:
            with answering():
                cursor, keys = await self._redis.scan(
                    max(cursor, 0), match=f"{self._keys.documents}*", count=SCAN_COUNT
                )
            names = [
                key.decode(errors="replace").removeprefix(self._keys.documents) for key in keys
            ]
            yield [SubjectId(name) for name in names if name not in RESERVED_SUBJECTS]

    async def remove(self, subjects: Sequence[SubjectId]) -> None:
        with answering():
            await self._redis.unlink(*(self._keys.document(subject) for subject in subjects))


class RedisSentinel:
    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.sentinel
        self._put_back = redis.register_script(PUT_BACK)

    async def read(self) -> int | None:
        with answering():
            found = await self._redis.get(self._key)
        return int(found) if found is not None and found.isdigit() else None

    async def rise(self, to: int) -> None:
        with answering():
            await self._redis.set(self._key, to, xx=True)

    async def put_back(self, at: int) -> None:
        with answering():
            await self._put_back(keys=[self._key], args=[at])

    async def run(self) -> str:
        with answering():
            server = await self._redis.info("server")
        return str(server["run_id"])
