"""The publish script on a real Valkey: what only Redis can get wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from persistence.redis_client import RedisPolicy, create_redis
from tests.support import NOW_MS
from tests.worlds import RedisScreens, told, wanted
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.snapshot_publisher import AT_ONCE, RedisSnapshotPublisher
from vitalrelay.domain.projection import Landed, Outcome, Refused, Unreachable
from vitalrelay.embedded.loopback import HOST, a_free_port

LARGEST = 2**53 - 1
BATCH = [wanted(f"p-{number}") for number in range(10)]
WARD = [wanted(f"p-{number}") for number in range(2 * AT_ONCE + 1)]
IMPATIENT = RedisPolicy(max_connections=1, answer_timeout_s=0.3)


@pytest.fixture
def screens(redis_screens: RedisScreens) -> RedisScreens:
    return redis_screens


@pytest.fixture
def own_screens(own_redis: Redis) -> RedisScreens:
    return RedisScreens(own_redis, Keys())


class TestTheDocument:
    async def test_it_is_what_was_owed_with_the_envelope_first(self, screens: RedisScreens) -> None:
        claim = wanted("p-1", 7, incarnation=3)

        await screens.publisher.publish([claim])

        stored = await screens.redis.get(screens.keys.document("p-1"))
        envelope = {"incarnation": 3, "version": 7, "fingerprint": claim.fingerprint}
        assert json.loads(stored) == {**envelope, **json.loads(claim.document)}
        assert list(json.loads(stored))[:3] == list(envelope)

    @pytest.mark.parametrize("version", [10**15, 2**52 + 1, LARGEST])
    async def test_a_large_version_is_written_in_full(
        self, screens: RedisScreens, version: int
    ) -> None:
        claim = wanted("p-1", version, incarnation=version)

        await screens.publisher.publish([claim])

        [(_, event)] = await screens.redis.xrange(screens.keys.events)
        stored = await screens.redis.get(screens.keys.document("p-1"))
        written = str(version).encode()
        assert stored.startswith(b'{"incarnation":%b,"version":%b,' % (written, written))
        assert (event[b"incarnation"], event[b"version"]) == (written, written)

    async def test_two_large_versions_are_told_apart(self, screens: RedisScreens) -> None:
        newest, older = wanted("p-1", LARGEST, "B"), wanted("p-1", LARGEST - 1, "A")

        outcomes = await screens.publisher.publish([older, newest, older, newest])

        assert outcomes == [
            Landed.WRITTEN,
            Landed.WRITTEN,
            Landed.SUPERSEDED,
            Landed.DUPLICATE,
        ]

    @pytest.mark.parametrize("junk", ["", "null", "{}", "not JSON", '{"version":9,"shows":"A"}'])
    async def test_what_is_no_document_of_ours_is_replaced(
        self, screens: RedisScreens, junk: str
    ) -> None:
        await screens.redis.set(screens.keys.document("p-1"), junk)

        outcomes = await screens.publisher.publish([wanted("p-1")])

        assert outcomes == [Landed.WRITTEN]
        assert await screens.shown("p-1") == told(wanted("p-1"))
        assert await screens.events() == [told(wanted("p-1"))]

    async def test_a_document_that_was_lost_is_written_again(self, screens: RedisScreens) -> None:
        await screens.publisher.publish([wanted("p-1")])
        await screens.redis.delete(screens.keys.document("p-1"))

        outcomes = await screens.publisher.publish([wanted("p-1")])

        assert outcomes == [Landed.WRITTEN]
        assert await screens.shown("p-1") == told(wanted("p-1"))

    async def test_the_wrong_type_under_its_key_is_refused_for_that_patient_alone(
        self, screens: RedisScreens
    ) -> None:
        await screens.redis.rpush(screens.keys.document("p-2"), "a list")

        outcomes = await screens.publisher.publish([wanted("p-1"), wanted("p-2"), wanted("p-3")])

        assert outcomes == [Landed.WRITTEN, Refused("WRONGTYPE"), Landed.WRITTEN]
        assert await screens.events() == [told(wanted("p-1")), told(wanted("p-3"))]


class TestTheEvents:
    async def test_without_them_nothing_is_written_and_it_is_nobodys_failure(
        self, screens: RedisScreens
    ) -> None:
        """F-61: the event comes first, and what strikes everybody alike is an outage."""
        await screens.redis.set(screens.keys.events, "no stream")

        outcomes = await screens.publisher.publish([wanted("p-1"), wanted("p-2")])

        assert [type(outcome) for outcome in outcomes] == [Unreachable, Unreachable]
        assert await screens.shown("p-1") is None
        assert await screens.shown("p-2") is None
        assert await screens.latest() is None

    async def test_with_them_back_everything_is_published(self, screens: RedisScreens) -> None:
        await screens.redis.set(screens.keys.events, "no stream")
        await screens.publisher.publish(BATCH)
        await screens.redis.delete(screens.keys.events)

        outcomes = await screens.publisher.publish(BATCH)

        assert outcomes == [Landed.WRITTEN] * len(BATCH)
        assert await screens.events() == [told(claim) for claim in BATCH]

    async def test_a_version_without_an_event_needs_no_stream(self, screens: RedisScreens) -> None:
        await screens.publisher.publish([wanted("p-1", 1)])
        await screens.redis.set(screens.keys.events, "no stream")

        outcomes = await screens.publisher.publish([wanted("p-1", 2), wanted("p-1", 2)])

        assert outcomes == [Landed.UNCHANGED, Landed.DUPLICATE]

    async def test_about_as_many_are_kept_as_was_asked_for(self, redis: Redis, keys: Keys) -> None:
        publisher = RedisSnapshotPublisher(redis, keys, events_kept=200)

        await publisher.publish([wanted("p-1", n, f"{n}") for n in range(1, 1001)])

        assert 200 <= await redis.xlen(keys.events) < 400

    async def test_however_many_publish_at_once_they_rise(self, screens: RedisScreens) -> None:
        versions = [wanted("p-1", n, f"{n}") for n in range(1, 41)]
        batches = [versions[start::8] for start in reversed(range(8))]

        await asyncio.gather(*(screens.publisher.publish(batch) for batch in batches))

        events = [version for _, _, version, _ in await screens.events()]
        assert events == sorted(set(events))
        assert await screens.shown("p-1") == told(versions[-1])


class TestTheLatest:
    async def test_it_is_the_newest_of_all_that_were_published_at_once(
        self, screens: RedisScreens
    ) -> None:
        """Of two equal ones the later; one that is refused is not considered."""
        await screens.publisher.publish([wanted("p-old", as_of_ms=NOW_MS)])
        await screens.redis.rpush(screens.keys.document("p-refused"), "a list")
        batch = {"p-1": 1, "p-2": 3, "p-refused": 4, "p-3": 3, "p-4": 2}

        await screens.publisher.publish(
            [wanted(subject, as_of_ms=NOW_MS + later) for subject, later in batch.items()]
        )

        assert await screens.latest() == "p-3"

    async def test_its_own_patient_going_on_makes_room_for_nobody_older(
        self, screens: RedisScreens
    ) -> None:
        await screens.publisher.publish([wanted("p-1", 1, "A", as_of_ms=NOW_MS)])

        await screens.publisher.publish(
            [
                wanted("p-0", 1, "A", as_of_ms=NOW_MS - 1),
                wanted("p-1", 2, "B", as_of_ms=NOW_MS + 5),
                wanted("p-2", 1, "A", as_of_ms=NOW_MS + 4),
            ]
        )

        assert await screens.latest() == "p-1"

    async def test_it_moves_on_when_its_document_is_gone(self, screens: RedisScreens) -> None:
        await screens.publisher.publish([wanted("p-newest", as_of_ms=NOW_MS + 1)])
        await screens.redis.delete(screens.keys.document("p-newest"))

        await screens.publisher.publish([wanted("p-1", as_of_ms=NOW_MS)])

        assert await screens.latest() == "p-1"

    async def test_the_wrong_type_under_its_key_is_put_right(self, screens: RedisScreens) -> None:
        await screens.redis.rpush(screens.keys.latest, "a list")

        outcomes = await screens.publisher.publish([wanted("p-1")])

        assert outcomes == [Landed.WRITTEN]
        assert await screens.latest() == "p-1"

    async def test_the_wrong_type_under_its_document_is_not_its_patients_neighbours_matter(
        self, screens: RedisScreens
    ) -> None:
        await screens.publisher.publish([wanted("p-newest")])
        await screens.redis.delete(screens.keys.document("p-newest"))
        await screens.redis.rpush(screens.keys.document("p-newest"), "a list")

        outcomes = await screens.publisher.publish([wanted("p-1")])

        assert outcomes == [Landed.WRITTEN]
        assert await screens.latest() == "p-1"


async def stat(redis: Redis, name: str) -> int:
    return (await redis.info("stats"))[name]


async def calls(redis: Redis) -> dict[str, int]:
    stats = await redis.info("commandstats")
    ours = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_script|load", "cmdstat_script|exists")
    return {name: stats[name]["calls"] for name in ours if name in stats}


class TestTheRoundTrip:
    async def test_a_batch_takes_one(self, own_screens: RedisScreens) -> None:
        redis = own_screens.redis
        await own_screens.publisher.publish([wanted("p-0")])
        await redis.config_resetstat()

        before = await stat(redis, "total_reads_processed")
        await own_screens.publisher.publish(BATCH)
        after = await stat(redis, "total_reads_processed")

        assert after - before == 2  # the batch, and the question itself
        assert await calls(redis) == {"cmdstat_evalsha": 1}

    async def test_a_ward_takes_a_few_bounded_steps_and_each_patient_has_an_outcome(
        self, own_screens: RedisScreens
    ) -> None:
        redis, keys = own_screens.redis, own_screens.keys
        await own_screens.publisher.publish(WARD[5:6])
        await redis.rpush(keys.document(WARD[AT_ONCE + 1].subject), "a list")
        await redis.config_resetstat()

        outcomes = await own_screens.publisher.publish(WARD)

        expected: list[Outcome] = [Landed.WRITTEN] * len(WARD)
        expected[5], expected[AT_ONCE + 1] = Landed.DUPLICATE, Refused("WRONGTYPE")
        assert outcomes == expected
        assert await calls(redis) == {"cmdstat_evalsha": 3}

    async def test_forgotten_scripts_cost_no_outcome(self, own_screens: RedisScreens) -> None:
        redis = own_screens.redis
        await own_screens.publisher.publish(BATCH)
        await redis.script_flush()
        await redis.config_resetstat()

        outcomes = await own_screens.publisher.publish(
            [wanted(claim.subject, 2, "B") for claim in BATCH]
        )
        await own_screens.publisher.publish([wanted("p-1", 3)])

        assert outcomes == [Landed.WRITTEN] * len(BATCH)
        assert (await calls(redis))["cmdstat_script|load"] == 1


@asynccontextmanager
async def settings(redis: Redis, **values: str) -> AsyncIterator[None]:
    new = {name.replace("_", "-"): value for name, value in values.items()}
    before = await redis.config_get(*new)
    for name, value in new.items():
        await redis.config_set(name, value)
    yield
    for name, value in before.items():
        await redis.config_set(name, value)


async def outcomes_on(redis: Redis) -> list[Outcome]:
    return await RedisSnapshotPublisher(redis, Keys(), 100).publish([wanted("p-1"), wanted("p-2")])


async def shown_on(redis: Redis) -> list[bytes]:
    return [key async for key in redis.scan_iter()]


class TestAnOutage:
    """What strikes every patient alike is Redis's matter; nothing is written, and it passes."""

    async def test_out_of_memory(self, own_redis: Redis) -> None:
        await outcomes_on(own_redis)
        await own_redis.flushall()

        async with settings(own_redis, maxmemory="1", maxmemory_policy="noeviction"):
            outcomes = await outcomes_on(own_redis)
            shown = await shown_on(own_redis)

        assert outcomes == [Unreachable("OutOfMemoryError")] * 2
        assert shown == []
        assert await outcomes_on(own_redis) == [Landed.WRITTEN] * 2

    async def test_demoted_to_a_replica(self, own_redis: Redis) -> None:
        await outcomes_on(own_redis)
        await own_redis.flushall()

        await own_redis.replicaof(HOST, a_free_port())
        outcomes = await outcomes_on(own_redis)
        await own_redis.replicaof("NO", "ONE")

        assert outcomes == [Unreachable("ReadOnlyError")] * 2
        assert await outcomes_on(own_redis) == [Landed.WRITTEN] * 2

    async def test_no_permission(self, own_redis: Redis, own_redis_url: str) -> None:
        await own_redis.acl_setuser("reader", enabled=True, nopass=True, keys=["*"])
        reader = create_redis(own_redis_url.replace("://", "://reader:any@"), RedisPolicy())

        outcomes = await outcomes_on(reader)
        await reader.aclose()

        assert outcomes == [Unreachable("NoPermissionError")] * 2

    async def test_wrong_credentials(self, own_redis_url: str) -> None:
        stranger = create_redis(own_redis_url.replace("://", "://nobody:wrong@"), RedisPolicy())

        outcomes = await outcomes_on(stranger)
        await stranger.aclose()

        assert outcomes == [Unreachable("AuthenticationError")] * 2

    async def test_somebodys_endless_script(self, own_redis: Redis, own_redis_url: str) -> None:
        await outcomes_on(own_redis)
        other = create_redis(own_redis_url, RedisPolicy(answer_timeout_s=60))

        async with settings(own_redis, busy_reply_threshold="10"):
            endless = asyncio.create_task(other.eval("while true do end", 0))
            await until_busy(own_redis)
            outcomes = await outcomes_on(own_redis)
            await own_redis.script_kill()
            with suppress(RedisError):
                await endless
        await other.aclose()

        assert outcomes == [Unreachable("BUSY")] * 2

    async def test_nobody_there(self) -> None:
        redis = create_redis(f"redis://{HOST}:{a_free_port()}/0", RedisPolicy())

        outcomes = await outcomes_on(redis)
        await redis.aclose()

        assert outcomes == [Unreachable("ConnectionError")] * 2

    async def test_no_answer_in_time(self, own_redis: Redis, own_redis_url: str) -> None:
        impatient = create_redis(own_redis_url, IMPATIENT)
        await outcomes_on(own_redis)

        await own_redis.client_pause(1000, all=True)
        outcomes = await outcomes_on(impatient)
        await own_redis.ping()  # answered when the pause is over

        assert outcomes == [Unreachable("TimeoutError")] * 2
        assert await outcomes_on(impatient) == [Landed.DUPLICATE] * 2
        await impatient.aclose()


async def until_busy(redis: Redis) -> None:
    """Until the server says so of itself."""
    async with asyncio.timeout(10):
        while True:
            try:
                await redis.ping()
            except RedisError:
                return


ERRORS = [
    ("LOADING Valkey is loading the dataset in memory", Unreachable("BusyLoadingError")),
    ("READONLY You can't write against a read only replica.", Unreachable("ReadOnlyError")),
    ("OOM command not allowed when used memory > 'maxmemory'.", Unreachable("OutOfMemoryError")),
    ("NOAUTH Authentication required.", Unreachable("AuthenticationError")),
    ("WRONGPASS invalid username-password pair", Unreachable("AuthenticationError")),
    ("NOPERM User nobody has no permissions", Unreachable("NoPermissionError")),
    ("ERR max number of clients reached", Unreachable("ConnectionError")),
    ("BUSY Valkey is busy running a script.", Unreachable("BUSY")),
    ("MISCONF Errors writing to the AOF file: No space left on device", Unreachable("MISCONF")),
    ("MASTERDOWN Link with MASTER is down", Unreachable("MASTERDOWN")),
    ("CLUSTERDOWN The cluster is down", Unreachable("CLUSTERDOWN")),
    ("NOREPLICAS Not enough good replicas to write.", Unreachable("NOREPLICAS")),
    ("UNBLOCKED force unblock from blocking operation", Unreachable("UNBLOCKED")),
    ("NOSCRIPT No matching script.", Unreachable("NoScriptError")),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Refused("WRONGTYPE")),
    ("ERR string exceeds maximum allowed size of p-0042", Refused("ResponseError")),
]


@pytest.mark.parametrize(
    ("error", "outcome"), ERRORS, ids=[error.split()[0] for error, _ in ERRORS]
)
async def test_each_error_says_whose_matter_it_is(error: str, outcome: Outcome) -> None:
    async with ScriptedRedis(f"-{error}\r\n".encode()) as server, connected_to(server) as redis:
        outcomes = await outcomes_on(redis)

    assert outcomes == [outcome] * 2


async def test_nobody_gets_the_answer_to_a_cancelled_batch() -> None:
    """F-68: the connection goes with the call that was cancelled on it."""
    async with ScriptedRedis(None) as server, connected_to(server) as redis:
        cancelled = asyncio.create_task(outcomes_on(redis))
        await server.asked.wait()
        cancelled.cancel()
        with suppress(asyncio.CancelledError):
            await cancelled
        server.answer_late(b"$10\r\nsuperseded\r\n" * 2)
        server.answer = b"$7\r\nwritten\r\n"

        outcomes = await outcomes_on(redis)

    assert outcomes == [Landed.WRITTEN] * 2


@asynccontextmanager
async def connected_to(server: "ScriptedRedis") -> AsyncIterator[Redis]:
    redis = create_redis(f"redis://{HOST}:{server.port}/0", RedisPolicy(max_connections=1))
    try:
        yield redis
    finally:
        await redis.aclose()


class ScriptedRedis:
    """Gives every EVALSHA the same answer, or none; all else is fine."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "ScriptedRedis":
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    def answer_late(self, answer: bytes) -> None:
        for writer in self._writers:
            writer.write(answer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(ConnectionError):
            while head := await reader.readline():
                command = [await self._argument(reader) for _ in range(int(head[1:]))]
                if command[0] != b"EVALSHA":
                    writer.write(b"+PONG\r\n" if command[0] == b"PING" else b"+OK\r\n")
                elif self.answer is None:
                    self.asked.set()
                else:
                    writer.write(self.answer)

    async def _argument(self, reader: asyncio.StreamReader) -> bytes:
        length = int((await reader.readline())[1:])
        return (await reader.readexactly(length + 2))[:-2]
