"""One packet, and every answer that the contract knows."""

import asyncio
import json
import re
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import SESSION_MS, WELL, a_packet, id_of, signals
from tests.integration.http.serving import Api, until_true

PACKETS = "/v1/signal-packets"
JSON = {"Content-Type": "application/json"}

SHAPE = {
    "outcome": str,
    "packetId": str,
    "subjectId": str,
    "receivedAtMs": int,
    "clockSuspect": bool,
    "projection": {"projectionId": str, "version": int, "fingerprint": str},
    "assessment": {
        "modelName": str,
        "riskLevel": str,
        "score": int,
        "completeness": str,
        "missing": list,
    },
}

# What is wrong, the pointer to it, and words that the reason must have.
INVALID = [
    ({"siteId": None}, "/siteId", "is required"),
    ({"siteId": ""}, "/siteId", "must match"),
    ({"siteId": "a:b"}, "/siteId", "must match"),
    ({"deviceId": 12}, "/deviceId", ""),
    ({"subjectId": "x" * 65}, "/subjectId", ""),
    ({"subjectId": "latest"}, "/subjectId", "reserved"),
    ({"encounterId": "e 1"}, "/encounterId", "must match"),
    ({"timestampMs": "2026-01-01"}, "/timestampMs", ""),
    ({"timestampMs": 1.5}, "/timestampMs", ""),
    ({"timestampMs": -1}, "/timestampMs", ""),
    ({"sequence": -1}, "/sequence", ""),
    ({"signals": []}, "/signals", ""),
    ({"signals": {}}, "/signals", ""),
    ({"signals": [1]}, "/signals/0", ""),
    ({"signals": [{"value": 1}]}, "/signals/0/code", "is required"),
    ({"signals": signals(heart_rate="81")}, "/signals/0/value", "must be a number"),
    ({"signals": signals(heart_rate=True)}, "/signals/0/value", "must be a number"),
    ({"signals": signals(heart_rate=[81])}, "/signals/0/value", "must be a number"),
    ({"signals": signals(spo2=97, consciousness="X")}, "/signals/1/value", "one of a, c, v, p, u"),
    (
        {"signals": [{"code": "spo2", "value": 97, "unit": "mmHg"}]},
        "/signals/0/unit",
        "accepted: %",
    ),
    ({"signals": [{"code": "spo2", "value": 97, "quality": "fine"}]}, "/signals/0/quality", ""),
    (
        {"signals": [{"code": "spo2", "value": 97, "quality": "simulated"}]},
        "/signals/0/quality",
        "simulated",
    ),
    ({"surname": "x"}, "", "not known here"),
    ({"signals": [{"code": "spo2", "value": 97, "note": "x"}]}, "/signals/0", "not known here"),
]

CLOSEST = [
    ("hart_rate", "heart_rate"),
    ("heart-rate", "heart_rate"),
    ("SpO2", "spo2"),
    ("temprature", "temperature"),
    ("systolic", "systolic_bp"),
]


def shape_of(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: shape_of(value) for name, value in document.items()}
    return type(document)


async def stored(database: AsyncEngine, packet: dict[str, Any]) -> int:
    async with database.connect() as connection:
        found = await connection.scalar(
            text("select count(*) from patient_signal_packets where packet_id = :id"),
            {"id": id_of(packet)},
        )
    return int(found or 0)


class TestAccepted:
    async def test_a_new_packet_gets_the_receipt_of_the_contract(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet(signals=signals(**WELL))

        answer = await client.post(PACKETS, json=packet)

        receipt = answer.json()
        assert answer.status_code == 201
        assert answer.headers["content-type"] == "application/json"
        assert shape_of(receipt) == SHAPE
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", receipt["projection"].pop("fingerprint"))
        assert 0 < receipt.pop("receivedAtMs") - SESSION_MS < 3_600_000
        assert receipt == {
            "outcome": "stored",
            "packetId": id_of(packet),
            "subjectId": packet["subjectId"],
            "clockSuspect": False,
            "projection": {
                "projectionId": f"monitoring-snapshot:{packet['subjectId']}",
                "version": 1,
            },
            "assessment": {
                "modelName": "news2",
                "riskLevel": "low",
                "score": 0,
                "completeness": "complete",
                "missing": [],
            },
        }

    async def test_what_is_missing_is_named(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post(PACKETS, json=a_packet(signals=signals(heart_rate=70)))

        assessment = answer.json()["assessment"]
        assert assessment["completeness"] == "partial"
        assert assessment["missing"] == [name for name in WELL if name != "heart_rate"]

    async def test_nothing_known_has_no_score(self, client: httpx2.AsyncClient) -> None:
        answer = await client.post(PACKETS, json=a_packet(signals=signals(heart_rate=301)))

        assert answer.status_code == 201
        assert answer.json()["assessment"]["score"] is None
        assert answer.json()["assessment"]["riskLevel"] == "unknown"

    async def test_a_sequence_tells_packets_of_one_moment_apart(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet()
        answers = [
            await client.post(PACKETS, json=packet | more)
            for more in ({}, {"sequence": 0}, {"sequence": 1})
        ]

        assert [answer.status_code for answer in answers] == [201, 201, 201]
        assert [answer.json()["packetId"] for answer in answers] == [
            id_of(packet),
            f"{id_of(packet)}:0",
            f"{id_of(packet)}:1",
        ]

    async def test_versions_rise_with_every_packet_of_a_patient(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet()

        answers = [
            await client.post(PACKETS, json=packet | {"timestampMs": SESSION_MS + late})
            for late in (0, 2, 1)
        ]

        assert [answer.json()["projection"]["version"] for answer in answers] == [1, 2, 3]

    async def test_a_body_in_chunks_is_a_body(self, client: httpx2.AsyncClient) -> None:
        body = json.dumps(a_packet()).encode()

        async def pieces() -> Any:
            for at in range(0, len(body), 7):
                yield body[at : at + 7]

        answer = await client.post(PACKETS, content=pieces(), headers=JSON)

        assert answer.status_code == 201


class TestAgain:
    async def test_a_repeated_packet_gets_the_same_receipt_as_a_duplicate(
        self, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        packet = a_packet(signals=signals(**WELL))
        first = await client.post(PACKETS, json=packet)

        again = [await client.post(PACKETS, json=packet) for _ in range(2)]

        assert [answer.status_code for answer in again] == [200, 200]
        for answer in again:
            assert answer.json() == first.json() | {"outcome": "duplicate"}
        assert await stored(database, packet) == 1

    async def test_what_stands_by_now_is_told_with_what_was_told_at_first(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet(signals=signals(**WELL))
        first = (await client.post(PACKETS, json=packet)).json()
        worse = packet | {"timestampMs": SESSION_MS + 1, "signals": signals(heart_rate=140)}
        second = (await client.post(PACKETS, json=worse)).json()

        again = (await client.post(PACKETS, json=packet)).json()

        assert again == first | {
            "outcome": "duplicate",
            "projection": second["projection"],
            "assessment": second["assessment"],
        }

    async def test_other_content_under_the_same_id_is_a_conflict_and_changes_nothing(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet(signals=signals(heart_rate=70))
        first = (await client.post(PACKETS, json=packet)).json()

        other = await client.post(PACKETS, json=packet | {"signals": signals(heart_rate=71)})

        again = (await client.post(PACKETS, json=packet)).json()
        assert other.status_code == 409
        assert other.json()["type"] == "/problems/packet-conflict"
        assert again == first | {"outcome": "duplicate"}

    async def test_of_fifty_at_once_one_stores_and_all_agree(
        self, client: httpx2.AsyncClient, database: AsyncEngine
    ) -> None:
        packet = a_packet()

        answers = await asyncio.gather(*(client.post(PACKETS, json=packet) for _ in range(50)))

        receipts = [answer.json() for answer in answers]
        outcomes = sorted(receipt.pop("outcome") for receipt in receipts)
        assert outcomes == ["duplicate"] * 49 + ["stored"]
        assert all(receipt == receipts[0] for receipt in receipts)
        assert await stored(database, packet) == 1


class TestRefused:
    @pytest.mark.parametrize(("changes", "pointer", "words"), INVALID)
    async def test_the_field_at_fault_is_pointed_at(
        self,
        client: httpx2.AsyncClient,
        database: AsyncEngine,
        changes: dict[str, Any],
        pointer: str,
        words: str,
    ) -> None:
        packet = a_packet(**{name: value for name, value in changes.items() if value is not None})
        for name in [name for name, value in changes.items() if value is None]:
            del packet[name]

        answer = await client.post(PACKETS, json=packet)

        problem = answer.json()
        assert answer.status_code == 422
        assert problem["type"] == "/problems/invalid-packet"
        assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
        assert words in problem["errors"][0]["reason"].lower()
        assert await stored(database, a_packet() | packet) == 0

    async def test_every_field_at_fault_is_pointed_at(self, client: httpx2.AsyncClient) -> None:
        packet = a_packet(siteId="", timestampMs=None, signals=[{"code": "spo2"}])

        problem = (await client.post(PACKETS, json=packet)).json()

        assert {fault["pointer"] for fault in problem["errors"]} == {
            "/siteId",
            "/timestampMs",
            "/signals/0/value",
        }

    async def test_faults_are_not_counted_without_an_end(self, client: httpx2.AsyncClient) -> None:
        packet = a_packet(signals=signals(**{f"unknown_{n}": n for n in range(60)}))

        problem = (await client.post(PACKETS, json=packet)).json()

        assert len(problem["errors"]) == 16

    @pytest.mark.parametrize(("code", "closest"), CLOSEST)
    async def test_the_closest_known_codes_are_suggested(
        self, client: httpx2.AsyncClient, code: str, closest: str
    ) -> None:
        answer = await client.post(PACKETS, json=a_packet(signals=signals(**{code: 1})))

        [fault] = answer.json()["errors"]
        assert answer.status_code == 422
        assert fault["pointer"] == "/signals/0/code"
        assert closest in fault["reason"]

    async def test_a_code_like_no_other_gets_no_suggestion(
        self, client: httpx2.AsyncClient
    ) -> None:
        answer = await client.post(PACKETS, json=a_packet(signals=signals(zzzzzz=1)))

        [fault] = answer.json()["errors"]
        assert fault["reason"] == "is not a known signal code"

    async def test_an_encounter_of_another_patient_is_refused_alone(
        self, client: httpx2.AsyncClient
    ) -> None:
        one, good = a_packet(encounterId="e-shared"), a_packet()
        other = a_packet(encounterId="e-shared")
        await client.post(PACKETS, json=one)

        answers = await asyncio.gather(
            *(client.post(PACKETS, json=packet) for packet in (other, good))
        )

        [fault] = answers[0].json()["errors"]
        assert [answer.status_code for answer in answers] == [422, 201]
        assert fault["pointer"] == "/encounterId"


class TestLoad:
    async def test_who_waits_in_vain_is_turned_away_and_not_stored(
        self, narrow_api: Api, database: AsyncEngine
    ) -> None:
        """One is being committed, one is in hand; the others are told to come back."""
        packets = [a_packet() for _ in range(5)]
        await narrow_api.works()
        async with narrow_api.client() as client, database.connect() as somebody:
            await somebody.execute(text("lock table patient_signal_packets in exclusive mode"))
            in_hand = asyncio.create_task(client.post(PACKETS, json=packets[0]))
            await until_true(lambda: somebody_waits(database))
            others = [asyncio.create_task(client.post(PACKETS, json=one)) for one in packets[1:]]
            first_told = asyncio.as_completed(others)
            refused = [await next(first_told) for _ in range(3)]
            await somebody.rollback()
            answers = await asyncio.gather(in_hand, *others)

        for answer in refused:
            assert answer.status_code == 503
            assert answer.json()["type"] == "/problems/overloaded"
            assert int(answer.headers["retry-after"]) >= 1
        assert sorted(answer.status_code for answer in answers) == [201, 201, 503, 503, 503]
        assert [await stored(database, packet) for packet in packets] == [
            int(answer.status_code == 201) for answer in answers
        ]


async def somebody_waits(database: AsyncEngine) -> bool:
    async with database.connect() as connection:
        return bool(
            await connection.scalar(text("select count(*) from pg_locks where not granted"))
        )
