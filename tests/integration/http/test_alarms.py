"""What a clinician does about an alarm: done once, signed, shown, and kept for good."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.house import house, settings_for
from tests.integration.http.conftest import PREFIX
from tests.integration.http.packets import SESSION_MS, WELL, a_packet, now_ms, signals
from tests.integration.http.serving import Api, connected, until_true
from tests.integration.http.test_outages import assert_unavailable
from tests.integration.http.test_reading import pages
from vitalrelay.adapters.inbound.http.cursors import write_cursor
from vitalrelay.adapters.outbound.postgres.records import PostgresEvidence
from vitalrelay.domain.chain_check import ChainCheck

CANARY = "PHI-CANARY-7f3a"
ILL = {"respiratory_rate": 30, "spo2": 85, "heart_rate": 140}
SEEN = {"actorRef": "nurse-7", "reason": "seen at bedside"}
QUIET = SEEN | {"durationSeconds": 600}
JSON = {"Content-Type": "application/json"}
MINUTE_MS = 60_000

Packet = dict[str, Any]


async def sends(client: httpx2.AsyncClient, patient: Packet, late_ms: int, **values: Any) -> Packet:
    """Another packet of the same patient, so much later than the first."""
    packet = patient | {
        "timestampMs": patient["timestampMs"] + late_ms,
        "signals": signals(**values),
    }
    answer = await client.post("/v1/signal-packets", json=packet)
    assert answer.status_code == 201
    return packet


async def somebody(client: httpx2.AsyncClient, **values: Any) -> Packet:
    """A patient whose only packet so far says this; nothing: ill enough for alarms."""
    patient = a_packet(timestampMs=SESSION_MS - 60 * MINUTE_MS)
    return await sends(client, patient, 0, **(values or ILL))


def high(patient: Packet) -> str:
    return f"{patient['subjectId']}:news2-high"


def url_of(alarm: str, what: str = "acknowledge") -> str:
    return f"/v1/alarms/{alarm}/{what}"


async def acknowledge(
    client: httpx2.AsyncClient, alarm: str, key: str | None = None, **changes: Any
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(url_of(alarm), json=SEEN | changes, headers=headers)


async def mute(
    client: httpx2.AsyncClient, alarm: str, key: str | None = None, **changes: Any
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(url_of(alarm, "mute"), json=QUIET | changes, headers=headers)


async def events(client: httpx2.AsyncClient, alarm: str) -> list[dict[str, Any]]:
    """The whole trail, newest first."""
    answer = await client.get(url_of(alarm, "audit-events"), params={"limit": 500})
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def by_nurses(client: httpx2.AsyncClient, alarm: str) -> list[str]:
    found = await events(client, alarm)
    return [event["action"] for event in found if event["actorRole"] == "clinician"]


async def version(client: httpx2.AsyncClient, patient: Packet) -> int:
    answer = await client.get(f"/v1/projections/monitoring-snapshot:{patient['subjectId']}")
    found: int = answer.json()["version"]
    return found


async def alarms(client: httpx2.AsyncClient, patient: Packet) -> Mapping[str, dict[str, Any]]:
    """As a screen has them by now."""
    url = f"/v1/subjects/{patient['subjectId']}/snapshot"
    newest = {"atLeastVersion": await version(client, patient)}
    snapshot = (await client.get(url, params=newest)).json()
    return {alarm["alarmId"]: alarm for alarm in snapshot["alarms"]}


def assert_refused(answer: httpx2.Response, status: int, slug: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{slug}"
    assert CANARY not in answer.text


class TestAcknowledging:
    async def test_it_is_done_and_the_answer_says_what_is_so_now(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        before = (await alarms(client, patient))[high(patient)]

        answer = await acknowledge(client, high(patient))

        [event, raised] = await events(client, high(patient))
        shown = before | {"state": "acknowledged", "acknowledgedBy": "nurse-7"}
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "outcome": "done",
            "alarmId": high(patient),
            "alarm": shown,
            "eventId": event["eventId"],
            "projection": {
                "projectionId": f"monitoring-snapshot:{patient['subjectId']}",
                "version": 2,
            },
        }
        assert (raised["action"], event["action"]) == ("raised", "acknowledged")
        assert (await alarms(client, patient))[high(patient)] == shown

    async def test_a_second_time_is_nothing_new(self, client: httpx2.AsyncClient) -> None:
        patient = await somebody(client)
        first = (await acknowledge(client, high(patient))).json()

        again = await acknowledge(client, high(patient), actorRef="nurse-8", reason="me too")

        assert again.status_code == 200
        assert again.json() == first | {"outcome": "unchanged", "eventId": None}
        assert await by_nurses(client, high(patient)) == ["acknowledged"]
        assert await version(client, patient) == 2

    async def test_what_is_over_and_waits_for_somebody_is_resolved(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        await sends(client, patient, 1_000, **WELL)
        waiting = (await alarms(client, patient))[high(patient)]["state"]

        answer = await acknowledge(client, high(patient))

        assert waiting == "cleared_unacknowledged"
        assert (answer.json()["outcome"], answer.json()["alarm"]) == ("done", None)
        assert high(patient) not in await alarms(client, patient)

    async def test_what_was_resolved_a_moment_ago_is_acknowledged_already(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        await acknowledge(client, high(patient))
        await sends(client, patient, 1_000, **WELL)

        answer = await acknowledge(client, high(patient))

        assert (answer.status_code, answer.json()["outcome"]) == (200, "unchanged")

    async def test_what_is_resolved_cannot_be_acknowledged(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await resolved(client)
        before = await events(client, high(patient))

        answer = await acknowledge(client, high(patient))

        assert_refused(answer, 409, "not-possible")
        assert answer.json()["state"] == "resolved"
        assert await events(client, high(patient)) == before

    async def test_what_is_resolved_cannot_be_muted(self, client: httpx2.AsyncClient) -> None:
        patient = await resolved(client)

        answer = await mute(client, high(patient))

        assert_refused(answer, 409, "not-possible")
        assert answer.json()["state"] == "resolved"

    @pytest.mark.parametrize("what", ["acknowledge", "mute"])
    async def test_what_was_never_raised_is_not_found(
        self, client: httpx2.AsyncClient, what: str
    ) -> None:
        patient = await somebody(client, **WELL)
        named = [high(patient), "p-nobody:news2-high", f"{patient['subjectId']}:no-data"]

        answers = [await client.post(url_of(alarm, what), json=QUIET_OR[what]) for alarm in named]

        for answer in answers:
            assert_refused(answer, 404, "not-found")

    @pytest.mark.parametrize("what", ["acknowledge", "mute"])
    @pytest.mark.parametrize(
        "alarm",
        [
            "nonsense",
            ":",
            ":news2-high",
            "p-1:",
            "%00",
            "p-1:%00",
            "%ff",
            "%ed%a0%80",
            "p-1:%ed%a0%80",
            "p%20:news2-high",
            "p-1:news2-high%0a",
            "x" * 3_000,
            f"p-1:{'x' * 3_000}",
            "review:review",
        ],
    )
    async def test_what_can_be_no_alarm_is_not_found(
        self, client: httpx2.AsyncClient, what: str, alarm: str
    ) -> None:
        answer = await client.post(url_of(alarm, what), json=QUIET_OR[what])

        assert_refused(answer, 404, "not-found")

    async def test_a_review_item_is_no_alarm(self, client: httpx2.AsyncClient) -> None:
        patient = await somebody(client)
        item = f"review:{patient['subjectId']}"

        answers = [await acknowledge(client, item), await mute(client, item)]

        for answer in answers:
            assert_refused(answer, 404, "not-found")


QUIET_OR = {"acknowledge": SEEN, "mute": QUIET}


async def resolved(client: httpx2.AsyncClient) -> Packet:
    """A patient who was ill, was seen to, and has been well for longer than the re-arm time."""
    patient = await somebody(client)
    await acknowledge(client, high(patient))
    await sends(client, patient, 1_000, **WELL)
    await sends(client, patient, 2 * MINUTE_MS, **WELL)
    return patient


class TestMuting:
    async def test_it_is_quiet_for_as_long_as_asked_and_stays_in_sight(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        before = (await alarms(client, patient))[high(patient)]
        began_ms = now_ms()

        answer = await mute(client, high(patient), durationSeconds=600)

        shown = (await alarms(client, patient))[high(patient)]
        until_ms = shown["mutedUntilMs"]
        assert answer.status_code == 200
        assert answer.json()["alarm"] == shown
        assert shown == before | {"mutedUntilMs": until_ms}
        assert began_ms - 1_000 <= until_ms - 600_000 <= now_ms() + 1_000

    async def test_each_time_is_recorded(self, client: httpx2.AsyncClient) -> None:
        patient = await somebody(client)

        first = await mute(client, high(patient), durationSeconds=600)
        second = await mute(client, high(patient), durationSeconds=60)

        until_ms = [answer.json()["alarm"]["mutedUntilMs"] for answer in (first, second)]
        assert until_ms[1] < until_ms[0]
        assert await by_nurses(client, high(patient)) == ["muted", "muted"]

    @pytest.mark.parametrize("seconds", [1, 1_800])
    async def test_the_bounds_are_within(self, client: httpx2.AsyncClient, seconds: int) -> None:
        patient = await somebody(client)

        answer = await mute(client, high(patient), durationSeconds=seconds)

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "seconds",
        [
            "0",
            "-1",
            "1801",
            '"5"',
            "true",
            "1.5",
            "1e3",
            "1.0",
            "null",
            "[]",
            "9" * 20,
            "1" + "0" * 24,
        ],
    )
    async def test_no_other_time_will_do(self, client: httpx2.AsyncClient, seconds: str) -> None:
        patient = await somebody(client)
        body = json.dumps(QUIET).replace("600", seconds)

        answer = await client.post(url_of(high(patient), "mute"), content=body, headers=JSON)

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/durationSeconds"]
        assert await by_nurses(client, high(patient)) == []

    async def test_without_a_time_it_is_refused(self, client: httpx2.AsyncClient) -> None:
        patient = await somebody(client)

        answer = await client.post(url_of(high(patient), "mute"), json=SEEN)

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/durationSeconds"]


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"actorRef": None}, "/actorRef"),
    ({"actorRef": ""}, "/actorRef"),
    ({"actorRef": f"{CANARY} 7"}, "/actorRef"),
    ({"actorRef": f"{CANARY}:7"}, "/actorRef"),
    ({"actorRef": f"{CANARY}\n"}, "/actorRef"),
    ({"actorRef": CANARY + "x" * 64}, "/actorRef"),
    ({"actorRef": 7}, "/actorRef"),
    ({"actorRef": [CANARY]}, "/actorRef"),
    ({"reason": None}, "/reason"),
    ({"reason": ""}, "/reason"),
    ({"reason": " \t\u3000 "}, "/reason"),
    ({"reason": CANARY + "x" * 500}, "/reason"),
    ({"reason": {CANARY: 1}}, "/reason"),
    ({"reason": True}, "/reason"),
    ({"clientTimeMs": -1}, "/clientTimeMs"),
    ({"clientTimeMs": 2**53}, "/clientTimeMs"),
    ({"clientTimeMs": 1.5}, "/clientTimeMs"),
    ({"clientTimeMs": True}, "/clientTimeMs"),
    ({"clientTimeMs": CANARY}, "/clientTimeMs"),
    ({CANARY: 1}, ""),
    ({"actor_ref": "nurse-8"}, ""),
    ({"alarmId": "p-1:news2-high"}, ""),
    ({"reason": f"{CANARY}\0"}, ""),
    ({"reason": f"{CANARY}\ud800"}, ""),
]
BROKEN = [
    b"",
    b"{",
    b"nonsense",
    b'{"actorRef":"nurse-7","reason":"\xff"}',
    b'{"actorRef":"nurse-7","reason":NaN}',
    b'{"actorRef":"nurse-7","reason":"one","reason":"two"}',
    b'{"actorRef":"nurse-7","reason":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    json.dumps(SEEN).encode("utf-16"),
]


class TestBadInput:
    @pytest.mark.parametrize("what", ["acknowledge", "mute"])
    @pytest.mark.parametrize(("changes", "pointer"), BAD_FIELDS)
    async def test_what_is_wrong_is_named_and_not_repeated(
        self, client: httpx2.AsyncClient, what: str, changes: dict[str, Any], pointer: str
    ) -> None:
        patient = await somebody(client)
        body = {k: v for k, v in (QUIET_OR[what] | changes).items() if v is not None}

        answer = await client.post(
            url_of(high(patient), what), content=json.dumps(body), headers=JSON
        )

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert await by_nurses(client, high(patient)) == []

    @pytest.mark.parametrize("body", BROKEN)
    async def test_what_is_no_json_is_malformed(
        self, client: httpx2.AsyncClient, body: bytes
    ) -> None:
        patient = await somebody(client)

        answer = await client.post(url_of(high(patient)), content=body, headers=JSON)

        assert_refused(answer, 400, "malformed-json")
        assert await by_nurses(client, high(patient)) == []

    @pytest.mark.parametrize("body", [b"[]", b'"word"', b"null", b"1", b"true"])
    async def test_json_of_another_shape_is_invalid(
        self, client: httpx2.AsyncClient, body: bytes
    ) -> None:
        patient = await somebody(client)

        answer = await client.post(url_of(high(patient)), content=body, headers=JSON)

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [""]

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/x-www-form-urlencoded"},
            {"Content-Type": "application/merge-patch+json"},
            {"Content-Type": "application/json; charset=utf-16"},
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        ],
    )
    async def test_another_media_type_is_not_read(
        self, client: httpx2.AsyncClient, headers: dict[str, str]
    ) -> None:
        patient = await somebody(client)

        answer = await client.post(url_of(high(patient)), content=json.dumps(SEEN), headers=headers)

        assert_refused(answer, 415, "unsupported-media-type")
        assert await by_nurses(client, high(patient)) == []

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_what_is_too_large_is_not_read_to_its_end(
        self, client: httpx2.AsyncClient, chunked: bool
    ) -> None:
        patient = await somebody(client)
        body = json.dumps(SEEN).encode() + b" " * 65_536

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 8_192):
                yield body[start : start + 8_192]

        answer = await client.post(
            url_of(high(patient)), content=pieces() if chunked else body, headers=JSON
        )

        assert_refused(answer, 413, "too-large")
        assert await by_nurses(client, high(patient)) == []

    async def test_a_body_that_never_comes_is_not_waited_for(self, narrow_api: Api) -> None:
        async with connected(narrow_api) as wire:
            await wire.send(
                b"POST /v1/alarms/p-1:news2-high/acknowledge HTTP/1.1\r\nHost: h\r\n"
                b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
            answer = await wire.answer()

        assert answer.status == 408
        assert answer.json()["type"] == "/problems/request-timeout"

    async def test_the_audit_trail_takes_nothing_from_anybody(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        url = url_of(high(patient), "audit-events")

        answers = [await client.request(method, url) for method in ("POST", "PUT", "DELETE")]

        for answer in answers:
            assert_refused(answer, 405, "method-not-allowed")

    async def test_what_was_refused_stands_in_no_log(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        await acknowledge(client, high(patient), reason=f"{CANARY} fine")
        await acknowledge(client, high(patient), actorRef=f"{CANARY} 7")

        await api.all_said()

        assert CANARY not in "".join(api.raw)


class TestUnderAKey:
    async def test_the_same_request_is_told_the_same_and_acts_once(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex

        answers = [await mute(client, high(patient), key) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200] * 3
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].json()["outcome"] == "done"
        assert await by_nurses(client, high(patient)) == ["muted"]
        assert await version(client, patient) == 2

    async def test_the_first_answer_is_told_whatever_happened_since(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        first = await acknowledge(client, high(patient), key)
        await sends(client, patient, 1_000, **WELL)
        await sends(client, patient, 2 * MINUTE_MS, **WELL)

        again = await acknowledge(client, high(patient), key)

        assert again.content == first.content

    async def test_that_nothing_changed_is_remembered_too(self, client: httpx2.AsyncClient) -> None:
        patient, key = await somebody(client), uuid4().hex
        await acknowledge(client, high(patient))

        answers = [await acknowledge(client, high(patient), key) for _ in range(2)]

        assert answers[0].json()["outcome"] == "unchanged"
        assert answers[0].content == answers[1].content

    async def test_another_process_knows_it(
        self, client: httpx2.AsyncClient, narrow_api: Api
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        first = await mute(client, high(patient), key)

        async with narrow_api.client() as other:
            again = await mute(other, high(patient), key)

        assert again.content == first.content
        assert await by_nurses(client, high(patient)) == ["muted"]

    async def test_how_the_body_is_written_does_not_matter(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        first = await mute(client, high(patient), key)
        written = json.dumps(dict(reversed(QUIET.items())) | {"clientTimeMs": None}, indent=2)

        again = await client.post(
            url_of(high(patient), "mute"),
            content=written,
            headers=JSON | {"Idempotency-Key": key},
        )

        assert again.content == first.content

    @pytest.mark.parametrize(
        "changes",
        [
            {"reason": CANARY},
            {"actorRef": "nurse-8"},
            {"durationSeconds": 601},
            {"clientTimeMs": 1},
        ],
    )
    async def test_another_request_is_refused(
        self, client: httpx2.AsyncClient, changes: dict[str, Any]
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        await mute(client, high(patient), key)

        answer = await mute(client, high(patient), key, **changes)

        assert_refused(answer, 422, "idempotency-key-reused")
        assert await by_nurses(client, high(patient)) == ["muted"]

    async def test_that_refusal_wins_over_what_is_not_possible(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        await acknowledge(client, high(patient), key)
        await sends(client, patient, 1_000, **WELL)
        await sends(client, patient, 2 * MINUTE_MS, **WELL)

        answers = [
            await acknowledge(client, high(patient), reason="another"),
            await acknowledge(client, high(patient), key, reason="another"),
        ]

        assert_refused(answers[0], 409, "not-possible")
        assert_refused(answers[1], 422, "idempotency-key-reused")

    async def test_fifty_at_once_have_one_effect_and_one_answer(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex

        answers = await asyncio.gather(*(mute(client, high(patient), key) for _ in range(50)))

        assert [answer.status_code for answer in answers] == [200] * 50
        assert len({answer.content for answer in answers}) == 1
        assert await by_nurses(client, high(patient)) == ["muted"]
        assert await version(client, patient) == 2

    async def test_a_key_is_worth_something_for_one_address_only(
        self, client: httpx2.AsyncClient
    ) -> None:
        one, other, key = await somebody(client), await somebody(client), uuid4().hex

        outcomes = [
            (await acknowledge(client, high(one), key)).json()["outcome"],
            (await mute(client, high(one), key)).json()["outcome"],
            (await acknowledge(client, high(other), key)).json()["outcome"],
        ]

        assert outcomes == ["done"] * 3
        assert await by_nurses(client, high(one)) == ["muted", "acknowledged"]
        assert await by_nurses(client, high(other)) == ["acknowledged"]

    async def test_what_was_not_found_may_be_tried_again(self, client: httpx2.AsyncClient) -> None:
        patient, key = await somebody(client, **WELL), uuid4().hex
        too_soon = await acknowledge(client, high(patient), key)
        await sends(client, patient, 1_000, **ILL)

        answer = await acknowledge(client, high(patient), key)

        assert_refused(too_soon, 404, "not-found")
        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")

    async def test_what_was_not_possible_may_be_tried_again(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await resolved(client), uuid4().hex
        too_late = await acknowledge(client, high(patient), key)
        await sends(client, patient, 5 * MINUTE_MS, **ILL)

        answer = await acknowledge(client, high(patient), key)

        assert_refused(too_late, 409, "not-possible")
        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")

    async def test_without_a_key_each_request_acts(self, client: httpx2.AsyncClient) -> None:
        patient = await somebody(client)

        for _ in range(2):
            await mute(client, high(patient))

        assert await by_nurses(client, high(patient)) == ["muted", "muted"]

    @pytest.mark.parametrize(
        "keys", [[b""], [b"x" * 256], [b"a", b"b"], [b"a", b"a"], [b"\xe9"], [b"a\tb"]]
    )
    async def test_what_can_be_no_key_is_refused(
        self, client: httpx2.AsyncClient, keys: list[bytes]
    ) -> None:
        patient = await somebody(client)

        answer = await client.post(
            url_of(high(patient)),
            json=SEEN,
            headers=[(b"Idempotency-Key", key) for key in keys],
        )

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [
            "/header/Idempotency-Key"
        ]
        assert await by_nurses(client, high(patient)) == []

    @pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted, with spaces"'])
    async def test_any_other_line_is_one(self, client: httpx2.AsyncClient, key: str) -> None:
        patient = await somebody(client)

        answers = [await mute(client, high(patient), key) for _ in range(2)]

        assert answers[0].content == answers[1].content

    async def test_the_key_names_the_record_and_cannot_be_read_from_it(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), f"{CANARY}-{uuid4().hex}"

        answer = await mute(client, high(patient), key)

        [event, _] = await events(client, high(patient))
        assert ":key-" in event["eventId"]
        assert event["eventId"] == answer.json()["eventId"]
        assert CANARY not in json.dumps(event)


@pytest.fixture
async def mended(api: Api) -> AsyncIterator[None]:
    """Whatever a test did, the next one finds everything working."""
    yield
    await api.works()


@pytest.mark.usefixtures("mended")
class TestOutages:
    async def test_without_postgres_nothing_happens_and_it_may_come_again(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex

        with api.postgres.is_down():
            refused = await acknowledge(client, high(patient), key)
            unread = await client.get(url_of(high(patient), "audit-events"))
        await api.works()
        before = await by_nurses(client, high(patient))
        answer = await acknowledge(client, high(patient), key)

        assert_unavailable(refused)
        assert_unavailable(unread)
        assert before == []
        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")

    async def test_the_answer_to_a_commit_is_lost_and_the_next_try_tells_it(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        api.postgres.cut = ("down", b"COMMIT\0")

        unknown = await mute(client, high(patient), key)
        done = await by_nurses(client, high(patient))
        again = [await mute(client, high(patient), key) for _ in range(2)]

        [event, _] = await events(client, high(patient))
        assert_unavailable(unknown, "outcome-unknown")
        assert done == ["muted"]
        assert [answer.json()["outcome"] for answer in again] == ["done", "done"]
        assert again[0].json()["eventId"] == event["eventId"]
        assert again[0].content == again[1].content
        assert await version(client, patient) == 2

    async def test_a_commit_never_arrives_and_the_next_try_acts(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        patient, key = await somebody(client), uuid4().hex
        api.postgres.cut = ("up", b"COMMIT;\0")

        unknown = await mute(client, high(patient), key)
        before = await by_nurses(client, high(patient))
        answer = await mute(client, high(patient), key)

        assert_unavailable(unknown, "outcome-unknown")
        assert before == []
        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")
        assert await by_nurses(client, high(patient)) == ["muted"]

    async def test_what_is_cut_before_the_commit_certainly_did_not_happen(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        patient, mark = await somebody(client), uuid4().hex
        api.postgres.cut = ("up", mark.encode())

        refused = await mute(client, high(patient), reason=mark)
        done = await by_nurses(client, high(patient))

        assert_unavailable(refused)
        assert done == []

    async def test_without_redis_it_is_done_and_shown_once_redis_is_back(
        self, api: Api, client: httpx2.AsyncClient, http_database: str, redis_url: str
    ) -> None:
        patient = await somebody(client)
        url = f"/v1/subjects/{patient['subjectId']}/snapshot"
        with api.redis.is_down():
            answer = await acknowledge(client, high(patient))
            trail = await by_nurses(client, high(patient))
            meanwhile = await client.get(url)
        settings = settings_for(http_database, redis_url, key_prefix=PREFIX)

        async with house(settings) as worker:

            async def shown() -> bool:
                await worker.relays()
                found = await client.get(url)
                states = {one["alarmId"]: one["state"] for one in found.json()["alarms"]}
                there = found.headers["vitalrelay-source"] == "redis"
                return there and states[high(patient)] == "acknowledged"

            await until_true(shown)

        assert (answer.status_code, answer.json()["outcome"]) == (200, "done")
        assert trail == ["acknowledged"]
        assert meanwhile.headers["vitalrelay-source"] == "postgres"

    async def test_a_silent_redis_keeps_no_action_waiting(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        with api.redis.is_silent():
            began = time.monotonic()
            answers = [await mute(client, high(patient)) for _ in range(5)]
            took_s = time.monotonic() - began

        assert [answer.status_code for answer in answers] == [200] * 5
        assert took_s < 1.5


PACKETS, ACTIONS = 200, 50
OF_THE_PATIENT = text("""
    select count(*) from patient_signal_packets where demo_subject_id = :subject
""")


async def insists(send: Any, *arguments: Any, **how: Any) -> httpx2.Response:
    """As a client does that was turned away: the same again, under the same key or id."""
    answer: httpx2.Response = await send(*arguments, **how)
    while answer.status_code == 503:
        await asyncio.sleep(0.05)
        answer = await send(*arguments, **how)
    return answer


async def broken_links(database: AsyncEngine) -> int:
    """Of every site's chain, followed to its end."""
    evidence, broken = PostgresEvidence(database), 0
    for site, head in (await evidence.audit_heads()).items():
        chain = ChainCheck()
        async for event in evidence.audit_of(site):
            chain.follow(event)
        chain.end(head)
        broken += chain.broken
    return broken


class TestActionsAmongPackets:
    async def test_of_many_at_the_same_moment_none_is_lost(
        self, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        patient = await somebody(client)
        packets = [
            patient | {"sequence": number, "signals": signals(**(WELL if number % 2 else ILL))}
            for number in range(PACKETS)
        ]
        sent = [insists(client.post, "/v1/signal-packets", json=packet) for packet in packets]
        done = [
            insists(mute, client, high(patient), uuid4().hex, durationSeconds=1 + number)
            for number in range(ACTIONS)
        ]

        answers = await asyncio.gather(*interleaved(sent, done))

        async with database.connect() as connection:
            subject = {"subject": patient["subjectId"]}
            kept = (await connection.execute(OF_THE_PATIENT, subject)).scalar_one()
        trail = await events(client, high(patient))
        assert {answer.status_code for answer in answers} <= {200, 201}
        assert kept == PACKETS + 1
        assert [event["action"] for event in trail].count("muted") == ACTIONS
        assert await broken_links(database) == 0

    async def test_a_packet_does_not_undo_an_acknowledgement(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        packets = [patient | {"sequence": n, "signals": signals(**ILL)} for n in range(40)]
        sent = [insists(client.post, "/v1/signal-packets", json=packet) for packet in packets]

        await asyncio.gather(*interleaved(sent, [insists(acknowledge, client, high(patient))]))

        shown = (await alarms(client, patient))[high(patient)]
        assert (shown["state"], shown["acknowledgedBy"]) == ("acknowledged", "nurse-7")
        assert await by_nurses(client, high(patient)) == ["acknowledged"]


def interleaved(many: list[Any], few: list[Any]) -> list[Any]:
    """The few spread among the many."""
    step = len(many) // len(few)
    mixed = []
    for number, one in enumerate(many):
        mixed.append(one)
        if number % step == step // 2 and few:
            mixed.append(few.pop())
    return mixed + few


FIELDS = {
    "eventId",
    "alarmId",
    "subjectId",
    "encounterId",
    "siteId",
    "action",
    "actorRef",
    "actorRole",
    "reason",
    "occurredAtMs",
    "clientTimeMs",
    "previous",
    "current",
    "packetId",
    "assessment",
    "modelName",
    "modelVersion",
    "policyVersion",
    "requestId",
    "seq",
    "previousHash",
    "hash",
}


class TestTheTrail:
    async def test_an_action_is_told_with_all_that_was_known(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)
        before = (await alarms(client, patient))[high(patient)]
        began_ms, mark = now_ms(), f"r-{uuid4().hex}"
        sent = SEEN | {"reason": "gesehen, 09:30 ✓", "clientTimeMs": 1_000}

        answer = await client.post(url_of(high(patient)), json=sent, headers={"X-Request-ID": mark})

        [event, raised] = await events(client, high(patient))
        assert set(event) == set(raised) == FIELDS
        assert event["eventId"] == answer.json()["eventId"]
        assert event["alarmId"] == high(patient)
        assert (event["subjectId"], event["siteId"]) == (patient["subjectId"], patient["siteId"])
        assert event["encounterId"] == patient["subjectId"]
        assert (event["actorRef"], event["actorRole"]) == ("nurse-7", "clinician")
        assert event["reason"] == "gesehen, 09:30 ✓"
        assert began_ms - 1_000 <= event["occurredAtMs"] <= now_ms() + 1_000
        assert (event["clientTimeMs"], event["requestId"]) == (1_000, mark)
        assert event["previous"] == before
        assert event["current"] == answer.json()["alarm"]
        assert event["assessment"]["riskLevel"] == "high"
        assert event["assessment"]["asOfMs"] == patient["timestampMs"]
        assert (event["modelName"], event["modelVersion"]) == ("news2", "news2-2017/1")
        assert event["previousHash"] != event["hash"]
        assert len(event["hash"]) == 64

    async def test_what_the_system_did_is_told_with_its_packet(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient = await somebody(client)

        [raised] = await events(client, high(patient))

        assert (raised["action"], raised["reason"]) == ("raised", "condition-true")
        assert (raised["actorRef"], raised["actorRole"]) == ("system", "system")
        assert (raised["clientTimeMs"], raised["requestId"]) == (None, None)
        assert raised["previous"] is None
        assert raised["current"]["state"] == "active"
        assert raised["packetId"].endswith(f":{patient['timestampMs']}")

    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    async def test_it_is_read_newest_first_to_the_end(
        self, client: httpx2.AsyncClient, limit: int
    ) -> None:
        patient = await somebody(client)
        for _ in range(8):
            await mute(client, high(patient))

        found = await pages(client, url_of(high(patient), "audit-events"), limit=limit)

        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
        assert [event["seq"] for page in found for event in page] == sorted(
            (event["seq"] for page in found for event in page), reverse=True
        )
        assert [event["action"] for page in found for event in page] == ["muted"] * 8 + ["raised"]

    async def test_while_more_comes_no_record_is_told_twice_or_left_out(
        self, client: httpx2.AsyncClient
    ) -> None:
        patient, url = await somebody(client), ""
        for _ in range(9):
            await mute(client, high(patient))
        before = [event["eventId"] for event in await events(client, high(patient))]

        found, cursor = [], {}
        url = url_of(high(patient), "audit-events")
        while True:
            page = (await client.get(url, params={"limit": 2, **cursor})).json()
            found += [event["eventId"] for event in page["items"]]
            await asyncio.gather(*(mute(client, high(patient)) for _ in range(3)))
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}

        assert found == before

    @pytest.mark.parametrize("alarm", ["p-nobody:news2-high", "nonsense", "%00", "%ff", "review:x"])
    async def test_of_what_never_was_there_is_none(
        self, client: httpx2.AsyncClient, alarm: str
    ) -> None:
        answer = await client.get(url_of(alarm, "audit-events"))

        assert_refused(answer, 404, "not-found")

    @pytest.mark.parametrize(
        ("which", "pointers"),
        [
            ({"limit": "0"}, ["/query/limit"]),
            ({"limit": "501"}, ["/query/limit"]),
            ({"limit": "x"}, ["/query/limit"]),
            ({"limits": "1"}, ["/query"]),
            ({"cursor": CANARY}, []),
            ({"cursor": write_cursor("x", 1)}, []),
            ({"cursor": write_cursor(1)}, []),
            ({"cursor": write_cursor(1, 0)}, []),
            ({"cursor": write_cursor(-1, 1)}, []),
            ({"cursor": write_cursor(10**30, 1)}, []),
            ({"cursor": write_cursor(1, 10**30)}, []),
        ],
    )
    async def test_other_parameters_are_refused(
        self, client: httpx2.AsyncClient, which: dict[str, str], pointers: list[str]
    ) -> None:
        patient = await somebody(client)

        answer = await client.get(url_of(high(patient), "audit-events"), params=which)

        assert_refused(answer, 422, "invalid-request")
        assert [fault["pointer"] for fault in answer.json().get("errors", [])] == pointers
