"""All patients, a page at a time: what a screen loads first."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import a_packet
from tests.integration.http.serving import Api
from tests.integration.http.test_outages import assert_unavailable
from tests.integration.http.test_snapshots import forged, shown
from vitalrelay.adapters.inbound.http.cursors import write_cursor
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.domain.packet import SubjectId

URL = "/v1/snapshots"
SITES = itertools.count(1)

Page = dict[str, Any]


@pytest.fixture(autouse=True)
async def mended(api: Api) -> AsyncIterator[None]:
    """Whatever a test did, the next one finds everything working."""
    yield
    await api.works()


@pytest.fixture
def site() -> str:
    """Of one test alone."""
    return f"site-{next(SITES)}"


async def ward_of(client: httpx2.AsyncClient, site: str, beds: int) -> list[str]:
    """Patients in order of their ids, whose snapshots are in Redis; they came in another order."""
    subjects = [f"{site}-{bed:02}" for bed in range(beds)]
    for subject in reversed(subjects):
        await shown(client, siteId=site, subjectId=subject)
    return subjects


async def pages_of(client: httpx2.AsyncClient, **asked: Any) -> list[Page]:
    """By the links alone."""
    answer = await client.get(URL, params=asked)
    pages = [answer.json()]
    while "next" in answer.links:
        answer = await client.get(answer.links["next"]["url"])
        pages.append(answer.json())
    return pages


def on(page: Page) -> list[str]:
    return [item["snapshot"]["subjectId"] for item in page["items"]]


def sources(pages: list[Page]) -> set[str]:
    return {item["source"] for page in pages for item in page["items"]}


class TestPages:
    async def test_everybody_of_a_site_is_on_one_page_in_order(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        subjects = await ward_of(client, site, 5)
        await shown(client, siteId=f"{site}0", subjectId=f"{site}-00-of-another-site")

        pages = await pages_of(client, siteId=site, limit=2)

        assert [on(page) for page in pages] == [subjects[:2], subjects[2:4], subjects[4:]]
        assert [page["complete"] for page in pages] == [True] * 3
        assert [page["next"] is None for page in pages] == [False, False, True]
        assert sources(pages) == {"redis"}

    async def test_a_page_that_is_just_full_is_the_last(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        subjects = await ward_of(client, site, 2)

        [page] = await pages_of(client, siteId=site, limit=2)

        assert on(page) == subjects
        assert page["next"] is None

    async def test_without_a_site_everybody_is_there(
        self, client: httpx2.AsyncClient, database: AsyncEngine, site: str
    ) -> None:
        await ward_of(client, site, 3)

        pages = await pages_of(client)
        async with database.connect() as connection:
            known = await connection.scalars(
                text("select demo_subject_id from patient_monitoring_snapshot_projections")
            )

        assert [subject for page in pages for subject in on(page)] == sorted(known)
        assert max(len(page["items"]) for page in pages) <= 200

    async def test_an_item_is_what_is_read_alone_with_its_age(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        [subject] = await ward_of(client, site, 1)

        answer = await client.get(URL, params={"siteId": site})
        alone = await client.get(f"/v1/subjects/{subject}/snapshot")

        page = answer.json()
        assert answer.headers["cache-control"] == "private, no-cache"
        assert page["items"] == [
            {
                "source": "redis",
                "ageMs": page["serverTimeMs"] - alone.json()["asOfMs"],
                "snapshot": alone.json(),
            }
        ]

    async def test_a_site_where_nobody_is_has_an_empty_page(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        page = (await client.get(URL, params={"siteId": site})).json()

        assert (page["items"], page["next"], page["complete"]) == ([], None, True)

    @pytest.mark.parametrize(
        ("asked", "pointer"),
        [
            ({"limit": "0"}, "/query/limit"),
            ({"limit": "201"}, "/query/limit"),
            ({"limit": "x"}, "/query/limit"),
            ({"siteId": "a:b"}, "/query/siteId"),
            ({"siteId": ""}, "/query/siteId"),
            ({"cursor": write_cursor("a:b")}, "/query/cursor"),
            ({"cursor": write_cursor("a\0")}, "/query/cursor"),
            ({"subjectId": "p-1", "limit": "200"}, "/query"),
            ({"subjectId": "p-1", "siteId": "s-1"}, "/query"),
            ({"subjectId": "p-1", "cursor": write_cursor("p-0")}, "/query"),
        ],
    )
    async def test_what_belongs_to_no_page_is_refused(
        self, client: httpx2.AsyncClient, asked: dict[str, str], pointer: str
    ) -> None:
        answer = await client.get(URL, params=asked)

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
        assert answer.json()["errors"][0]["pointer"] == pointer

    @pytest.mark.parametrize("cursor", ["x", write_cursor(1), write_cursor(), write_cursor("a", 1)])
    async def test_a_cursor_of_somebody_else_is_refused(
        self, client: httpx2.AsyncClient, cursor: str
    ) -> None:
        answer = await client.get(URL, params={"cursor": cursor})

        assert answer.status_code == 422


class TestInstead:
    async def test_who_is_not_whole_in_redis_is_read_from_postgres(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys, site: str
    ) -> None:
        subjects = await ward_of(client, site, 3)
        gone, damaged = (http_keys.document(SubjectId(subject)) for subject in subjects[:2])
        await redis.delete(gone)
        await redis.set(damaged, "not json")

        [page] = await pages_of(client, siteId=site)

        assert on(page) == subjects
        assert [item["source"] for item in page["items"]] == ["postgres", "postgres", "redis"]
        assert page["complete"] is True

    async def test_without_redis_everybody_is_read_from_postgres(
        self, api: Api, client: httpx2.AsyncClient, site: str
    ) -> None:
        subjects = await ward_of(client, site, 3)

        with api.redis.is_down():
            pages = await pages_of(client, siteId=site, limit=2)

        assert [on(page) for page in pages] == [subjects[:2], subjects[2:]]
        assert sources(pages) == {"postgres"}
        assert [page["complete"] for page in pages] == [True, True]

    async def test_without_postgres_a_screen_still_starts_and_is_told_what_it_has(
        self, api: Api, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys, site: str
    ) -> None:
        """Whoever is not whole in Redis is missing, so the page says that somebody may be."""
        subjects = await ward_of(client, site, 7)
        first, damaged, nobody = (
            http_keys.document(SubjectId(name)) for name in (*subjects[:2], f"{site}-no:patient")
        )
        await redis.set(damaged, "not json")
        await redis.set(nobody, forged(await redis.get(first), subjectId=f"{site}-no:patient"))
        await shown(client, siteId=f"{site}0", subjectId=f"{site}-00-of-another-site")

        with api.postgres.is_down():
            pages = await pages_of(client, siteId=site, limit=2)

        assert [on(page) for page in pages] == [
            [subjects[0], subjects[2]],
            [subjects[3], subjects[4]],
            [subjects[5], subjects[6]],
        ]
        assert [page["complete"] for page in pages] == [False] * 3
        assert sources(pages) == {"redis"}

    async def test_a_cursor_means_the_same_with_and_without_postgres(
        self, api: Api, client: httpx2.AsyncClient, site: str
    ) -> None:
        subjects = await ward_of(client, site, 4)
        first = (await client.get(URL, params={"siteId": site, "limit": 1})).json()

        with api.postgres.is_down():
            second = await client.get(
                URL, params={"siteId": site, "limit": 1, "cursor": first["next"]}
            )
        await api.works()
        rest = await client.get(URL, params={"siteId": site, "cursor": second.json()["next"]})

        assert [on(first), on(second.json()), on(rest.json())] == [
            subjects[:1],
            subjects[1:2],
            subjects[2:],
        ]
        assert [page["complete"] for page in (first, second.json(), rest.json())] == [
            True,
            False,
            True,
        ]

    async def test_without_postgres_everybody_in_redis_is_there(
        self, api: Api, client: httpx2.AsyncClient, site: str
    ) -> None:
        subjects = await ward_of(client, site, 3)
        whole = [subject for page in await pages_of(client) for subject in on(page)]

        with api.postgres.is_down():
            pages = await pages_of(client, limit=50)

        found = [subject for page in pages for subject in on(page)]
        assert set(subjects) <= set(found) <= set(whole)
        assert found == sorted(found)

    async def test_without_either_nothing_is_made_up(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        await client.post("/v1/signal-packets", json=a_packet())

        with api.postgres.is_down(), api.redis.is_down():
            answer = await client.get(URL)

        assert_unavailable(answer)
