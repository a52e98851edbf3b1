"""Packets and assessments, read back: one, or page by page to the end."""

from typing import Any

import httpx2
import pytest

from tests.integration.http.packets import (
    SESSION_MS,
    WELL,
    a_packet,
    id_of,
    lines,
    signals,
)

PACKETS = "/v1/signal-packets"


async def keep(client: httpx2.AsyncClient, *packets: dict[str, Any]) -> None:
    await client.post(
        f"{PACKETS}/batch", content=lines(packets), headers={"Content-Type": "application/x-ndjson"}
    )


async def pages(client: httpx2.AsyncClient, url: str, **how: Any) -> list[list[dict[str, Any]]]:
    """All of them, following ``next`` until there is none."""
    found = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(url, params={**how, **cursor})
        assert answer.status_code == 200
        page = answer.json()
        found.append(page["items"])
        if page["next"] is None:
            assert "link" not in answer.headers
            return found
        assert answer.headers["link"].startswith(f"<{url}?")
        assert answer.headers["link"].endswith('>; rel="next"')
        followed = await client.get(answer.headers["link"][1:].partition(">")[0])
        cursor = {"cursor": page["next"]}
        assert followed.json() == (await client.get(url, params={**how, **cursor})).json()


class TestPackets:
    async def test_a_packet_is_read_as_it_was_sent(self, client: httpx2.AsyncClient) -> None:
        packet = a_packet(
            encounterId="e-1",
            sequence=7,
            signals=[
                {"code": "spo2", "value": 96.1, "unit": "%", "measuredAtMs": SESSION_MS - 5},
                {"code": "heart_rate", "value": 81, "unit": "bpm", "quality": "questionable"},
                {"code": "supplemental_oxygen", "value": False},
                {"code": "consciousness", "value": "A"},
            ],
        )
        receipt = (await client.post(PACKETS, json=packet)).json()

        answer = await client.get(f"{PACKETS}/{receipt['packetId']}")

        assert answer.status_code == 200
        assert answer.json() == packet | {
            "packetId": receipt["packetId"],
            "receivedAtMs": receipt["receivedAtMs"],
            "clockSuspect": False,
        }

    async def test_what_is_not_there_is_not_found(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get(f"{PACKETS}/seoul-01:bed-12:1")

        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"

    @pytest.mark.parametrize("limit", [1, 4, 7, 100])
    async def test_a_patients_packets_are_read_newest_first_to_the_end(
        self, client: httpx2.AsyncClient, limit: int
    ) -> None:
        first = a_packet()
        packets = [first | {"timestampMs": SESSION_MS + at % 5, "sequence": at} for at in range(12)]
        await keep(client, *packets)

        found = await pages(
            client, f"/v1/subjects/{first['subjectId']}/signal-packets", limit=limit
        )

        newest_first = sorted(packets, key=lambda one: (one["timestampMs"], id_of(one)))[::-1]
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
        assert [one["packetId"] for page in found for one in page] == list(map(id_of, newest_first))

    async def test_what_comes_in_between_does_not_shift_the_pages(
        self, client: httpx2.AsyncClient
    ) -> None:
        first = a_packet()
        url = f"/v1/subjects/{first['subjectId']}/signal-packets"
        packets = [first | {"timestampMs": SESSION_MS + at} for at in range(4)]
        await keep(client, *packets)
        page = (await client.get(url, params={"limit": 2})).json()

        await keep(client, first | {"timestampMs": SESSION_MS + 9})
        rest = (await client.get(url, params={"limit": 2, "cursor": page["next"]})).json()

        assert [one["packetId"] for one in rest["items"]] == [id_of(packets[1]), id_of(packets[0])]

    async def test_a_hundred_are_a_page_unless_one_says_otherwise(
        self, client: httpx2.AsyncClient
    ) -> None:
        first = a_packet()
        await keep(client, *(first | {"sequence": at} for at in range(501)))
        url = f"/v1/subjects/{first['subjectId']}/signal-packets"

        few = (await client.get(url)).json()
        many = (await client.get(url, params={"limit": 500})).json()

        assert (len(few["items"]), len(many["items"])) == (100, 500)

    async def test_nobodys_packets_are_not_found(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/v1/subjects/nobody/signal-packets")

        assert answer.status_code == 404

    @pytest.mark.parametrize("limit", ["0", "-1", "501", "x", "1.5", ""])
    async def test_other_limits_are_refused(self, client: httpx2.AsyncClient, limit: str) -> None:
        answer = await client.get("/v1/subjects/p-1/signal-packets", params={"limit": limit})

        [fault] = answer.json()["errors"]
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
        assert fault["pointer"] == "/query/limit"


class TestAssessments:
    async def test_the_current_one_of_an_encounter_is_read(
        self, client: httpx2.AsyncClient
    ) -> None:
        packet = a_packet(encounterId="e-assessed", signals=signals(**WELL))
        worse = packet | {"timestampMs": SESSION_MS + 1, "signals": signals(heart_rate=140)}
        await keep(client, packet, worse)

        answer = await client.get("/v1/encounters/e-assessed/assessments")

        [assessment] = answer.json()["items"]
        assert answer.status_code == 200
        assert assessment["encounterId"] == "e-assessed"
        assert assessment["subjectId"] == packet["subjectId"]
        assert assessment["lastPacketId"] == id_of(worse)
        assert (assessment["modelName"], assessment["score"]) == ("news2", 3)
        assert assessment["riskLevel"] == "low-medium"
        assert assessment["clinicianReviewRequired"] is True

    async def test_each_encounter_has_its_own(self, client: httpx2.AsyncClient) -> None:
        packet = a_packet(encounterId="e-first", signals=signals(**WELL))
        later = packet | {"timestampMs": SESSION_MS + 1, "encounterId": "e-second"}
        await keep(client, packet, later)

        found = [
            (await client.get(f"/v1/encounters/{name}/assessments")).json()["items"]
            for name in ("e-first", "e-second")
        ]

        assert [[one["lastPacketId"] for one in items] for items in found] == [
            [id_of(packet)],
            [id_of(later)],
        ]

    async def test_an_encounter_without_one_is_not_found(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/v1/encounters/e-none/assessments")).status_code == 404


NOWHERE = [
    "/v1/signal-packets/%00",
    "/v1/signal-packets/a%00b:c:1",
    "/v1/signal-packets/%ff",
    "/v1/signal-packets/%ed%a0%80",
    f"/v1/signal-packets/{'x' * 3_000}",
    "/v1/subjects/%00/signal-packets",
    "/v1/subjects/%00/snapshot",
    "/v1/subjects/p%0d%0a1/snapshot",
    "/v1/subjects/*/snapshot",
    "/v1/encounters/%00/assessments",
    "/v1/projections/%00",
    "/v1/projections/monitoring-snapshot:%00",
]


@pytest.mark.parametrize("url", NOWHERE)
async def test_an_id_that_cannot_be_one_is_not_found_like_any_other(
    client: httpx2.AsyncClient, url: str
) -> None:
    answer = await client.get(url)

    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"
