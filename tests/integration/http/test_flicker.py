"""
A value that swings around a threshold, from the wire to the screen and the audit trail.

One alarm, one episode, at most three records; every packet is stored and scored.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from tests.integration.http.packets import WELL, a_packet, lines, now_ms, signals
from tests.integration.http.serving import Api, until_true

NDJSON = {"Content-Type": "application/x-ndjson"}
PACKETS = 600
SIX = {"respiratory_rate": 24, "spo2": 92, "systolic_bp": 100}

Packet = dict[str, Any]


def ten_minutes(values: Sequence[dict[str, Any]]) -> list[Packet]:
    """Once a second until now, of one patient and device."""
    first = a_packet()
    begin_ms = now_ms() - 1000 * len(values)
    return [
        first | {"timestampMs": begin_ms + 1000 * n, "signals": signals(**WELL | value)}
        for n, value in enumerate(values)
    ]


def heart_rates(*, seed: int | None = None) -> list[dict[str, Any]]:
    """131 at first and at last; by turns, or at random in between."""
    rng = random.Random(seed)
    between = [131 - n % 2 if seed is None else rng.choice([130, 131]) for n in range(PACKETS - 2)]
    return [{"heart_rate": rate} for rate in (131, *between, 131)]


async def post_one_by_one(client: httpx2.AsyncClient, packets: list[Packet]) -> list[int]:
    """Each in a request of its own; returns their scores."""
    answers = [await client.post("/v1/signal-packets", json=packet) for packet in packets]
    assert {answer.status_code for answer in answers} == {201}
    return [answer.json()["assessment"]["score"] for answer in answers]


async def post_batch(client: httpx2.AsyncClient, packets: list[Packet]) -> None:
    answer = await client.post("/v1/signal-packets/batch", content=lines(packets), headers=NDJSON)
    summary = json.loads(answer.text.splitlines()[-1])["summary"]
    assert summary["stored"] == len(packets)


async def alarms_of(client: httpx2.AsyncClient, packets: list[Packet]) -> dict[str, Any]:
    """On the screen, by condition, once the last packet is there."""
    subject = packets[-1]["subjectId"]
    document: dict[str, Any] = {}

    async def shown() -> bool:
        answer = await client.get(f"/v1/subjects/{subject}/snapshot")
        document.update(answer.json())
        return document["asOfMs"] == packets[-1]["timestampMs"]

    await until_true(shown)
    return {alarm["condition"]: alarm for alarm in document["alarms"]}


async def trail_of(client: httpx2.AsyncClient, packets: list[Packet], name: str) -> list[str]:
    """Oldest first."""
    alarm = f"{packets[0]['subjectId']}:{name}"
    answer = await client.get(f"/v1/alarms/{alarm}/audit-events")
    assert answer.status_code == 200
    return [event["action"] for event in reversed(answer.json()["items"])]


async def act(
    client: httpx2.AsyncClient, packets: list[Packet], name: str, verb: str, **more: Any
) -> None:
    body = {"actorRef": "nurse-7", "reason": "seen at bedside"} | more
    alarm = f"{packets[0]['subjectId']}:{name}"
    answer = await client.post(f"/v1/alarms/{alarm}/{verb}", json=body)
    assert answer.status_code == 200


class TestARedVital:
    @pytest.mark.parametrize("seed", [None, 1])
    async def test_in_one_batch_it_is_one_alarm(
        self, client: httpx2.AsyncClient, seed: int | None
    ) -> None:
        packets = ten_minutes(heart_rates(seed=seed))

        await post_batch(client, packets)

        [alarm] = (await alarms_of(client, packets)).values()
        assert (alarm["condition"], alarm["state"]) == ("vital-red:heart_rate", "active")
        assert alarm["sinceMs"] == packets[0]["timestampMs"]
        assert await trail_of(client, packets, alarm["condition"]) == ["raised", "cleared"]

    async def test_in_a_transaction_for_each_packet_it_is_one_alarm(self, narrow_api: Api) -> None:
        packets = ten_minutes(heart_rates(seed=2))

        async with narrow_api.client() as client:
            await post_batch(client, packets)

            [alarm] = (await alarms_of(client, packets)).values()
            assert alarm["sinceMs"] == packets[0]["timestampMs"]
            assert await trail_of(client, packets, alarm["condition"]) == ["raised", "cleared"]

    async def test_in_requests_of_their_own_it_is_one_alarm_and_each_packet_is_scored(
        self, client: httpx2.AsyncClient
    ) -> None:
        packets = ten_minutes(heart_rates())

        scores = await post_one_by_one(client, packets)

        [alarm] = (await alarms_of(client, packets)).values()
        assert scores == [3, *([3, 2] * (PACKETS // 2 - 1)), 3]
        assert alarm["sinceMs"] == packets[0]["timestampMs"]
        assert await trail_of(client, packets, alarm["condition"]) == ["raised", "cleared"]

    async def test_once_it_stands_a_third_record_says_so(self, client: httpx2.AsyncClient) -> None:
        packets = ten_minutes([*heart_rates(), *([{"heart_rate": 131}] * 62)])

        await post_batch(client, packets)

        [alarm] = (await alarms_of(client, packets)).values()
        assert alarm["sinceMs"] == packets[0]["timestampMs"]
        assert await trail_of(client, packets, alarm["condition"]) == [
            *("raised", "cleared", "raised")
        ]

    async def test_once_seen_it_stays_seen(self, client: httpx2.AsyncClient) -> None:
        packets = ten_minutes(heart_rates())
        await post_batch(client, packets[:1])
        await act(client, packets, "vital-red:heart_rate", "acknowledge")

        await post_batch(client, packets[1:])

        [alarm] = (await alarms_of(client, packets)).values()
        assert (alarm["state"], alarm["acknowledgedBy"]) == ("acknowledged", "nurse-7")
        assert alarm["sinceMs"] == packets[0]["timestampMs"]
        assert await trail_of(client, packets, alarm["condition"]) == [
            *("raised", "acknowledged", "resolved")
        ]

    async def test_once_muted_it_stays_muted(self, client: httpx2.AsyncClient) -> None:
        packets = ten_minutes(heart_rates())
        await post_batch(client, packets[:1])
        await act(client, packets, "vital-red:heart_rate", "mute", durationSeconds=600)

        await post_batch(client, packets[1:])

        [alarm] = (await alarms_of(client, packets)).values()
        assert alarm["mutedUntilMs"] is not None
        assert await trail_of(client, packets, alarm["condition"]) == [
            *("raised", "muted", "cleared")
        ]


class TestTheScore:
    @pytest.mark.parametrize("seed", [None, 3])
    async def test_between_six_and_seven_each_rung_has_three_records_at_most(
        self, client: httpx2.AsyncClient, seed: int | None
    ) -> None:
        rng = random.Random(seed)
        rates = [91 - n % 2 if seed is None else rng.choice([90, 91]) for n in range(PACKETS)]
        packets = ten_minutes([SIX | {"heart_rate": rate} for rate in rates])

        await post_batch(client, packets)

        alarms = await alarms_of(client, packets)
        records = {name: len(await trail_of(client, packets, name)) for name in alarms}
        rungs = {"news2-high"} if rates[-1] == 91 else {"news2-high", "news2-medium"}
        assert set(alarms) == rungs
        assert max(records.values()) <= 3
        assert {alarm["sinceMs"] for alarm in alarms.values()} <= {
            packets[rates.index(rate)]["timestampMs"] for rate in (90, 91)
        }

    async def test_it_follows_each_packet(self, client: httpx2.AsyncClient) -> None:
        """And with it the level, though the alarm stays what it was."""
        rates = [90, 91] * 10
        packets = ten_minutes([SIX | {"heart_rate": rate} for rate in rates])

        answers = [await client.post("/v1/signal-packets", json=packet) for packet in packets]

        said = [answer.json()["assessment"] for answer in answers]
        assert [one["score"] for one in said] == [6, 7] * 10
        assert Counter(one["riskLevel"] for one in said) == {"medium": 10, "high": 10}
