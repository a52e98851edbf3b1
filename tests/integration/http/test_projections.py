"""On-call: what is owed and why, page by page, and owing it anew with the number said first."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import a_packet, lines
from tests.integration.http.test_reading import pages
from tests.integration.http.test_snapshots import shown

PROJECTIONS = "/v1/projections"

ITEM = {
    "projectionId",
    "subjectId",
    "status",
    "version",
    "publishedVersion",
    "attemptCount",
    "lastError",
    "pendingSinceMs",
    "dueAtMs",
    "updatedAtMs",
    "fingerprint",
}

GIVE_UP = text("""
    update patient_monitoring_snapshot_projections
    set status = 'failed', published_version = version - 1, due_at = null, relay_at = 'infinity',
        attempt_count = 20, last_error = 'WRONGTYPE', pending_since = now() - interval '1 h',
        lease_token = null
    where demo_subject_id = any(:subjects)
""")
MEND = text("""
    update patient_monitoring_snapshot_projections
    set status = 'published', published_version = version, due_at = null, pending_since = null
    where status <> 'published'
""")


@pytest.fixture
async def given_up(client: httpx2.AsyncClient, database: AsyncEngine) -> AsyncIterator[list[str]]:
    """Three patients whose projection waits for an operator; nobody else is owed anything."""
    subjects = [(await shown(client))["subjectId"] for _ in range(3)]
    async with database.begin() as connection:
        await connection.execute(MEND)
        await connection.execute(GIVE_UP, {"subjects": subjects})
    yield [f"monitoring-snapshot:{subject}" for subject in sorted(subjects)]
    async with database.begin() as connection:
        await connection.execute(MEND)


async def ids(client: httpx2.AsyncClient, **which: Any) -> list[str]:
    answer = await client.get(PROJECTIONS, params=which)
    assert answer.status_code == 200
    return [item["projectionId"] for item in answer.json()["items"]]


class TestReading:
    async def test_a_projection_is_told_without_its_content(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = await shown(client)

        answer = await client.get(f"{PROJECTIONS}/monitoring-snapshot:{packet['subjectId']}")

        item = answer.json()
        assert answer.status_code == 200
        assert set(item) == ITEM
        assert item["subjectId"] == packet["subjectId"]
        assert (item["status"], item["version"], item["publishedVersion"]) == ("published", 1, 1)
        assert (item["lastError"], item["pendingSinceMs"], item["dueAtMs"]) == (None, None, None)

    async def test_why_it_failed_is_told(
        self, client: httpx2.AsyncClient, given_up: list[str]
    ) -> None:
        item = (await client.get(f"{PROJECTIONS}/{given_up[0]}")).json()

        assert (item["status"], item["lastError"]) == ("failed", "WRONGTYPE")
        assert (item["attemptCount"], item["dueAtMs"]) == (20, None)
        assert item["pendingSinceMs"] < item["updatedAtMs"]

    async def test_what_does_not_exist_is_not_found(self, client: httpx2.AsyncClient) -> None:
        answers = [
            await client.get(f"{PROJECTIONS}/monitoring-snapshot:nobody"),
            await client.post(f"{PROJECTIONS}/monitoring-snapshot:nobody/retry"),
        ]

        assert [answer.status_code for answer in answers] == [404, 404]

    @pytest.mark.parametrize(
        "which",
        [{"status": "failed"}, {"olderThanSeconds": 60}, {"status": "failed", "limit": 3}],
    )
    async def test_conditions_hold_at_once(
        self, client: httpx2.AsyncClient, given_up: list[str], which: dict[str, Any]
    ) -> None:
        assert await ids(client, **which) == given_up
        assert await ids(client, **which | {"olderThanSeconds": 7_200}) == []
        assert await ids(client, **which, subjectId=given_up[1].partition(":")[2]) == [given_up[1]]

    async def test_all_of_them_are_read_page_by_page(self, client: httpx2.AsyncClient) -> None:
        body = lines(a_packet() for _ in range(30))
        await client.post(
            "/v1/signal-packets/batch",
            content=body,
            headers={"Content-Type": "application/x-ndjson"},
        )
        summary = (await client.get(f"{PROJECTIONS}/summary")).json()
        total = sum(summary[status] for status in ("pending", "published", "failed"))

        found = await pages(client, PROJECTIONS, limit=min(500, total // 5))

        names = [item["projectionId"] for page in found for item in page]
        assert names == sorted(set(names))
        assert len(names) == total
        assert len(found) > 5

    async def test_a_filter_holds_on_every_page(
        self, client: httpx2.AsyncClient, given_up: list[str]
    ) -> None:
        found = await pages(client, PROJECTIONS, status="failed", limit=2)

        assert [[item["projectionId"] for item in page] for page in found] == [
            given_up[:2],
            given_up[2:],
        ]

    async def test_the_summary_counts(
        self, client: httpx2.AsyncClient, given_up: list[str]
    ) -> None:
        summary = (await client.get(f"{PROJECTIONS}/summary")).json()

        published = summary.pop("published")
        oldest = summary.pop("oldestUnpublishedMs")
        assert published > 0
        assert 3_600_000 <= oldest < 3_700_000
        assert summary == {
            "pending": 0,
            "failed": 3,
            "due": 0,
            "givenUp": 3,
            "oldestUnpublishedHighMs": None,
            "lastCompleteSweepMs": None,
            "incarnation": 1,
        }

    @pytest.mark.parametrize(
        ("which", "pointer"),
        [
            ({"status": "lost"}, "/query/status"),
            ({"olderThanSeconds": "-1"}, "/query/olderThanSeconds"),
            ({"olderThanSeconds": "nan"}, "/query/olderThanSeconds"),
            ({"olderThanSeconds": "1e300"}, "/query/olderThanSeconds"),
            ({"subjectId": "x" * 65}, "/query/subjectId"),
            ({"limit": "0"}, "/query/limit"),
            ({"limit": "501"}, "/query/limit"),
            ({"statuss": "failed"}, "/query"),
        ],
    )
    async def test_other_conditions_are_refused(
        self, client: httpx2.AsyncClient, which: dict[str, str], pointer: str
    ) -> None:
        answer = await client.get(PROJECTIONS, params=which)

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


class TestRetrying:
    async def test_one_is_owed_anew_as_its_next_version(
        self, client: httpx2.AsyncClient, given_up: list[str]
    ) -> None:
        answer = await client.post(f"{PROJECTIONS}/{given_up[0]}/retry")

        item = answer.json()
        assert answer.status_code == 200
        assert (item["status"], item["version"], item["attemptCount"]) == ("pending", 2, 0)
        assert item["lastError"] is None
        assert item["dueAtMs"] is not None

    async def test_what_is_published_is_left_alone(self, client: httpx2.AsyncClient) -> None:
        packet = await shown(client)
        url = f"{PROJECTIONS}/monitoring-snapshot:{packet['subjectId']}"
        before = (await client.get(url)).json()

        answer = await client.post(f"{url}/retry")

        assert answer.json() == before

    async def test_all_that_match_are_owed_anew(
        self, client: httpx2.AsyncClient, given_up: list[str]
    ) -> None:
        asked = {"filter": {"status": "failed"}, "expectedCount": 3, "reason": "Redis is mended"}

        answer = await client.post(f"{PROJECTIONS}/retry", json=asked)

        assert answer.status_code == 200
        assert answer.json() == {"matched": 3, "changed": 3, "skipped": 0}
        assert await ids(client, status="failed") == []

    async def test_another_number_than_expected_changes_nothing(
        self, client: httpx2.AsyncClient, given_up: list[str]
    ) -> None:
        asked = {"filter": {"status": "failed"}, "expectedCount": 2, "reason": "x"}

        answer = await client.post(f"{PROJECTIONS}/retry", json=asked)

        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/count-changed"
        assert answer.json()["matching"] == 3
        assert await ids(client, status="failed") == given_up

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"expectedCount": None}, "/expectedCount"),
            ({"expectedCount": -1}, "/expectedCount"),
            ({"reason": ""}, "/reason"),
            ({"reason": "x" * 501}, "/reason"),
            ({"reason": None}, "/reason"),
            ({"filter": {"status": "lost"}}, "/filter/status"),
            ({"filter": {"olderThanSeconds": -1}}, "/filter/olderThanSeconds"),
            ({"filter": {"subjectId": "a\0b"}}, "/filter/subjectId"),
            ({"filter": {"colour": "red"}}, "/filter"),
            ({"colour": "red"}, ""),
        ],
    )
    async def test_what_is_no_such_request_is_refused(
        self, client: httpx2.AsyncClient, changes: dict[str, Any], pointer: str
    ) -> None:
        asked = {"filter": {}, "expectedCount": 0, "reason": "x"} | changes
        sent = {name: value for name, value in asked.items() if value is not None}

        answer = await client.post(f"{PROJECTIONS}/retry", json=sent)

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]

    async def test_what_is_no_json_is_refused(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post(
            f"{PROJECTIONS}/retry", content=b"{oops", headers={"Content-Type": "application/json"}
        )

        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/malformed-json"
