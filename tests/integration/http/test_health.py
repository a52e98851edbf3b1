"""Does it live, is it ready and for what, and what do its numbers say."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.integration.http.packets import a_packet
from tests.integration.http.serving import Api


@pytest.fixture(autouse=True)
async def mended(api: Api) -> AsyncIterator[None]:
    """Whatever a test did, the next one finds everything working."""
    yield
    await api.works()


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    """Every duration is there, in whole milliseconds; how long they are is another question."""
    checks = []
    for check in document["checks"]:
        assert isinstance(check["durationMs"], int)
        checks.append({name: value for name, value in check.items() if name != "durationMs"})
    assert isinstance(document["durationMs"], int)
    rest = {name: value for name, value in document.items() if name != "durationMs"}
    return rest | {"checks": checks}


class TestLiveness:
    async def test_it_lives(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/healthz")

        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    async def test_it_lives_whatever_is_away(self, api: Api, client: httpx2.AsyncClient) -> None:
        with api.postgres.is_down(), api.redis.is_down():
            answer = await client.get("/healthz")

        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


class TestReadiness:
    async def test_everything_is_asked(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/readyz")

        assert answer.status_code == 200
        assert without_times(answer.json()) == {
            "status": "ready",
            "serviceName": "vitalrelay-api",
            "storageBackend": "postgres-redis",
            "failedChecks": [],
            "dependencySummary": {"total": 2, "ready": 2, "failed": 0},
            "checks": [
                {"name": "postgres", "status": "ready"},
                {"name": "redis", "status": "ready"},
            ],
        }

    async def test_without_redis_it_is_ready_for_ingest_and_not_for_all(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        with api.redis.is_down():
            answer = await client.get("/readyz")
            for_ingest = await client.get("/readyz", params={"for": "ingest"})

        assert answer.status_code == 503
        assert without_times(answer.json()) == {
            "status": "not-ready",
            "serviceName": "vitalrelay-api",
            "storageBackend": "postgres-redis",
            "failedCheck": "redis",
            "failureType": "ConnectionError",
            "failedChecks": [{"name": "redis", "failureType": "ConnectionError"}],
            "dependencySummary": {"total": 2, "ready": 1, "failed": 1},
            "checks": [
                {"name": "postgres", "status": "ready"},
                {"name": "redis", "status": "failed", "failureType": "ConnectionError"},
            ],
        }
        assert for_ingest.status_code == 200
        assert without_times(for_ingest.json())["checks"] == [
            {"name": "postgres", "status": "ready"}
        ]

    async def test_every_check_has_a_deadline_of_its_own_and_hides_no_other(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        """A link that is silent looks like a server that is slow."""
        with api.redis.is_silent(), api.postgres.is_silent():
            answer = await client.get("/readyz")

        document = answer.json()
        assert answer.status_code == 503
        assert document["failedCheck"] == "postgres"
        assert document["failureType"] == "TimeoutError"
        assert document["failedChecks"] == [
            {"name": "postgres", "failureType": "TimeoutError"},
            {"name": "redis", "failureType": "TimeoutError"},
        ]
        assert document["dependencySummary"] == {"total": 2, "ready": 0, "failed": 2}
        for took in (document, *document["checks"]):
            assert 900 <= took["durationMs"] < 1_900

    async def test_no_text_of_an_error_is_told(self, api: Api, client: httpx2.AsyncClient) -> None:
        with api.postgres.is_down(), api.redis.is_down():
            answer = await client.get("/readyz")

        assert answer.status_code == 503
        for secret in ("127.0.0.1", str(api.postgres.port), "vitalrelay_test", "refused", "Errno"):
            assert secret not in answer.text

    async def test_another_purpose_is_refused(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/readyz", params={"for": "fun"})

        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"


class TestMetrics:
    async def test_what_happened_is_counted(self, client: httpx2.AsyncClient) -> None:
        before = await counted(client, 'vitalrelay_packets_total{outcome="stored"}')

        await client.post("/v1/signal-packets", json=a_packet())

        after = await counted(client, 'vitalrelay_packets_total{outcome="stored"}')
        assert after == before + 1

    async def test_problems_are_counted_by_their_kind(self, client: httpx2.AsyncClient) -> None:
        metric = 'vitalrelay_http_problems_total{problem="not-found"}'
        before = await counted(client, metric)

        await client.get("/v1/signal-packets/nobody:x:1")

        assert await counted(client, metric) == before + 1

    async def test_no_label_is_an_id(self, client: httpx2.AsyncClient) -> None:
        packet = a_packet(subjectId="p-in-no-label", deviceId="bed-in-no-label")
        await client.post("/v1/signal-packets", json=packet)
        await client.get("/v1/subjects/p-in-no-label/snapshot")

        exposition = (await client.get("/metrics")).text

        assert "in-no-label" not in exposition
        assert 'operation="getSnapshot"' in exposition

    @pytest.mark.parametrize("down", ["postgres", "redis"])
    async def test_they_are_told_whatever_is_away(
        self, api: Api, client: httpx2.AsyncClient, down: str
    ) -> None:
        with getattr(api, down).is_down():
            answer = await client.get("/metrics")

        assert answer.status_code == 200
        assert "vitalrelay_packets_total" in answer.text


async def counted(client: httpx2.AsyncClient, metric: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(metric)), 0.0)
