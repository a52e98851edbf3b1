"""What a screen reads: from Redis, or from Postgres and saying so; never older than asked for."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
import rfc8785
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import (
    SESSION_MS,
    WELL,
    a_packet,
    id_of,
    lines,
    now_ms,
    signals,
)
from tests.integration.http.serving import Api, until_true
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.domain.fingerprint import fingerprint
from vitalrelay.domain.packet import SubjectId

ENVELOPE = ("incarnation", "version", "fingerprint")


async def shown(client: httpx2.AsyncClient, **packet: Any) -> dict[str, Any]:
    """A packet of somebody whose snapshot is in Redis by now."""
    sent = a_packet(**packet)
    receipt = (await client.post("/v1/signal-packets", json=sent)).json()
    version = receipt["projection"]["version"]
    await until_true(lambda: is_published(client, sent["subjectId"], version))
    return sent


async def is_published(client: httpx2.AsyncClient, subject: str, version: int) -> bool:
    answer = await client.get(f"/v1/projections/monitoring-snapshot:{subject}")
    return bool(answer.json()["publishedVersion"] == version)


def url_of(packet: dict[str, Any]) -> str:
    return f"/v1/subjects/{packet['subjectId']}/snapshot"


class TestOne:
    async def test_the_document_is_that_of_the_contract(self, client: httpx2.AsyncClient) -> None:
        packet = await shown(client, encounterId="e-shown", signals=signals(**WELL))

        answer = await client.get(url_of(packet))

        document = answer.json()
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["vitalrelay-source"] == "redis"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert document["schema"] == "monitoring-snapshot/1"
        assert (document["incarnation"], document["version"]) == (1, 1)
        assert document["subjectId"] == packet["subjectId"]
        assert document["encounterId"] == "e-shown"
        assert document["siteId"] == packet["siteId"]
        assert document["asOfMs"] == SESSION_MS
        assert document["lastPacketId"] == id_of(packet)
        assert document["vitals"]["heart_rate"] == {
            "value": 70,
            "unit": "/min",
            "measuredAtMs": SESSION_MS,
            "packetId": id_of(packet),
            "quality": "good",
        }
        assert document["assessment"]["modelVersion"] == "news2-2017/1"
        assert document["alarms"] == []

    async def test_the_fingerprint_is_that_of_the_content(self, client: httpx2.AsyncClient) -> None:
        packet = await shown(client, signals=signals(**WELL))

        answer = await client.get(url_of(packet))

        content = {k: v for k, v in answer.json().items() if k not in ENVELOPE}
        assert fingerprint(rfc8785.dumps(content).decode()) == answer.json()["fingerprint"]
        assert answer.headers["etag"] == f'"{answer.json()["fingerprint"]}"'

    @pytest.mark.parametrize("given", ["{tag}", "W/{tag}", '"x", {tag}', '"x",W/{tag}', "*"])
    async def test_who_has_it_already_is_told_so(
        self, client: httpx2.AsyncClient, given: str
    ) -> None:
        """RFC 9110, 13.1.2: whichever way the tag was weakened on its way."""
        packet = await shown(client)
        tag = (await client.get(url_of(packet))).headers["etag"]

        answer = await client.get(url_of(packet), headers={"If-None-Match": given.format(tag=tag)})

        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["etag"] == tag

    async def test_of_two_lists_of_tags_either_will_do(self, client: httpx2.AsyncClient) -> None:
        packet = await shown(client)
        tag = (await client.get(url_of(packet))).headers["etag"]

        answer = await client.get(
            url_of(packet), headers=[("If-None-Match", '"x"'), ("If-None-Match", tag)]
        )

        assert answer.status_code == 304

    async def test_who_has_it_already_is_told_so_without_postgres(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        packet = await shown(client)
        tag = (await client.get(url_of(packet))).headers["etag"]

        with api.postgres.is_down():
            answers = [
                await client.get(url_of(packet), headers={"If-None-Match": tag}) for _ in range(3)
            ]
        await api.works()

        assert [answer.status_code for answer in answers] == [304] * 3
        assert {answer.headers["vitalrelay-source"] for answer in answers} == {"redis"}

    @pytest.mark.parametrize("given", ['"x"', "sha256:0", ""])
    async def test_who_has_another_one_gets_it(
        self, client: httpx2.AsyncClient, given: str
    ) -> None:
        packet = await shown(client)

        answer = await client.get(url_of(packet), headers={"If-None-Match": given})

        assert answer.status_code == 200

    async def test_nobodys_snapshot_is_not_found(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/v1/subjects/nobody/snapshot")).status_code == 404

    async def test_what_was_acknowledged_can_be_read_at_once(
        self, client: httpx2.AsyncClient
    ) -> None:
        for late in range(10):
            packet = a_packet(subjectId="p-read-at-once", timestampMs=SESSION_MS + late)
            receipt = (await client.post("/v1/signal-packets", json=packet)).json()
            version = receipt["projection"]["version"]

            answer = await client.get(url_of(packet), params={"atLeastVersion": version})

            assert answer.status_code == 200
            assert answer.json()["version"] >= version

    async def test_a_version_that_is_not_known_yet_is_never_answered_with_an_older_one(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = await shown(client)

        answer = await client.get(url_of(packet), params={"atLeastVersion": 99})

        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/snapshot-behind"
        assert answer.headers["retry-after"] == "1"

    async def test_a_version_is_waited_for(self, client: httpx2.AsyncClient) -> None:
        packet = await shown(client)

        waits = asyncio.create_task(client.get(url_of(packet), params={"atLeastVersion": 2}))
        await client.post("/v1/signal-packets", json=packet | {"timestampMs": SESSION_MS + 1})

        assert (await waits).json()["version"] == 2

    @pytest.mark.parametrize("version", ["-1", "x", "1.5", "9" * 30])
    async def test_what_is_no_version_is_refused(
        self, client: httpx2.AsyncClient, version: str
    ) -> None:
        answer = await client.get("/v1/subjects/p-1/snapshot", params={"atLeastVersion": version})

        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"pointer": "/query/atLeastVersion", "reason": "is not valid"}
        ]

    @pytest.mark.parametrize(
        "query", ["atleastVersion=1", "atLeastVersion=1&atLeastVersion=1", "subjectId=p-1", "x"]
    )
    async def test_a_parameter_that_is_misspelt_or_said_twice_is_refused(
        self, client: httpx2.AsyncClient, query: str
    ) -> None:
        answer = await client.get(f"/v1/subjects/p-1/snapshot?{query}")

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
        assert answer.json()["errors"][0]["pointer"] == "/query"

    async def test_a_crowd_gets_each_its_own(self, client: httpx2.AsyncClient) -> None:
        packets = [await shown(client) for _ in range(20)]

        answers = await asyncio.gather(*(client.get(url_of(packet)) for packet in packets * 3))

        assert [answer.json()["subjectId"] for answer in answers] == [
            packet["subjectId"] for packet in packets * 3
        ]


class TestMany:
    async def test_many_are_read_at_once_in_the_order_asked_for(
        self, client: httpx2.AsyncClient
    ) -> None:
        packets = [await shown(client) for _ in range(3)]
        subjects = [packet["subjectId"] for packet in packets[::-1]]

        answer = await client.get(
            "/v1/snapshots", params={"subjectId": [*subjects, "nobody", subjects[0]]}
        )

        items = answer.json()["items"]
        assert [item["snapshot"]["subjectId"] for item in items] == subjects
        assert {item["source"] for item in items} == {"redis"}
        alone = (await client.get(url_of(packets[0]))).json()
        assert items[-1]["snapshot"] == alone

    async def test_too_many_are_refused(self, client: httpx2.AsyncClient) -> None:
        subjects = [f"p-{n}" for n in range(201)]

        answer = await client.get("/v1/snapshots", params={"subjectId": subjects})

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"

    async def test_only_nobodies_are_nothing(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/v1/snapshots", params={"subjectId": ["nobody"]})

        assert answer.json()["items"] == []


class TestLatest:
    async def test_the_latest_is_the_one_with_the_newest_time(
        self, client: httpx2.AsyncClient
    ) -> None:
        newest = await shown(client, timestampMs=now_ms())
        await shown(client, timestampMs=SESSION_MS + 1)

        answer = await client.get("/v1/snapshots/latest")

        assert answer.json()["subjectId"] == newest["subjectId"]
        assert answer.headers["etag"] == f'"{answer.json()["fingerprint"]}"'


def forged(stored: bytes, **changes: Any) -> str:
    """Changed by somebody who knows how a fingerprint is made."""
    document = json.loads(stored) | changes
    content = {k: v for k, v in document.items() if k not in ENVELOPE}
    return json.dumps(document | {"fingerprint": fingerprint(rfc8785.dumps(content).decode())})


def aged(answer: httpx2.Response) -> tuple[int, int]:
    """As of when, and how old, in milliseconds."""
    headers = answer.headers
    return int(headers["vitalrelay-as-of-ms"]), int(headers["vitalrelay-age-ms"])


class TestFreshness:
    @pytest.mark.parametrize("url", ["of the patient", "/v1/snapshots/latest"])
    async def test_how_old_it_is_stands_beside_it(
        self, client: httpx2.AsyncClient, url: str
    ) -> None:
        packet = await shown(client, timestampMs=now_ms())
        url = url_of(packet) if url == "of the patient" else url
        before = now_ms()

        answer = await client.get(url)
        same = await client.get(url, headers={"If-None-Match": answer.headers["etag"]})

        after = now_ms()
        assert (answer.status_code, same.status_code) == (200, 304)
        for as_of, age in (aged(answer), aged(same)):
            assert as_of == answer.json()["asOfMs"]
            assert before - as_of <= age <= after - as_of

    async def test_of_many_each_has_an_age_by_the_same_clock(
        self, client: httpx2.AsyncClient
    ) -> None:
        packets = [await shown(client, timestampMs=SESSION_MS + at) for at in (0, 500)]
        subjects = [packet["subjectId"] for packet in packets]
        before = now_ms()

        answer = await client.get("/v1/snapshots", params={"subjectId": subjects})

        at_ms = answer.json()["serverTimeMs"]
        assert before <= at_ms <= now_ms()
        assert [item["ageMs"] for item in answer.json()["items"]] == [
            at_ms - SESSION_MS,
            at_ms - SESSION_MS - 500,
        ]

    async def test_it_grows_while_nothing_is_heard(self, client: httpx2.AsyncClient) -> None:
        packet = await shown(client)
        _, first = aged(await client.get(url_of(packet)))

        async def older() -> bool:
            return aged(await client.get(url_of(packet)))[1] > first

        await until_true(older)

    async def test_what_does_not_say_as_of_when_is_as_old_as_can_be(
        self, client: httpx2.AsyncClient, database: AsyncEngine, redis: Redis, http_keys: Keys
    ) -> None:
        packet = await shown(client)
        subject = packet["subjectId"]
        async with database.begin() as connection:
            await connection.execute(
                text("""
                    update patient_monitoring_snapshot_projections set payload = payload - 'asOfMs'
                    where demo_subject_id = :subject
                """),
                {"subject": subject},
            )
        await redis.delete(http_keys.document(SubjectId(subject)))

        answer = await client.get(url_of(packet))

        as_of, age = aged(answer)
        assert answer.headers["vitalrelay-source"] == "postgres"
        assert as_of == 0
        assert age >= SESSION_MS

    async def test_it_is_never_negative(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys
    ) -> None:
        """Two clocks may differ: a document as a database wrote it that is a day ahead."""
        packet = await shown(client)
        subject = packet["subjectId"]
        key = http_keys.document(SubjectId(subject))
        ahead = forged(await redis.get(key), asOfMs=now_ms() + 86_400_000)
        await redis.set(key, ahead)

        one = await client.get(url_of(packet))
        many = await client.get("/v1/snapshots", params={"subjectId": subject})

        assert one.headers["vitalrelay-source"] == "redis"
        assert aged(one) == (one.json()["asOfMs"], 0)
        assert one.json()["asOfMs"] > now_ms()
        assert many.json()["items"][0]["ageMs"] == 0


DAMAGED = [
    pytest.param("not json", id="not JSON"),
    pytest.param("[]", id="no object"),
    pytest.param('{"subjectId":1}', id="no document"),
    pytest.param("\ud83d".encode("utf-8", "surrogatepass"), id="not UTF-8"),
    pytest.param('{"a":' * 3_000, id="too deep"),
    pytest.param("9" * 5_000, id="too many digits"),
]


class TestInstead:
    """What is not whole in Redis is read from Postgres, which says so."""

    @pytest.mark.parametrize("damage", DAMAGED)
    async def test_a_damaged_document_is_not_shown(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys, damage: str | bytes
    ) -> None:
        packet = await shown(client)
        before = (await client.get(url_of(packet))).json()
        await redis.set(http_keys.document(SubjectId(packet["subjectId"])), damage)

        answer = await client.get(url_of(packet))

        assert answer.status_code == 200
        assert answer.headers["vitalrelay-source"] == "postgres"
        assert answer.json() == before

    async def test_a_document_that_was_changed_is_not_shown(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys
    ) -> None:
        packet = await shown(client, signals=signals(heart_rate=70))
        key = http_keys.document(SubjectId(packet["subjectId"]))
        document = json.loads(await redis.get(key))
        document["vitals"]["heart_rate"]["value"] = 71
        await redis.set(key, json.dumps(document))

        answer = await client.get(url_of(packet))

        assert answer.headers["vitalrelay-source"] == "postgres"
        assert answer.json()["vitals"]["heart_rate"]["value"] == 70

    @pytest.mark.parametrize(
        ("true", "false"),
        [
            pytest.param(b'"value":70', b'"value":71', id="a value"),
            pytest.param(b'"quality":"good"', b'"quality":"goad"', id="a word"),
            pytest.param(b'"fingerprint":"sha256:', b'"fingerprint":"sha257:', id="its tag"),
        ],
    )
    async def test_one_byte_changed_right_after_it_was_read_is_not_shown(
        self,
        client: httpx2.AsyncClient,
        redis: Redis,
        http_keys: Keys,
        true: bytes,
        false: bytes,
    ) -> None:
        """What was verified is remembered, and its bytes are compared, not its length or tag."""
        packet = await shown(client, signals=signals(heart_rate=70))
        key = http_keys.document(SubjectId(packet["subjectId"]))
        first = await client.get(url_of(packet))
        whole = await redis.get(key)
        altered = whole.replace(true, false, 1)

        await redis.set(key, altered)
        answers = [await client.get(url_of(packet)) for _ in range(2)]
        await redis.set(key, whole)
        last = await client.get(url_of(packet))

        assert (len(altered), first.headers["vitalrelay-source"]) == (len(whole), "redis")
        for answer in answers:
            assert answer.headers["vitalrelay-source"] == "postgres"
            assert answer.json() == first.json()
        assert last.headers["vitalrelay-source"] == "redis"
        assert last.content == whole

    async def test_a_forged_document_is_not_what_the_caller_has_already(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys
    ) -> None:
        """It claims the caller's tag; the truth has another one by now."""
        packet = await shown(client, signals=signals(heart_rate=70))
        key = http_keys.document(SubjectId(packet["subjectId"]))
        tag = (await client.get(url_of(packet))).headers["etag"]
        old = await redis.get(key)
        await shown(client, **packet | {"timestampMs": SESSION_MS + 1})
        await redis.set(key, old.replace(b'"value":70', b'"value":71'))

        answer = await client.get(url_of(packet), headers={"If-None-Match": tag})

        assert answer.status_code == 200
        assert answer.headers["vitalrelay-source"] == "postgres"
        assert answer.json()["asOfMs"] == SESSION_MS + 1

    async def test_another_patients_document_is_not_shown(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys
    ) -> None:
        one, other = await shown(client), await shown(client)
        keys = [http_keys.document(SubjectId(packet["subjectId"])) for packet in (one, other)]
        await redis.set(keys[0], await redis.get(keys[1]))

        answer = await client.get(url_of(one))

        assert answer.headers["vitalrelay-source"] == "postgres"
        assert answer.json()["subjectId"] == one["subjectId"]

    @pytest.mark.parametrize("instead", ["nothing", "a list"])
    async def test_what_is_gone_or_of_another_type_is_read_from_postgres(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys, instead: str
    ) -> None:
        packet = await shown(client)
        key = http_keys.document(SubjectId(packet["subjectId"]))
        await redis.delete(key)
        if instead == "a list":
            await redis.rpush(key, "x")

        answer = await client.get(url_of(packet))

        assert answer.status_code == 200
        assert answer.headers["vitalrelay-source"] == "postgres"

    async def test_of_many_each_says_where_it_came_from(
        self, client: httpx2.AsyncClient, redis: Redis, http_keys: Keys
    ) -> None:
        packets = [await shown(client) for _ in range(3)]
        subjects = [packet["subjectId"] for packet in packets]
        await redis.delete(http_keys.document(SubjectId(subjects[1])))

        items = (await client.get("/v1/snapshots", params={"subjectId": subjects})).json()["items"]

        assert [item["source"] for item in items] == ["redis", "postgres", "redis"]
        assert [item["snapshot"]["subjectId"] for item in items] == subjects

    async def test_without_redis_everything_is_read_from_postgres(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        packet = await shown(client, timestampMs=now_ms())
        before = (await client.get(url_of(packet))).json()
        subject = packet["subjectId"]

        with api.redis.is_down():
            one = await client.get(url_of(packet))
            latest = await client.get("/v1/snapshots/latest")
            many = await client.get("/v1/snapshots", params={"subjectId": [subject]})

        for answer in (one, latest):
            assert answer.status_code == 200
            assert answer.headers["vitalrelay-source"] == "postgres"
            assert answer.json() == before
        [item] = many.json()["items"]
        assert (item["source"], item["snapshot"]) == ("postgres", before)

    async def test_while_redis_is_silent_a_crowd_is_answered_from_postgres(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        packets = [await shown(client) for _ in range(3)]

        with api.redis.is_silent():
            answers = await asyncio.gather(*(client.get(url_of(packet)) for packet in packets * 10))
        await api.works()

        assert {answer.headers["vitalrelay-source"] for answer in answers} == {"postgres"}
        assert [answer.json()["subjectId"] for answer in answers] == [
            packet["subjectId"] for packet in packets * 10
        ]

    async def test_redis_is_behind_while_postgres_knows_more(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        """Published nowhere, so it is waited for in vain, and then read from Postgres."""
        packet = await shown(client)
        with api.redis.is_down():
            later = packet | {"timestampMs": SESSION_MS + 1}
            assert (await client.post("/v1/signal-packets", json=later)).status_code == 201

        now = await client.get(url_of(packet))
        asked = await client.get(url_of(packet), params={"atLeastVersion": 2})

        assert (now.json()["version"], now.headers["vitalrelay-source"]) == (1, "redis")
        assert (asked.json()["version"], asked.headers["vitalrelay-source"]) == (2, "postgres")

    async def test_a_row_of_another_time_is_shown_as_it_is_and_harms_nobody(
        self, client: httpx2.AsyncClient, database: AsyncEngine, redis: Redis, http_keys: Keys
    ) -> None:
        """B-100: fields are missing from what an older version wrote."""
        packet, other = await shown(client), await shown(client)
        subject = packet["subjectId"]
        async with database.begin() as connection:
            await connection.execute(
                text("""
                    update patient_monitoring_snapshot_projections
                    set payload = payload - 'newestPacket' - 'assessment',
                        payload_fingerprint = 'sha256:0'
                    where demo_subject_id = :subject
                """),
                {"subject": subject},
            )
        await redis.delete(http_keys.document(SubjectId(subject)))

        read = await client.get(url_of(packet))
        later = [one | {"timestampMs": SESSION_MS + 1} for one in (other, packet, a_packet())]
        answer = await client.post(
            "/v1/signal-packets/batch",
            content=lines(later),
            headers={"Content-Type": "application/x-ndjson"},
        )

        *told, _ = map(json.loads, answer.text.splitlines())
        assert read.status_code == 200
        assert [told[0]["status"], told[2]["status"]] == [201, 201]
        assert told[1]["status"] in (201, 503)
