"""The review queue: what a clinician should look at, in which order, and what ends it."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.integration.http.packets import SESSION_MS, WELL, a_packet, now_ms
from tests.integration.http.serving import Api
from tests.integration.http.test_alarms import (
    FIELDS,
    ILL,
    JSON,
    MINUTE_MS,
    Packet,
    assert_refused,
    events,
    high,
    sends,
    version,
)
from tests.integration.http.test_outages import assert_unavailable
from tests.integration.http.test_problems import operations
from tests.integration.http.test_reading import pages
from vitalrelay.adapters.inbound.http.cursors import write_cursor

CANARY = "PHI-CANARY-7f3a"
QUEUE = "/v1/review-queue"
HIGH = WELL | ILL
MEDIUM = WELL | {"respiratory_rate": 22, "heart_rate": 115, "temperature": 38.5}
LOW_MEDIUM = WELL | {"heart_rate": 140}
DONE = {"actorRef": "nurse-7", "note": "called the doctor"}
LEVELS: Mapping[str, Mapping[str, Any]] = {
    "high": HIGH,
    "medium": MEDIUM,
    "low-medium": LOW_MEDIUM,
}

SITES = itertools.count(1)


@pytest.fixture
def site() -> str:
    """Of this test alone."""
    return f"site-{uuid4().hex[:8]}-{next(SITES)}"


async def somebody(
    client: httpx2.AsyncClient, site: str, level: str = "high", late_ms: int = 0
) -> Packet:
    """A patient of that site with that risk, an hour ago and so much later."""
    patient = a_packet(siteId=site, timestampMs=SESSION_MS - 60 * MINUTE_MS + late_ms)
    return await sends(client, patient, 0, **(LEVELS | {"low": WELL})[level])


def item_of(patient: Packet) -> str:
    return f"review:{patient.get('encounterId', patient['subjectId'])}"


async def queue(client: httpx2.AsyncClient, **which: Any) -> list[dict[str, Any]]:
    answer = await client.get(QUEUE, params={"limit": 500, **which})
    assert answer.status_code == 200
    assert answer.json()["next"] is None
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def ids(client: httpx2.AsyncClient, **which: Any) -> list[str]:
    return [item["reviewItemId"] for item in await queue(client, **which)]


async def resolve(
    client: httpx2.AsyncClient, item: str, key: str | None = None, **changes: Any
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(f"{QUEUE}/{item}/resolve", json=DONE | changes, headers=headers)


class TestWhatTheRiskDoes:
    async def test_who_should_be_looked_at_is_in_it(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site)

        [item] = await queue(client, siteId=site)

        assert item == {
            "reviewItemId": item_of(patient),
            "encounterId": patient["subjectId"],
            "subjectId": patient["subjectId"],
            "siteId": site,
            "priority": "high",
            "state": "open",
            "updatedMs": patient["timestampMs"],
            "known": sorted(WELL),
            "resolvedBy": None,
        }

    async def test_who_need_not_be_is_not(self, client: httpx2.AsyncClient, site: str) -> None:
        await somebody(client, site, "low")

        assert await queue(client, siteId=site) == []

    async def test_it_rises_falls_and_closes_with_the_risk(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site, "low-medium")
        found = []
        for late_ms, values in enumerate((LOW_MEDIUM, MEDIUM, HIGH, HIGH, MEDIUM, WELL), 1):
            await sends(client, patient, late_ms, **values)
            items = await queue(client, siteId=site)
            found.append([(one["priority"], one["updatedMs"]) for one in items])

        began_ms = patient["timestampMs"]
        assert found == [
            [("low-medium", began_ms)],
            [("medium", began_ms + 2)],
            [("high", began_ms + 3)],
            [("high", began_ms + 3)],
            [("medium", began_ms + 5)],
            [],
        ]

    async def test_knowing_less_neither_lowers_nor_closes_it(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        hours_ago, later = -6 * 60 * MINUTE_MS, 5 * 60 * MINUTE_MS
        patient = await somebody(client, site, "high", hours_ago)

        await sends(client, patient, later, heart_rate=70)
        [item] = await queue(client, siteId=site)

        assert item["priority"] == "high"

    async def test_it_closes_with_its_encounter(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site)
        await sends(client, patient | {"encounterId": f"next-{uuid4().hex[:8]}"}, 1_000, **WELL)

        answer = await resolve(client, item_of(patient))

        assert await queue(client, siteId=site) == []
        assert_refused(answer, 409, "not-possible")
        assert answer.json()["state"] == "closed"


class TestResolving:
    async def test_it_is_done_and_leaves_the_queue(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site)
        [before] = await queue(client, siteId=site)

        answer = await resolve(client, item_of(patient))

        [event] = await events(client, item_of(patient))
        review = {k: v for k, v in before.items() if k not in ("subjectId", "siteId")}
        assert answer.status_code == 200
        assert answer.json() == {
            "outcome": "done",
            "reviewItemId": item_of(patient),
            "review": review | {"state": "resolved", "resolvedBy": "nurse-7"},
            "eventId": event["eventId"],
            "projection": {
                "projectionId": f"monitoring-snapshot:{patient['subjectId']}",
                "version": 2,
            },
        }
        assert await queue(client, siteId=site) == []

    async def test_it_is_in_the_audit_trail(self, client: httpx2.AsyncClient, site: str) -> None:
        patient = await somebody(client, site)
        began_ms, mark = now_ms(), f"r-{uuid4().hex}"

        answer = await client.post(
            f"{QUEUE}/{item_of(patient)}/resolve",
            json=DONE | {"clientTimeMs": 5},
            headers={"X-Request-ID": mark},
        )

        [event] = await events(client, item_of(patient))
        assert set(event) == FIELDS - {"alarmId"} | {"reviewItemId"}
        assert event["reviewItemId"] == item_of(patient)
        assert (event["action"], event["reason"]) == ("resolved", "called the doctor")
        assert (event["actorRef"], event["actorRole"]) == ("nurse-7", "clinician")
        assert (event["requestId"], event["clientTimeMs"]) == (mark, 5)
        assert began_ms - 1_000 <= event["occurredAtMs"] <= now_ms() + 1_000
        assert event["previous"] == answer.json()["review"] | {"state": "open", "resolvedBy": None}
        assert event["current"] == answer.json()["review"]

    async def test_the_screens_are_told(self, client: httpx2.AsyncClient, site: str) -> None:
        patient = await somebody(client, site)

        answer = await resolve(client, item_of(patient))

        url = f"/v1/subjects/{patient['subjectId']}/snapshot"
        snapshot = (await client.get(url, params={"atLeastVersion": 2})).json()
        assert snapshot["review"] == answer.json()["review"]

    async def test_a_second_time_is_nothing_new(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site)
        first = (await resolve(client, item_of(patient))).json()

        again = await resolve(client, item_of(patient), actorRef="nurse-8")

        assert again.json() == first | {"outcome": "unchanged", "eventId": None}
        assert len(await events(client, item_of(patient))) == 1
        assert await version(client, patient) == 2

    async def test_of_two_at_the_same_moment_one_did_it(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site)

        answers = await asyncio.gather(
            *(resolve(client, item_of(patient), actorRef=f"nurse-{n}") for n in range(10))
        )

        outcomes = sorted(answer.json()["outcome"] for answer in answers)
        assert outcomes == ["done", *["unchanged"] * 9]
        assert len({answer.json()["review"]["resolvedBy"] for answer in answers}) == 1
        assert len(await events(client, item_of(patient))) == 1

    async def test_under_a_key_it_is_done_once(self, client: httpx2.AsyncClient, site: str) -> None:
        patient, key = await somebody(client, site), uuid4().hex

        answers = [await resolve(client, item_of(patient), key) for _ in range(3)]
        other = await resolve(client, item_of(patient), key, note="another")

        assert len({answer.content for answer in answers}) == 1
        assert answers[0].json()["outcome"] == "done"
        assert_refused(other, 422, "idempotency-key-reused")

    async def test_what_the_risk_closed_cannot_be_resolved(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site)
        await sends(client, patient, 1_000, **WELL)

        answer = await resolve(client, item_of(patient))

        assert_refused(answer, 409, "not-possible")
        assert answer.json()["state"] == "closed"

    async def test_it_comes_back_when_the_risk_rises(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patient = await somebody(client, site, "medium")
        await resolve(client, item_of(patient))

        await sends(client, patient, 1_000, **MEDIUM)
        as_before = await queue(client, siteId=site)
        await sends(client, patient, 2_000, **HIGH)
        [item] = await queue(client, siteId=site)
        answer = await resolve(client, item_of(patient))

        assert as_before == []
        assert (item["priority"], item["state"], item["resolvedBy"]) == ("high", "open", None)
        assert answer.json()["outcome"] == "done"
        assert len(await events(client, item_of(patient))) == 2

    async def test_what_never_was_is_not_found(self, client: httpx2.AsyncClient, site: str) -> None:
        patient = await somebody(client, site, "low")
        named = [item_of(patient), "review:e-nowhere", "nonsense", "review:", "review:%00"]
        named += ["review:%ff", "review:a:b", f"review:{'x' * 3_000}"]

        answers = [await resolve(client, item) for item in named]

        for answer in answers:
            assert_refused(answer, 404, "not-found")

    async def test_an_alarm_is_no_review_item(self, client: httpx2.AsyncClient, site: str) -> None:
        patient = await somebody(client, site)

        answer = await resolve(client, high(patient))

        assert_refused(answer, 404, "not-found")

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"actorRef": None}, "/actorRef"),
            ({"actorRef": f"{CANARY} 7"}, "/actorRef"),
            ({"note": None}, "/note"),
            ({"note": ""}, "/note"),
            ({"note": "  "}, "/note"),
            ({"note": CANARY + "x" * 500}, "/note"),
            ({"note": [CANARY]}, "/note"),
            ({"clientTimeMs": CANARY}, "/clientTimeMs"),
            ({"reason": CANARY}, ""),
            ({"note": f"{CANARY}\0"}, ""),
        ],
    )
    async def test_what_is_wrong_is_named_and_not_repeated(
        self, client: httpx2.AsyncClient, site: str, changes: dict[str, Any], pointer: str
    ) -> None:
        patient = await somebody(client, site)
        body = {k: v for k, v in (DONE | changes).items() if v is not None}

        answer = await client.post(f"{QUEUE}/{item_of(patient)}/resolve", json=body)

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert await ids(client, siteId=site) == [item_of(patient)]

    @pytest.mark.parametrize(
        ("content", "media_type", "status", "slug"),
        [
            (b"{oops", "application/json", 400, "malformed-json"),
            (b"{}", "text/plain", 415, "unsupported-media-type"),
            (b" " * 65_537, "application/json", 413, "too-large"),
        ],
    )
    async def test_what_is_no_request_is_refused(
        self,
        client: httpx2.AsyncClient,
        content: bytes,
        media_type: str,
        status: int,
        slug: str,
    ) -> None:
        answer = await client.post(
            f"{QUEUE}/review:e-1/resolve", content=content, headers={"Content-Type": media_type}
        )

        assert_refused(answer, status, slug)


class TestReading:
    async def test_the_most_urgent_come_first_then_the_newest_then_by_id(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patients = {
            (level, late_ms, number): await somebody(client, site, level, late_ms)
            for number, (level, late_ms) in enumerate(
                itertools.product(("low-medium", "high", "medium", "low"), (0, 5, 0, 9))
            )
        }

        found = await ids(client, siteId=site)

        expected = [
            item_of(patient)
            for level in ("high", "medium", "low-medium")
            for late_ms in (9, 5, 0)
            for patient in sorted(
                (one for key, one in patients.items() if key[:2] == (level, late_ms)), key=item_of
            )
        ]
        assert found == expected
        assert len(found) == 12

    async def test_conditions_hold_at_once(self, client: httpx2.AsyncClient, site: str) -> None:
        minutes = {"high": 50, "medium": 30, "low-medium": 10}
        since_ms = now_ms() - SESSION_MS
        patients = {
            level: await somebody(client, site, level, since_ms + (60 - ago) * MINUTE_MS)
            for level, ago in minutes.items()
        }
        item = {level: item_of(patient) for level, patient in patients.items()}

        found = [
            await ids(client, siteId=site, **which)
            for which in (
                {"priority": "medium"},
                {"priority": "low"},
                {"olderThanSeconds": 20 * 60},
                {"olderThanSeconds": 40 * 60},
                {"olderThanSeconds": 20 * 60, "priority": "medium"},
                {"olderThanSeconds": 40 * 60, "priority": "medium"},
                {"olderThanSeconds": 0},
            )
        ]
        elsewhere = await ids(client, siteId=f"{site}-x")

        assert found == [
            [item["medium"]],
            [],
            [item["high"], item["medium"]],
            [item["high"]],
            [item["medium"]],
            [],
            [item["high"], item["medium"], item["low-medium"]],
        ]
        assert elsewhere == []

    async def test_all_sites_are_read_together(self, client: httpx2.AsyncClient, site: str) -> None:
        here = await somebody(client, site)
        there = await somebody(client, f"{site}-x")

        found = await pages(client, QUEUE, limit=500)

        names = [item["reviewItemId"] for page in found for item in page]
        assert {item_of(here), item_of(there)} <= set(names)
        assert len(names) == len(set(names))

    @pytest.mark.parametrize("limit", [1, 2, 5, 100])
    async def test_it_is_read_page_by_page_to_the_end(
        self, client: httpx2.AsyncClient, site: str, limit: int
    ) -> None:
        for number, level in enumerate(["medium", "high", "low-medium"] * 4):
            await somebody(client, site, level, number % 3)
        whole = await ids(client, siteId=site)

        found = await pages(client, QUEUE, siteId=site, limit=limit)

        assert [item["reviewItemId"] for page in found for item in page] == whole
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
        assert len(whole) == 12

    async def test_what_changes_meanwhile_shifts_nobody_else(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        patients = [await somebody(client, site, "medium", late_ms) for late_ms in range(9)]
        whole = await ids(client, siteId=site)

        first = (await client.get(QUEUE, params={"siteId": site, "limit": 4})).json()
        await resolve(client, whole[0])
        await resolve(client, whole[6])
        await sends(client, patients[8], 1_000, **HIGH)
        newcomer = await somebody(client, site, "high")
        latecomer = await somebody(client, site, "low-medium")
        rest = await pages(client, QUEUE, siteId=site, limit=2, cursor=first["next"])

        assert [item["reviewItemId"] for item in first["items"]] == whole[:4]
        assert [item["reviewItemId"] for page in rest for item in page] == [
            *whole[4:6],
            *whole[7:],
            item_of(latecomer),
        ]
        assert item_of(newcomer) in await ids(client, siteId=site)

    async def test_a_hundred_are_a_page_unless_one_says_otherwise(
        self, client: httpx2.AsyncClient, site: str
    ) -> None:
        await asyncio.gather(*(somebody(client, site) for _ in range(101)))

        page = (await client.get(QUEUE, params={"siteId": site})).json()

        assert len(page["items"]) == 100
        assert page["next"] is not None

    @pytest.mark.parametrize(
        ("which", "pointers"),
        [
            ({"siteId": ""}, ["/query/siteId"]),
            ({"siteId": f"{CANARY} x"}, ["/query/siteId"]),
            ({"siteId": "x" * 65}, ["/query/siteId"]),
            ({"siteId": "a\0b"}, ["/query/siteId"]),
            ({"priority": CANARY}, ["/query/priority"]),
            ({"priority": "HIGH"}, ["/query/priority"]),
            ({"olderThanSeconds": "-1"}, ["/query/olderThanSeconds"]),
            ({"olderThanSeconds": "nan"}, ["/query/olderThanSeconds"]),
            ({"olderThanSeconds": "inf"}, ["/query/olderThanSeconds"]),
            ({"olderThanSeconds": "1e300"}, ["/query/olderThanSeconds"]),
            ({"olderThanSeconds": CANARY}, ["/query/olderThanSeconds"]),
            ({"limit": "0"}, ["/query/limit"]),
            ({"limit": "501"}, ["/query/limit"]),
            ({"limit": "1.5"}, ["/query/limit"]),
            ({"site_id": "a"}, ["/query"]),
            ({CANARY: "a"}, ["/query"]),
            ([("priority", "high"), ("priority", "low")], ["/query"]),
            ({"cursor": CANARY}, []),
            ({"cursor": write_cursor(4, 1)}, []),
            ({"cursor": write_cursor("4", 1, "x")}, []),
            ({"cursor": write_cursor(5, 1, "x")}, []),
            ({"cursor": write_cursor(-1, 1, "x")}, []),
            ({"cursor": write_cursor(10**30, 1, "x")}, []),
            ({"cursor": write_cursor(4, 10**30, "x")}, []),
            ({"cursor": write_cursor(4, 1, "x\0")}, []),
            ({"cursor": write_cursor(4, 1, "\ud800")}, []),
        ],
    )
    async def test_other_parameters_are_refused(
        self, client: httpx2.AsyncClient, which: Any, pointers: list[str]
    ) -> None:
        answer = await client.get(QUEUE, params=which)

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json().get("errors", [])] == pointers

    async def test_without_postgres_it_cannot_be_read(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        with api.postgres.is_down():
            answers = [await client.get(QUEUE), await resolve(client, "review:e-1")]
        await api.works()

        for answer in answers:
            assert_unavailable(answer)


OPERATIONS = {
    "acknowledgeAlarm": {200, 400, 404, 408, 409, 413, 415, 422, 503},
    "muteAlarm": {200, 400, 404, 408, 409, 413, 415, 422, 503},
    "listAuditEvents": {200, 404, 422, 503},
    "listReviewQueue": {200, 422, 503},
    "resolveReviewItem": {200, 400, 404, 408, 409, 413, 415, 422, 503},
}
ACTIONS = ("acknowledgeAlarm", "muteAlarm", "resolveReviewItem")


class TestDescription:
    @pytest.fixture
    async def described(self, client: httpx2.AsyncClient) -> Mapping[str, Any]:
        document = (await client.get("/openapi.json")).json()
        return {operation["operationId"]: operation for _, _, operation in operations(document)}

    def test_every_answer_is_told(self, described: Mapping[str, Any]) -> None:
        told = {name: set(map(int, described[name]["responses"])) for name in OPERATIONS}

        assert told == OPERATIONS

    @pytest.mark.parametrize("name", ACTIONS)
    def test_every_action_takes_a_key(self, described: Mapping[str, Any], name: str) -> None:
        headers = [one for one in described[name]["parameters"] if one["in"] == "header"]

        assert [header["name"] for header in headers] == ["Idempotency-Key"]
        assert headers[0]["required"] is False

    def test_the_filters_of_the_queue_are_told(self, described: Mapping[str, Any]) -> None:
        told = {one["name"] for one in described["listReviewQueue"]["parameters"]}

        assert told == {"siteId", "priority", "olderThanSeconds", "limit", "cursor"}

    @pytest.mark.parametrize("name", ACTIONS)
    async def test_what_an_action_takes_and_gives_is_shown_by_an_example(
        self, client: httpx2.AsyncClient, described: Mapping[str, Any], site: str, name: str
    ) -> None:
        patient = await somebody(client, site)
        url = {
            "acknowledgeAlarm": f"/v1/alarms/{high(patient)}/acknowledge",
            "muteAlarm": f"/v1/alarms/{high(patient)}/mute",
            "resolveReviewItem": f"{QUEUE}/{item_of(patient)}/resolve",
        }[name]
        [body] = described[name]["requestBody"]["content"]["application/json"]["schema"]["examples"]
        [key] = [one["example"] for one in described[name]["parameters"] if one["in"] == "header"]

        answer = await client.post(
            url, content=json.dumps(body), headers=JSON | {"Idempotency-Key": key}
        )

        assert answer.status_code == 200
        assert shape(answer.json()) == shape(example_of(described[name]))

    async def test_a_record_is_shown_by_an_example(
        self, client: httpx2.AsyncClient, described: Mapping[str, Any], site: str
    ) -> None:
        patient = await somebody(client, site)
        await client.post(
            f"/v1/alarms/{high(patient)}/acknowledge",
            json={"actorRef": "nurse-7", "reason": "seen", "clientTimeMs": 1},
        )
        [event, _] = await events(client, high(patient))

        [shown] = example_of(described["listAuditEvents"])["items"]

        assert shape(shown) == shape(event)

    async def test_an_item_is_shown_by_an_example(
        self, client: httpx2.AsyncClient, described: Mapping[str, Any], site: str
    ) -> None:
        await somebody(client, site)
        [item] = await queue(client, siteId=site)

        [shown] = example_of(described["listReviewQueue"])["items"]

        assert shape(shown) == shape(item)


def example_of(operation: Mapping[str, Any]) -> Any:
    return operation["responses"]["200"]["content"]["application/json"]["example"]


BY_PARAMETER = {"components", "sources"}


def shape(value: Any) -> Any:
    """Which fields there are, and of which kind; fields that are null are in no example."""
    if not isinstance(value, dict):
        return type(value).__name__
    return {
        name: "dict" if name in BY_PARAMETER else shape(inner)
        for name, inner in value.items()
        if inner is not None
    }
