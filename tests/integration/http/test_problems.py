"""What every answer has in common: an id, and a problem document where something is wrong."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from threading import Thread
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from tests.integration.http.packets import a_packet
from tests.integration.http.serving import HOST, Api, connected
from vitalrelay.adapters.inbound.http.app import create_app
from vitalrelay.adapters.inbound.http.problems import KINDS
from vitalrelay.adapters.inbound.http.server import DeadlineProtocol, shared_socket
from vitalrelay.adapters.inbound.http.services import Services
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.ports.health import Purpose, Readiness

PACKETS = "/v1/signal-packets"
JSON = {"Content-Type": "application/json"}
GENERATED = re.compile(r"[A-Za-z0-9._-]{8,64}")

OF_CONTRACT = {
    "malformed-json": 400,
    "packet-conflict": 409,
    "too-large": 413,
    "unsupported-media-type": 415,
    "invalid-packet": 422,
    "overloaded": 503,
    "outcome-unknown": 503,
    "storage-unavailable": 503,
    "malformed-request": 400,
    "not-found": 404,
    "method-not-allowed": 405,
    "request-timeout": 408,
    "invalid-request": 422,
}

REQUESTS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nowhere", {}, 404, "not-found"),
    ("GET", f"{PACKETS}/a:b:1", {}, 404, "not-found"),
    ("DELETE", PACKETS, {}, 405, "method-not-allowed"),
    ("POST", PACKETS, {"content": b"{", "headers": JSON}, 400, "malformed-json"),
    ("POST", PACKETS, {"json": {}}, 422, "invalid-packet"),
    ("POST", PACKETS, {"content": b"{}"}, 415, "unsupported-media-type"),
    ("POST", PACKETS, {"content": b" " * (2**20 + 1), "headers": JSON}, 413, "too-large"),
    ("GET", "/v1/projections", {"params": {"limit": 0}}, 422, "invalid-request"),
    ("GET", "/v1/snapshots", {"params": {"limit": 0}}, 422, "invalid-request"),
    ("GET", "/v1/projections", {"params": {"cursor": "x"}}, 422, "invalid-request"),
]


class TestDocuments:
    @pytest.mark.parametrize(("method", "url", "how", "status", "slug"), REQUESTS)
    async def test_whatever_is_wrong_is_told_in_one_form(
        self,
        client: httpx2.AsyncClient,
        method: str,
        url: str,
        how: dict[str, Any],
        status: int,
        slug: str,
    ) -> None:
        answer = await client.request(method, url, **how)

        problem = answer.json()
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "instance"} <= set(problem)
        assert set(problem) <= {"type", "title", "status", "detail", "instance", "errors"}
        assert problem["type"] == f"/problems/{slug}"
        assert problem["status"] == status
        assert problem["title"] == slug.replace("-", " ").capitalize()
        assert problem["detail"].endswith(".")
        assert problem["instance"] == answer.headers["x-request-id"]

    @pytest.mark.parametrize("slug", KINDS)
    async def test_every_type_leads_to_a_page(self, client: httpx2.AsyncClient, slug: str) -> None:
        page = await client.get(f"/problems/{slug}")

        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert KINDS[slug].title in page.text
        assert str(KINDS[slug].status) in page.text

    async def test_another_page_is_not_found(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/problems/<script>")

        assert answer.status_code == 404
        assert "script" not in answer.text

    def test_the_types_of_the_contract_have_their_status(self) -> None:
        assert OF_CONTRACT.items() <= {slug: kind.status for slug, kind in KINDS.items()}.items()


class TestRequestIds:
    @pytest.mark.parametrize("given", ["abc", "0f8c-44.x_Y", "x" * 64])
    @pytest.mark.parametrize("url", ["/healthz", "/nowhere"])
    async def test_a_sane_one_is_given_back(
        self, client: httpx2.AsyncClient, given: str, url: str
    ) -> None:
        answer = await client.get(url, headers={"X-Request-ID": given})

        assert answer.headers.get_list("x-request-id") == [given]

    @pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a;b", "é", "a/b"])
    async def test_another_one_is_replaced(self, api: Api, given: str) -> None:
        async with connected(api) as wire:
            head = f"GET /nowhere HTTP/1.1\r\nHost: here\r\nX-Request-ID: {given}\r\n\r\n"
            await wire.send(head.encode("latin-1"))

            answer = await wire.answer()

        assert GENERATED.fullmatch(answer.headers["x-request-id"])
        assert answer.headers["x-request-id"] != given

    async def test_of_two_none_is_believed(self, client: httpx2.AsyncClient) -> None:
        two = [("X-Request-ID", "one"), ("X-Request-ID", "two")]

        answer = await client.get("/healthz", headers=two)

        assert answer.headers["x-request-id"] not in ("one", "two", "one, two")

    async def test_no_two_are_the_same(self, client: httpx2.AsyncClient) -> None:
        ids = {(await client.get("/healthz")).headers["x-request-id"] for _ in range(50)}

        assert len(ids) == 50

    async def test_a_refusal_is_found_in_the_log_by_its_id(
        self, api: Api, client: httpx2.AsyncClient
    ) -> None:
        answer = await client.post(PACKETS, json={}, headers={"X-Request-ID": "found-in-the-log"})

        [line] = [
            line for line in await api.all_said() if line.get("requestId") == "found-in-the-log"
        ]
        assert answer.status_code == 422
        assert line["event"] == "request-refused"
        assert line["operation"] == "postSignalPacket"
        assert (line["status"], line["problem"]) == (422, "invalid-packet")


class Mistaken:
    """A check with a mistake in it, where no mistake was expected."""

    async def check(self, purpose: Purpose) -> Readiness:
        raise KeyError("PHI-CANARY-7f3a")


async def test_a_mistake_of_ours_is_told_like_everything_else() -> None:
    @asynccontextmanager
    async def services() -> AsyncIterator[Services]:
        others = dict.fromkeys(field.name for field in fields(Services))
        yield Services(**{**others, "health": Mistaken(), "metrics": Metrics("0")})

    with in_a_thread(create_app(services, "0", 1.0)) as url:
        async with httpx2.AsyncClient(base_url=url) as client:
            answer = await client.get("/readyz", headers={"X-Request-ID": "mistaken"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/internal-error"
    assert answer.json()["instance"] == "mistaken"
    assert "CANARY" not in answer.text
    assert answer.headers["x-request-id"] == "mistaken"


@contextmanager
def in_a_thread(app: FastAPI) -> Iterator[str]:
    """Real HTTP, in this process: for services that no setting could ask for."""
    listening = shared_socket(HOST, 0)
    config = uvicorn.Config(app, http=DeadlineProtocol, log_config=None)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://{HOST}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


OPERATIONS = {
    ("post", "/v1/signal-packets"),
    ("post", "/v1/signal-packets/batch"),
    ("get", "/v1/signal-packets/{packet_id}"),
    ("get", "/v1/subjects/{subject_id}/signal-packets"),
    ("get", "/v1/subjects/{subject_id}/snapshot"),
    ("get", "/v1/snapshots"),
    ("get", "/v1/snapshots/latest"),
    ("get", "/v1/snapshots/stream"),
    ("get", "/v1/encounters/{encounter_id}/assessments"),
    ("get", "/v1/projections"),
    ("get", "/v1/projections/summary"),
    ("get", "/v1/projections/{projection_id}"),
    ("post", "/v1/projections/{projection_id}/retry"),
    ("post", "/v1/projections/retry"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/problems/{slug}"),
}
# What each may be refused for, at least.
REFUSALS = {
    "postSignalPacket": {400, 408, 409, 413, 415, 422, 503},
    "postSignalPacketBatch": {408, 415},
    "getSignalPacket": {404, 503},
    "listSignalPackets": {404, 422, 503},
    "getSnapshot": {404, 422, 503},
    "listSnapshots": {422, 503},
    "getLatestSnapshot": {404, 503},
    "streamSnapshots": {422, 503},
    "listAssessments": {404, 503},
    "listProjections": {422, 503},
    "summariseProjections": {503},
    "getProjection": {404, 503},
    "retryProjection": {404, 503},
    "retryProjections": {400, 408, 409, 422, 503},
    "getReadiness": {422, 503},
    "getProblemPage": {404},
}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


class TestDescription:
    @pytest.fixture
    async def document(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        answer = await client.get("/openapi.json")
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document

    def test_it_is_openapi(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1.")
        assert {"title", "version"} <= set(document["info"])
        for path, item in document["paths"].items():
            assert path.startswith("/")
            assert set(item) <= METHODS | {"summary", "description", "parameters", "servers"}

    def test_every_operation_is_there_with_an_id_of_its_own(self, document: dict[str, Any]) -> None:
        found = {(method, path) for method, path, _ in operations(document)}
        ids = [operation["operationId"] for _, _, operation in operations(document)]

        assert found >= OPERATIONS
        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[a-z][A-Za-z]+", name) for name in ids)

    def test_every_operation_says_what_it_does(self, document: dict[str, Any]) -> None:
        assert all(operation["description"] for _, _, operation in operations(document))

    def test_every_reference_leads_somewhere(self, document: dict[str, Any]) -> None:
        for reference in references(document):
            there: Any = document
            assert reference.startswith("#/")
            for step in reference.removeprefix("#/").split("/"):
                there = there[step]

    def test_every_parameter_of_a_path_is_described(self, document: dict[str, Any]) -> None:
        for _, path, operation in operations(document):
            described = {
                parameter["name"]
                for parameter in operation.get("parameters", [])
                if parameter["in"] == "path"
            }
            assert described == set(re.findall(r"{(\w+)}", path))

    def test_every_refusal_is_a_problem(self, document: dict[str, Any]) -> None:
        """But for readiness, whose 503 is a document of its own."""
        for _, path, operation in operations(document):
            for status, response in operation["responses"].items():
                assert response["description"]
                if status.startswith(("4", "5")) and path != "/readyz":
                    assert list(response["content"]) == ["application/problem+json"]
                    assert set(slugs(response)) <= set(KINDS)
        assert "HTTPValidationError" not in document["components"]["schemas"]

    def test_what_is_posted_may_be_refused_for_each_of_these(
        self, document: dict[str, Any]
    ) -> None:
        post = document["paths"][PACKETS]["post"]["responses"]
        told = {slug for response in post.values() for slug in slugs(response)}

        assert told >= {
            "malformed-json",
            "request-timeout",
            "packet-conflict",
            "too-large",
            "unsupported-media-type",
            "invalid-packet",
            "overloaded",
            "outcome-unknown",
            "storage-unavailable",
        }

    def test_every_operation_says_what_it_may_be_refused_for(
        self, document: dict[str, Any]
    ) -> None:
        told = {
            operation["operationId"]: {int(status) for status in operation["responses"]}
            for _, _, operation in operations(document)
        }

        assert {name for name, least in REFUSALS.items() if not least <= told[name]} == set()

    async def test_its_example_of_a_packet_is_one(
        self, client: httpx2.AsyncClient, document: dict[str, Any]
    ) -> None:
        schema = document["components"]["schemas"]["PacketIn"]

        for example in schema["examples"]:
            answer = await client.post(PACKETS, json=example | {"sequence": a_number()})
            assert answer.status_code == 201

    def test_there_is_no_interactive_page(self, document: dict[str, Any]) -> None:
        assert not {"/docs", "/redoc"} & set(document["paths"])


def a_number() -> int:
    return int(a_packet()["deviceId"].removeprefix("bed-"))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield method, path, item[method]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)


def slugs(response: dict[str, Any]) -> list[str]:
    return re.findall(r"/problems/([a-z-]+)", response["description"])
