"""What is told while a server is away, and that nothing has to be done once it is back."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests import servers
from tests.integration.http.packets import SESSION_MS, a_packet, id_of, lines
from tests.integration.http.serving import Api, until_true
from tests.integration.http.test_snapshots import shown, url_of

PACKETS = "/v1/signal-packets"


@pytest.fixture(autouse=True)
async def mended(api: Api) -> AsyncIterator[None]:
    """Whatever a test did, the next one finds everything working."""
    yield
    await api.works()


async def stored(database: AsyncEngine, packet: dict[str, object]) -> bool:
    async with database.connect() as connection:
        found = await connection.scalar(
            text("select count(*) from patient_signal_packets where packet_id = :id"),
            {"id": id_of(packet)},
        )
    return found == 1


def assert_unavailable(answer: httpx2.Response, slug: str = "storage-unavailable") -> None:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["type"] == f"/problems/{slug}"


class TestPostgresAway:
    async def test_a_packet_is_not_stored_and_may_come_again(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet()
        with api.postgres.is_down():
            refused = await client.post(PACKETS, json=packet)

        async def accepted() -> bool:
            return (await client.post(PACKETS, json=packet)).status_code == 201

        assert_unavailable(refused)
        await until_true(accepted)

    async def test_every_line_of_a_batch_is_told(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        with api.postgres.is_down():
            answer = await client.post(
                f"{PACKETS}/batch",
                content=lines(a_packet() for _ in range(3)),
                headers={"Content-Type": "application/x-ndjson"},
            )

        *told, last = map(json.loads, answer.text.splitlines())
        assert [(line["line"], line["status"]) for line in told] == [(1, 503), (2, 503), (3, 503)]
        assert {line["problem"]["type"] for line in told} == {"/problems/storage-unavailable"}
        assert last["summary"]["rejected"] == 3

    @pytest.mark.parametrize(
        "url",
        [
            f"{PACKETS}/a:b:1",
            "/v1/subjects/nobody/signal-packets",
            "/v1/subjects/nobody/snapshot",
            "/v1/encounters/nobody/assessments",
            "/v1/projections",
            "/v1/projections/summary",
            "/v1/projections/monitoring-snapshot:nobody",
        ],
    )
    async def test_what_only_postgres_knows_is_unavailable(
        self, api: Api, client: httpx2.AsyncClient, url: str
    ) -> None:
        with api.postgres.is_down():
            answer = await client.get(url)

        assert_unavailable(answer)

    async def test_what_redis_has_is_shown(self, api: Api, client: httpx2.AsyncClient) -> None:
        packet = await shown(client)

        with api.postgres.is_down():
            answer = await client.get(url_of(packet))

        assert answer.status_code == 200
        assert answer.headers["vitalrelay-source"] == "redis"

    async def test_a_server_that_turns_everybody_away_is_away(
        self,
        client: httpx2.AsyncClient,
        database: AsyncEngine,
        http_database: str,
        postgres_server: str,
    ) -> None:
        """It answers, and what it says to a login is an error like when it starts or is full."""
        packet = a_packet()
        await database.dispose()
        with turned_away(http_database, postgres_server):
            refused = [
                await client.post(PACKETS, json=packet),
                await client.get(f"{PACKETS}/a:b:1"),
                await client.get("/v1/projections/summary"),
            ]
            ready = await client.get("/readyz")

        async def accepted() -> bool:
            return (await client.post(PACKETS, json=packet)).status_code == 201

        for answer in refused:
            assert_unavailable(answer)
        assert ready.status_code == 503
        await until_true(accepted)


@contextmanager
def turned_away(database_url: str, server_url: str) -> Iterator[None]:
    name = database_url.rpartition("/")[2]
    servers.execute(server_url, f"alter database {name} allow_connections false")
    try:
        servers.execute(
            server_url,
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'",
        )
        yield
    finally:
        servers.execute(server_url, f"alter database {name} allow_connections true")


class TestAnswersLost:
    async def test_the_answer_to_a_commit_is_lost_and_the_next_try_tells(
        self, api: Api, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        packet = a_packet()
        api.postgres.cut = ("down", b"COMMIT\0")

        unknown = await client.post(PACKETS, json=packet)
        is_stored = await stored(database, packet)
        again = await client.post(PACKETS, json=packet)

        assert_unavailable(unknown, "outcome-unknown")
        assert is_stored
        assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")

    async def test_a_commit_never_arrives_and_the_next_try_stores(
        self, api: Api, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        packet = a_packet()
        api.postgres.cut = ("up", b"COMMIT;\0")

        unknown = await client.post(PACKETS, json=packet)
        is_stored = await stored(database, packet)
        again = await client.post(PACKETS, json=packet)

        assert_unavailable(unknown, "outcome-unknown")
        assert not is_stored
        assert (again.status_code, again.json()["outcome"]) == (201, "stored")

    async def test_what_is_cut_before_the_commit_is_certainly_not_stored(
        self, api: Api, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        packet = a_packet()
        api.postgres.cut = ("up", packet["deviceId"].encode())

        refused = await client.post(PACKETS, json=packet)
        is_stored = await stored(database, packet)

        assert_unavailable(refused)
        assert not is_stored


class TestRedisAway:
    async def test_packets_are_acknowledged_as_ever(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        with api.redis.is_down():
            answers = await asyncio.gather(
                *(client.post(PACKETS, json=a_packet()) for _ in range(20))
            )

        assert [answer.status_code for answer in answers] == [201] * 20

    async def test_a_silent_redis_keeps_no_packet_waiting(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        loop = asyncio.get_running_loop()
        packet = a_packet()
        with api.redis.is_silent():
            began = loop.time()
            for late in range(10):
                answer = await client.post(
                    PACKETS, json=packet | {"timestampMs": SESSION_MS + late}
                )
                assert answer.status_code == 201
            took = loop.time() - began

        assert took < 1.5
