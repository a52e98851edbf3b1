"""The event stream as a screen sees it: what changed, from where it left off, whatever happens."""

import asyncio
import contextlib
import json
import resource
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import uvicorn
from redis.asyncio import Redis
from uvicorn.server import ServerState

from persistence.redis_client import RedisPolicy, create_redis
from tests import servers
from tests.integration.http.packets import a_packet
from tests.integration.http.serving import (
    HOST,
    Api,
    Connection,
    connected,
    serving,
    until,
    until_true,
)
from tests.unit.test_snapshot_feed import Counts
from vitalrelay.adapters.inbound.http.app import create_app
from vitalrelay.adapters.inbound.http.server import (
    DeadlineProtocol,
    allow_many_connections,
    shared_socket,
)
from vitalrelay.adapters.inbound.http.services import Services
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.adapters.inbound.snapshot_feed import FeedLimits, SnapshotFeed
from vitalrelay.adapters.inbound.snapshot_screen import Streamed
from vitalrelay.adapters.outbound.memory.snapshot_events import MemorySnapshotEvents
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.embedded import EmbeddedValkey
from vitalrelay.embedded.loopback import a_free_port

STREAM = "/v1/snapshots/stream"
KEYS = Keys(f"{servers.SESSION}-stream")
OWN = Keys(f"{servers.SESSION}-own-stream")
HEARTBEAT_S = 0.3
SCREENS = 12
LONG_S = 30.0


@dataclass(frozen=True)
class Said:
    event: str
    data: Any
    id: str | None


class Ended(Exception):
    """The stream did."""


@dataclass
class Screen:
    wire: Connection
    said: list[Said] = field(default_factory=list)
    rest: bytes = b""

    async def next(self) -> Said:
        """What is said next. Raises Ended."""
        while b"\n\n" not in self.rest:
            chunk = await self.wire.chunk()
            if not chunk:
                raise Ended
            self.rest += chunk
        block, _, self.rest = self.rest.partition(b"\n\n")
        lines = dict(line.split(": ", 1) for line in block.decode().split("\n"))
        self.said.append(Said(lines["event"], json.loads(lines["data"]), lines.get("id")))
        return self.said[-1]

    async def next_of(self, *events: str) -> Said:
        """The next that is not about other things; heartbeats are."""
        async with asyncio.timeout(LONG_S):
            while (said := await self.next()).event not in events:
                assert said.event in ("hello", "heartbeat", "resumed", "interrupted"), said
        return said

    async def up_to(self, position: str) -> None:
        async with asyncio.timeout(LONG_S):
            while not (self.said and self.said[-1].id == position):
                await self.next()

    async def end(self) -> None:
        with contextlib.suppress(Ended):
            while True:
                await self.next()

    @property
    def snapshots(self) -> list[str]:
        """Their positions."""
        return [str(said.id) for said in self.said if said.event == "snapshot"]

    @property
    def subjects(self) -> list[str]:
        return [said.data["subjectId"] for said in self.said if said.event == "snapshot"]


@asynccontextmanager
async def watching(
    api: "Api | Here", query: str = "", last: str | None = None, said: Sequence[Said] = ()
) -> AsyncIterator[Screen]:
    """A screen that has been greeted."""
    more = f"Last-Event-ID: {last}\r\n" if last is not None else ""
    async with connected(api) as wire:
        await wire.send(f"GET {STREAM}{query} HTTP/1.1\r\nHost: here\r\n{more}\r\n".encode())
        head = await wire.head()
        assert head.status == 200, head
        screen = Screen(wire, list(said))
        assert (await screen.next()).event == "hello"
        yield screen


async def publish(redis: Redis, *subjects: str, keys: Keys = KEYS) -> list[str]:
    """As the publish script adds them; their positions."""
    async with redis.pipeline(transaction=False) as pipeline:
        for version, subject in enumerate(subjects):
            event = {"subjectId": subject, "incarnation": 1, "version": version}
            pipeline.xadd(keys.events, event | {"fingerprint": f"sha256:{version}"})
        return [added.decode() for added in await pipeline.execute()]


async def held(redis: Redis, keys: Keys = KEYS) -> list[str]:
    return [position.decode() for position, _ in await redis.xrange(keys.events)]


@pytest.fixture(scope="module")
async def api(http_database: str, redis_url: str) -> AsyncIterator[Api]:
    settings = {
        "VITALRELAY_KEY_PREFIX": KEYS.prefix,
        "VITALRELAY_STREAM_HEARTBEAT": str(HEARTBEAT_S),
        "VITALRELAY_STREAM_CLIENTS": str(SCREENS),
        "VITALRELAY_BODY_TIMEOUT": "0.5",
    }
    with serving(http_database, redis_url, **settings) as api:
        await api.is_ready()
        yield api


@pytest.fixture(scope="module")
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    async with api.client() as client:
        yield client


@pytest.fixture
async def own_api(http_database: str, own_redis_url: str, own_redis: Redis) -> AsyncIterator[Api]:
    """On a Redis that the test may flush."""
    with own_serving(http_database, own_redis_url) as api:
        await api.is_ready()
        yield api


def own_serving(database_url: str, redis_url: str) -> contextlib.AbstractContextManager[Api]:
    return serving(
        database_url,
        redis_url,
        VITALRELAY_KEY_PREFIX=OWN.prefix,
        VITALRELAY_STREAM_HEARTBEAT=str(HEARTBEAT_S),
    )


class TestListening:
    async def test_it_is_a_stream_that_nobody_keeps_to_himself(self, api: Api) -> None:
        async with connected(api) as wire:
            await wire.send(f"GET {STREAM} HTTP/1.1\r\nHost: here\r\n\r\n".encode())

            head = await wire.head()

        assert head.status == 200
        assert head.headers["content-type"] == "text/event-stream"
        assert head.headers["cache-control"] == "no-cache"
        assert head.headers["x-accel-buffering"] == "no"
        assert "x-request-id" in head.headers

    async def test_hello_comes_first_with_the_place_from_which_it_goes_on(
        self, api: Api, redis: Redis
    ) -> None:
        async with watching(api) as witness:
            [newest] = await publish(redis, "p-1")
            await witness.up_to(newest)

            async with watching(api) as screen:
                [hello] = screen.said

        assert hello.id == newest
        assert hello.data["heartbeatSeconds"] == HEARTBEAT_S
        assert abs(hello.data["serverTimeMs"] / 1000 - await time_of(redis)) < LONG_S

    async def test_a_packet_becomes_an_event(self, api: Api, client: httpx2.AsyncClient) -> None:
        async with watching(api) as screen:
            receipt = (await client.post("/v1/signal-packets", json=a_packet())).json()
            said = await screen.next_of("snapshot")

        assert said.data == {
            "subjectId": receipt["subjectId"],
            "incarnation": 1,
            "version": receipt["projection"]["version"],
            "fingerprint": receipt["projection"]["fingerprint"],
        }

    async def test_only_the_patients_asked_for_are_heard_of(self, api: Api, redis: Redis) -> None:
        async with watching(api, "?subjectId=p-1&subjectId=p-3") as screen:
            *_, last = await publish(redis, "p-1", "p-2", "p-3", "p-2", "p-1")
            await screen.up_to(last)

        assert screen.subjects == ["p-1", "p-3", "p-1"]

    async def test_its_heart_beats_and_moves_no_place(self, api: Api) -> None:
        async with watching(api) as screen:
            beats = [await screen.next_of("heartbeat") for _ in range(3)]

        assert [beat.id for beat in beats] == [None] * 3
        assert all(set(beat.data) == {"serverTimeMs"} for beat in beats)


async def time_of(redis: Redis) -> float:
    seconds, _ = await redis.time()
    return float(seconds)


class TestComingBack:
    async def test_nothing_is_missing_and_nothing_is_repeated_while_others_publish(
        self, http_database: str, redis_url: str, redis: Redis
    ) -> None:
        """From the store at first: there is more than the process holds."""
        keys = Keys(f"{servers.SESSION}-back")
        first, *_ = await publish(redis, *(f"p-{n % 9}" for n in range(6_000)), keys=keys)
        settings = {"VITALRELAY_KEY_PREFIX": keys.prefix}
        with serving(http_database, redis_url, **settings) as api:
            await api.is_ready()
            publishing = asyncio.create_task(publish_for_a_while(redis, keys))
            said: list[Said] = []
            last = first
            for turn in range(1, 11):
                async with watching(api, last=last, said=said) as screen:
                    while len(screen.snapshots) < turn * 699:
                        await screen.next()
                    said, last = screen.said, screen.snapshots[-1]
            await publishing

        assert screen.snapshots == (await held(redis, keys))[1:]
        assert {one.event for one in said} <= {"hello", "snapshot", "heartbeat"}

    @pytest.mark.parametrize("strangers", [0, 1, 2, 3])
    async def test_what_others_write_to_the_stream_disturbs_nobody(
        self, http_database: str, redis_url: str, redis: Redis, strangers: int
    ) -> None:
        """Wherever it stands: among what was before the process, or at its very end."""
        keys = Keys(f"{servers.SESSION}-strange-{strangers}")
        first, second = await publish(redis, "p-1", "p-2", keys=keys)
        after = [first, second]
        for _ in range(strangers):
            after.append((await redis.xadd(keys.events, {"what": "ever"})).decode())
        with serving(http_database, redis_url, VITALRELAY_KEY_PREFIX=keys.prefix) as api:
            await api.is_ready()
            async with contextlib.AsyncExitStack() as stack:
                screens = [
                    await stack.enter_async_context(watching(api, last=last)) for last in after
                ]
                [third] = await publish(redis, "p-3", keys=keys)
                await redis.xadd(keys.events, {"what": "ever"})
                [fourth] = await publish(redis, "p-4", keys=keys)
                await asyncio.gather(*(screen.up_to(fourth) for screen in screens))

        assert screens[0].snapshots == [second, third, fourth]
        assert all(screen.snapshots == [third, fourth] for screen in screens[1:])

    async def test_after_the_start_comes_everything(self, api: Api, redis: Redis) -> None:
        everything = await publish(redis, "p-1") and await held(redis)

        async with watching(api, last="0-0") as screen:
            await screen.up_to(everything[-1])

        assert screen.snapshots == everything

    async def test_who_cannot_send_a_header_says_it_in_the_query(
        self, api: Api, redis: Redis
    ) -> None:
        first, second, third = await publish(redis, "p-1", "p-2", "p-3")

        async with watching(api, f"?lastEventId={first}") as by_query:
            await by_query.up_to(third)
        async with watching(api, f"?lastEventId={first}", last=second) as by_both:
            await by_both.up_to(third)

        assert by_query.snapshots == [second, third]
        assert by_both.snapshots == [third]

    async def test_only_the_patients_asked_for_are_caught_up_with(
        self, api: Api, redis: Redis
    ) -> None:
        first, *_, last = await publish(redis, "p-1", "p-2", "p-3", "p-2")

        async with watching(api, "?subjectId=p-2", last=first) as screen:
            await screen.up_to(last)

        assert screen.subjects == ["p-2", "p-2"]

    async def test_what_was_trimmed_is_told_and_then_what_comes(
        self, http_database: str, own_redis_url: str, own_redis: Redis
    ) -> None:
        first, *_, newest = await publish(own_redis, *["p-1"] * 50, keys=OWN)
        await own_redis.xtrim(OWN.events, maxlen=5, approximate=False)

        with own_serving(http_database, own_redis_url) as api:
            await api.is_ready()
            async with watching(api, last=first) as screen:
                resync = await screen.next_of("resync")
                [after] = await publish(own_redis, "p-2", keys=OWN)
                await screen.up_to(after)

        assert (resync.data, resync.id) == ({"reason": "trimmed"}, newest)
        assert screen.snapshots == [after]

    @pytest.mark.parametrize("last", ["1-0", f"{2**63}-0", f"{2**64 - 1}-{2**64 - 1}"])
    async def test_what_was_never_ours_is_told_and_then_what_comes(
        self, api: Api, redis: Redis, last: str
    ) -> None:
        async with watching(api) as witness:
            [newest] = await publish(redis, "p-1")
            await witness.up_to(newest)
            async with watching(api, last=last) as screen:
                resync = await screen.next_of("resync")
                [after] = await publish(redis, "p-3")
                await screen.up_to(after)

        assert (resync.data, resync.id) == ({"reason": "lost"}, newest)
        assert screen.snapshots == [after]


async def publish_for_a_while(redis: Redis, keys: Keys) -> None:
    """991 of them."""
    for turn in range(991):
        await publish(redis, f"p-{turn % 9}", keys=keys)


class TestRefusals:
    @pytest.mark.parametrize("last", ["", "x", "5", "5-", "1-2-3", f"1-{2**64}", "PHI-CANARY-7f3a"])
    @pytest.mark.parametrize("place", ["header", "query"])
    async def test_an_id_that_is_none_of_ours_is_refused(
        self, client: httpx2.AsyncClient, last: str, place: str
    ) -> None:
        how: dict[str, Any] = {
            "header": {"headers": {"Last-Event-ID": last}},
            "query": {"params": {"lastEventId": last}},
        }[place]

        answer = await client.get(STREAM, **how)

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
        names = {"header": "Last-Event-ID", "query": "lastEventId"}
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [
            f"/{place}/{names[place]}"
        ]
        assert "CANARY" not in answer.text

    async def test_too_many_patients_are_refused(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get(STREAM, params={"subjectId": [f"p-{n}" for n in range(201)]})

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/query/subjectId"

    async def test_a_misspelt_filter_is_not_lost_without_a_word(
        self, client: httpx2.AsyncClient
    ) -> None:
        answer = await client.get(STREAM, params={"subjectID": "p-1"})

        assert answer.status_code == 422

    @pytest.mark.parametrize(("body", "status"), [("", 408), ("{}", 408), ("[1,2]", 200)])
    async def test_a_body_that_nobody_asked_for_has_to_come_all_the_same(
        self, api: Api, body: str, status: int
    ) -> None:
        async with connected(api) as wire:
            head = f"GET {STREAM} HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\n"
            await wire.send(head.encode() + body.encode())

            assert (await wire.head()).status == status

    async def test_who_has_not_finished_asking_takes_no_place(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        await until_watched_by(client, 0)
        async with contextlib.AsyncExitStack() as unfinished:
            for _ in range(SCREENS):
                wire = await unfinished.enter_async_context(connected(api))
                head = f"GET {STREAM} HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\n{{"
                await wire.send(head.encode())

            async with watching(api):
                assert await watched_by(client) == 1

    async def test_so_many_screens_and_no_more(self, api: Api, client: httpx2.AsyncClient) -> None:
        await until_watched_by(client, 0)
        async with contextlib.AsyncExitStack() as screens:
            for _ in range(SCREENS):
                await screens.enter_async_context(watching(api))
            full = await client.get(STREAM)
            counted = await watched_by(client)

        assert full.status_code == 503
        assert full.json()["type"] == "/problems/overloaded"
        assert full.headers["retry-after"] == "1"
        assert counted == SCREENS
        await until_watched_by(client, 0)

    async def test_who_has_said_everything_and_hangs_up_is_gone(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        """Half a connection is left: what is sent there would never be seen to fail."""
        await until_watched_by(client, 0)
        async with watching(api) as screen:
            screen.wire.writer.write_eof()

            await until_watched_by(client, 0)

    async def test_who_asks_for_more_before_the_end_and_hangs_up_is_gone(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        await until_watched_by(client, 0)
        async with watching(api) as screen:
            await screen.wire.send(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
            await screen.next_of("heartbeat")

        await until_watched_by(client, 0)
        said = {line["event"] for line in await api.all_said()}
        assert "unexpected-error" not in said


async def watched_by(client: httpx2.AsyncClient) -> int:
    return int(await metric(client, "vitalrelay_stream_clients"))


async def until_watched_by(client: httpx2.AsyncClient, screens: int) -> None:
    async with asyncio.timeout(LONG_S):
        while await watched_by(client) != screens:
            pass


async def metric(client: httpx2.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " "))


class TestOneReader:
    @pytest.mark.parametrize("screens", [2, 30])
    async def test_however_many_listen_one_asks_redis(
        self, own_api: Api, own_redis: Redis, screens: int
    ) -> None:
        async with contextlib.AsyncExitStack() as stack:
            here = [await stack.enter_async_context(watching(own_api)) for _ in range(screens)]
            await own_redis.config_resetstat()
            for number in range(40):
                [position] = await publish(own_redis, f"p-{number}", keys=OWN)
                await asyncio.gather(*(screen.up_to(position) for screen in here))
            asked = await own_redis.info("commandstats")
            await until_true(lambda: one_waits(own_redis))

        assert all(len(screen.snapshots) == 40 for screen in here)
        # A little more than twice each for an event, and once a second while there is none.
        assert asked["cmdstat_xread"]["calls"] + asked["cmdstat_xrange"]["calls"] < 400

    async def test_what_it_read_is_counted(
        self, api: Api, client: httpx2.AsyncClient, redis: Redis
    ) -> None:
        name = 'vitalrelay_stream_events_total{kind="event"}'
        async with watching(api) as screen:
            before = await metric(client, name)
            *_, last = await publish(redis, "p-1", "p-2", "p-3")
            await screen.up_to(last)

        assert await metric(client, name) == before + 3


async def one_waits(redis: Redis) -> bool:
    clients: dict[str, int] = await redis.info("clients")
    assert clients["blocked_clients"] <= 1
    return clients["blocked_clients"] == 1


class TestOutages:
    async def test_when_redis_loses_everything_all_are_told_and_hear_what_comes(
        self, own_api: Api, own_redis: Redis
    ) -> None:
        await publish(own_redis, "p-1", keys=OWN)
        async with watching(own_api) as one, watching(own_api, "?subjectId=p-2") as other:
            [known] = await publish(own_redis, "p-2", keys=OWN)
            await asyncio.gather(one.up_to(known), other.up_to(known))
            await own_redis.flushall()
            resyncs = [await screen.next_of("resync") for screen in (one, other)]
            [after] = await publish(own_redis, "p-2", keys=OWN)
            await asyncio.gather(one.up_to(after), other.up_to(after))

        assert {(said.data["reason"], said.id) for said in resyncs} == {("lost", "0-0")}
        assert one.said[-1].data["subjectId"] == "p-2"

    async def test_when_redis_does_not_answer_it_is_told_and_nothing_is_missing(
        self, api: Api, redis: Redis
    ) -> None:
        async with watching(api) as screen:
            with api.redis.is_down():
                await screen.next_of("interrupted")
                published = await publish(redis, "p-1", "p-2")
                beat = await screen.next_of("heartbeat")
                async with watching(api, last=published[0]) as late:
                    await late.next_of("interrupted")
            await screen.next_of("resumed")
            await screen.up_to(published[-1])

        assert beat.id is None
        assert screen.snapshots == published

    async def test_a_silent_redis_is_one_that_does_not_answer(self, api: Api, redis: Redis) -> None:
        async with watching(api) as screen:
            with api.redis.is_silent():
                await screen.next_of("interrupted")
                published = await publish(redis, "p-1")
            await screen.next_of("resumed")
            await screen.up_to(published[-1])

        assert screen.snapshots == published

    async def test_who_comes_meanwhile_is_told_what_it_missed_when_redis_is_back(
        self, http_database: str, redis_url: str, redis: Redis
    ) -> None:
        """To a process that has never seen it answer."""
        keys = Keys(f"{servers.SESSION}-meanwhile")
        published = await publish(redis, "p-1", "p-2", "p-3", keys=keys)
        settings = {"VITALRELAY_KEY_PREFIX": keys.prefix, "VITALRELAY_STREAM_HEARTBEAT": "0.3"}
        with serving(http_database, redis_url, **settings) as api:
            api.redis.down()
            await api.is_ready(**{"for": "ingest"})
            async with watching(api, last=published[0]) as back, watching(api) as new:
                for screen in (back, new):
                    await screen.next_of("interrupted")
                    await screen.next_of("heartbeat")
                api.redis.up()
                for screen in (back, new):
                    await screen.next_of("resumed")
                await back.up_to(published[-1])
                resync = await new.next_of("resync")

        assert back.snapshots == published[1:]
        assert (resync.data, resync.id) == ({"reason": "lost"}, published[-1])

    async def test_a_redis_that_is_stopped_and_started_again_is_heard_again(
        self, http_database: str
    ) -> None:
        with servers.temporary_directory() as place:
            server = EmbeddedValkey(place / "own", port=a_free_port())
            with server, own_serving(http_database, server.url) as api:
                await api.is_ready()
                async with watching(api) as screen, client_of(server) as redis:
                    before = await publish(redis, "p-1", keys=OWN)
                    await screen.up_to(before[0])
                    server.stop()
                    await screen.next_of("interrupted")
                    server.start()
                    after = await publish(redis, "p-2", keys=OWN)
                    await screen.next_of("resumed")
                    while screen.said[-1].event not in ("snapshot", "resync"):
                        await screen.next()

        assert screen.said[-1].id in (after[0], *before)


def client_of(server: EmbeddedValkey) -> contextlib.AbstractAsyncContextManager[Redis]:
    return contextlib.aclosing(create_redis(server.url, RedisPolicy()))


class TestEnding:
    async def test_when_the_process_ends_streams_end_at_once(
        self, http_database: str, redis_url: str, redis: Redis
    ) -> None:
        """Also for one who has not listened for a while."""
        loop = asyncio.get_running_loop()
        keys = Keys(f"{servers.SESSION}-ending")
        settings = {"VITALRELAY_KEY_PREFIX": keys.prefix, "VITALRELAY_DRAIN_TIMEOUT": "8"}
        with serving(http_database, redis_url, **settings) as api:
            await api.is_ready()
            async with watching(api) as screen, deaf(api.port):
                *_, last = await publish(redis, *["p-1"] * 3_000, keys=keys)
                await screen.up_to(last)
                began = loop.time()
                api.process.terminate()
                await screen.end()
                ended = loop.time() - began
                await until(lambda: api.process.poll() is not None)
                gone = loop.time() - began

        assert api.process.returncode == 0
        assert ended < 1
        assert gone < 4


@asynccontextmanager
async def deaf(port: int) -> AsyncIterator[socket.socket]:
    """A screen that asks and never listens; hardly anything is on its way to it."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.setblocking(False)
        await loop.sock_connect(sock, (HOST, port))
        await loop.sock_sendall(sock, f"GET {STREAM} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        yield sock


class Impatient(DeadlineProtocol):
    write_deadline_s = 0.2


@dataclass
class Here:
    """An API in this process, of little patience and with events from memory."""

    port: int
    events: MemorySnapshotEvents
    counts: Counts


@asynccontextmanager
async def here() -> AsyncIterator[Here]:
    events, counts = MemorySnapshotEvents(), Counts()
    limits = FeedLimits(heartbeat=timedelta(seconds=HEARTBEAT_S), screens=SCREENS)
    feed = SnapshotFeed(events, limits, counts)

    @asynccontextmanager
    async def services() -> AsyncIterator[Services]:
        nothing: dict[str, Any] = dict.fromkeys(Services.__dataclass_fields__)
        yield Services(**nothing | {"feed": feed, "metrics": Metrics("0")})

    app = create_app(services, "0", 1.0)
    config, state = uvicorn.Config(app, log_config=None), ServerState()
    async with app.router.lifespan_context(app):
        server = await asyncio.get_running_loop().create_server(
            lambda: Impatient(config, state, {}), sock=shared_socket(HOST, 0)
        )
        yield Here(server.sockets[0].getsockname()[1], events, counts)
        server.close()
        await feed.end()
        await asyncio.gather(*state.tasks)


class TestTooSlow:
    async def test_who_does_not_listen_is_cut_off_and_others_hear_everything(self) -> None:
        async with here() as api, watching(api) as screen, deaf(api.port) as sock:
            await until(lambda: api.counts.screens == 2)
            for number in range(10_000):
                last = api.events.add(f"p-{number}")
            await screen.up_to(str(last.position))
            await until(lambda: api.counts.screens == 1)
            await cut_off(sock)
            last = api.events.add("p-1")
            await screen.up_to(str(last.position))

        assert len(screen.snapshots) == 10_001
        assert api.counts.streamed_[Streamed.DROPPED] == 1

    async def test_who_listens_slowly_is_left_alone(self) -> None:
        """It is not the first pause that counts, but one that does not end."""
        async with here() as api, deaf(api.port) as sock:
            await until(lambda: api.counts.screens == 1)
            for number in range(10_000):
                last = api.events.add(f"p-{number}")
            heard, began = bytearray(), time.monotonic()
            while b"id: %d-0\n" % last.position.ms not in heard[-1_000:]:
                more = await asyncio.get_running_loop().sock_recv(sock, 4_000)
                assert more, "cut off"
                heard += more
                await asyncio.sleep(0.002)

        assert time.monotonic() - began > 3 * Impatient.write_deadline_s
        assert heard.count(b"event: snapshot") == 10_000
        assert api.counts.streamed_[Streamed.DROPPED] == 0


async def cut_off(sock: socket.socket) -> None:
    """Until there is nothing more to hear."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while await loop.sock_recv(sock, 1 << 20):
            pass


def test_whoever_is_accepted_is_not_waited_for_in_vain() -> None:
    """Neither by what is sent ahead, nor after it vanished without a word."""
    with shared_socket(HOST, 0) as listening, socket.socket() as caller:
        caller.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            ahead = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            patience_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert ahead <= 300_000
    assert patience_ms == 30_000


def test_as_many_connections_are_allowed_as_the_system_lets_us() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))

        allow_many_connections()

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(before[1], 65_536) > 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
