"""
What only a bare connection can send: B-numbers are those of the catalogue of bad input.

Where the server refuses before the application sees anything, the answer is plain text and the
connection is closed; that is all it may be.
"""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import a_packet, lines, of_line
from tests.integration.http.serving import HOST, SOON_S, Answer, Api, Connection, connected

CANARY = "PHI-CANARY-7f3a"
BODY_TIMEOUT_S = 0.5

JSON_TYPE = "Content-Type: application/json\r\n"


def body() -> bytes:
    return json.dumps(a_packet()).encode()


def request(
    content: bytes, more: str = JSON_TYPE, target: str = "/v1/signal-packets", method: str = "POST"
) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: here\r\n{more}Content-Length: {len(content)}\r\n"
    return head.encode("latin-1") + b"\r\n" + content


def chunked(*chunks: bytes, more: str = JSON_TYPE, target: str = "/v1/signal-packets") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: here\r\n{more}Transfer-Encoding: chunked\r\n\r\n"
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head.encode() + framed + b"0\r\n\r\n"


async def answered(api: Api, *sent: bytes) -> Answer:
    async with connected(api) as wire:
        for piece in sent:
            await wire.send(piece)
        return await wire.answer()


async def assert_works(api: Api) -> None:
    assert (await answered(api, request(body()))).status == 201


async def assert_harmless(api: Api, sent: bytes) -> None:
    """Refused, most often before the application saw it, and closed; or served as it is."""
    async with connected(api) as wire:
        await wire.send(sent)
        said = await wire.rest()
    if said:
        assert int(said.split()[1]) in (200, 400, 405, 505)
        assert CANARY.encode() not in said
        assert b"Traceback" not in said


GARBLED = {
    "B-20 a NUL in a header": request(b"{}", JSON_TYPE + f"X: {CANARY}\0\r\n"),
    "B-59 an escape in a header": request(b"{}", JSON_TYPE + f"X-Request-ID: \x1b[31m{CANARY}\r\n"),
    "B-65 a method nobody knows": request(b"{}", method="FOO"),
    "B-65 a method in lower case": request(b"{}", method="post"),
    "B-65 CONNECT": b"CONNECT here:443 HTTP/1.1\r\nHost: here\r\n\r\n",
    "B-79 HTTP/0.9": b"GET /healthz\r\n\r\n",
    "B-79 HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "B-79 HTTP/3.7": b"GET /healthz HTTP/3.7\r\nHost: here\r\n\r\n",
    "B-79 a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "B-79 random bytes": bytes(range(255, 127, -1)) * 4,
    "B-80 length and chunks": b"POST /v1/signal-packets HTTP/1.1\r\nHost: here\r\n"
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "B-80 two lengths": request(b"{}", JSON_TYPE + "Content-Length: 3\r\n"),
    "B-80 xchunked": b"POST /v1/signal-packets HTTP/1.1\r\nHost: here\r\n"
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    **{
        f"B-80 a length of {length}": b"POST /v1/signal-packets HTTP/1.1\r\nHost: here\r\n"
        b"Content-Length: %b\r\n\r\n{}" % length.encode()
        for length in ("+5", "0x5", "-1", "5,5", "5 5", "5;", "1" * 30)
    },
    "B-80 a chunk of no size": b"POST /v1/signal-packets HTTP/1.1\r\nHost: here\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "B-89 a name with a space": request(b"{}", JSON_TYPE + f"X {CANARY}: 1\r\n"),
    "B-89 a name in UTF-8": request(b"{}", JSON_TYPE).replace(b"Host", "H\u00f6st".encode()),
    "B-89 a folded line": request(b"{}", JSON_TYPE + f"X: 1\r\n {CANARY}\r\n"),
    "B-89 a line feed alone": b"GET /nowhere HTTP/1.1\nHost here\n\n",
}


@pytest.mark.parametrize("sent", GARBLED.values(), ids=GARBLED)
async def test_what_is_no_request_is_refused_and_the_next_one_is_served(
    api: Api, sent: bytes
) -> None:
    await assert_harmless(api, sent)

    await assert_works(api)


async def test_nothing_of_what_was_garbled_is_in_the_log(api: Api) -> None:
    for sent in GARBLED.values():
        await assert_harmless(api, sent)

    await api.all_said()

    assert CANARY not in "".join(api.raw)
    assert all(line["event"] for line in api.said)


class TestHeads:
    @pytest.mark.parametrize(
        "more",
        [
            pytest.param(f"X: {'a' * 65_536}\r\n", id="B-89 a header of 64 KB"),
            pytest.param("".join(f"X-{n}: 1\r\n" for n in range(200)), id="B-89 200 headers"),
            pytest.param(f"X: {'a' * 8_000_000}\r\n", id="B-89 a header of 8 MB"),
        ],
    )
    async def test_a_head_has_an_end(self, api: Api, more: str) -> None:
        async with connected(api) as wire:
            sending = asyncio.create_task(wire.send(request(body(), JSON_TYPE + more)))
            answer = await wire.answer()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

        assert answer.status in (400, 431)
        await assert_works(api)

    async def test_b64_two_media_types_are_none(self, api: Api) -> None:
        answer = await answered(api, request(body(), JSON_TYPE + JSON_TYPE))

        assert answer.status == 400
        assert answer.json()["type"] == "/problems/malformed-request"

    async def test_b64_two_authorizations_are_none(self, api: Api) -> None:
        two = "Authorization: Bearer one\r\nAuthorization: Bearer two\r\n"

        answer = await answered(api, request(body(), JSON_TYPE + two))

        assert answer.status == 400
        assert answer.json()["type"] == "/problems/malformed-request"

    @pytest.mark.parametrize("method", ["GET", "PUT", "TRACE", "DELETE", "PATCH", "OPTIONS"])
    async def test_b65_another_method_is_told_which_there_are(self, api: Api, method: str) -> None:
        answer = await answered(api, request(b"", "", method=method))

        assert answer.status == 405
        assert answer.headers["allow"] == "post"
        assert answer.json()["type"] == "/problems/method-not-allowed"

    @pytest.mark.parametrize(
        "target",
        [
            "//v1/signal-packets",
            "/./v1/signal-packets",
            "/v1/./signal-packets",
            "/v1/%2e%2e/v1/signal-packets",
            "/v1/signal-packets/",
            "/v1/signal-packets%20",
            "/v1/signal-packets;x",
            "/" + "x" * 10_240,
            "/v1/%ff",
            "/%c3%28",
            "/v1/signal-packets%00",
        ],
    )
    async def test_b67_a_path_is_ours_or_not_found(self, api: Api, target: str) -> None:
        answer = await answered(api, request(body(), target=target))

        assert answer.status in (400, 404, 405, 414)
        assert "location" not in answer.headers
        await assert_works(api)

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("&".join(f"p{n}=1" for n in range(10_000)), id="10,000 parameters"),
            pytest.param("limit=1&limit=2", id="a single one twice"),
            pytest.param("limit=%zz", id="a broken percent sign"),
            pytest.param("sort=;drop", id="one that nobody knows"),
            pytest.param("fields=*&include=secrets", id="two that nobody knows"),
        ],
    )
    @pytest.mark.parametrize("path", ["/v1/subjects/p-1/signal-packets", "/v1/projections"])
    async def test_b68_b98_a_query_is_ours_or_refused(
        self, api: Api, path: str, query: str
    ) -> None:
        await answered(api, request(json.dumps(a_packet(subjectId="p-1")).encode()))

        answer = await answered(api, request(b"", "", target=f"{path}?{query}", method="GET"))

        assert answer.status in (400, 422, 431)
        if answer.status == 422:
            assert answer.json()["type"] == "/problems/invalid-request"

    async def test_b79_an_older_protocol_is_served(self, api: Api) -> None:
        sent = request(body()).replace(b"HTTP/1.1", b"HTTP/1.0", 1)

        async with connected(api) as wire:
            await wire.send(sent)
            answer = await wire.answer()
            after = await wire.rest()

        assert answer.status == 201
        assert after == b""


class TestBodies:
    async def test_b82_a_body_may_come_a_byte_at_a_time(self, api: Api) -> None:
        padded = body().ljust(30_000)

        answer = await answered(api, chunked(*(padded[at : at + 1] for at in range(len(padded)))))

        assert answer.status == 201

    async def test_b83_what_follows_a_body_is_a_request_of_its_own(self, api: Api) -> None:
        first = chunked(body(), more=JSON_TYPE + "X-Request-ID: first\r\n")
        async with connected(api) as wire:
            await wire.send(first + request(body()))
            one, other = await wire.answer(), await wire.answer()

        assert (one.status, other.status) == (201, 201)
        assert one.headers["x-request-id"] == "first"
        assert other.headers["x-request-id"] != "first"

    async def test_a_body_is_not_counted_as_the_head_that_follows_it(self, api: Api) -> None:
        first, second = request(body().ljust(60_000)), request(body())
        async with connected(api) as wire:
            await wire.send(first + second[:20])
            one = await wire.answer()
            await wire.send(second[20:])
            other = await wire.answer()

        assert (one.status, other.status) == (201, 201)

    async def test_b83_a_request_within_a_body_is_none(self, api: Api) -> None:
        smuggled = request(b"", "", "/healthz", "GET")

        async with connected(api) as wire:
            await wire.send(chunked(smuggled) + request(body()))
            one, other = await wire.answer(), await wire.answer()

        assert (one.status, other.status) == (400, 201)

    async def test_a_refused_body_does_not_spoil_the_connection(self, api: Api) -> None:
        async with connected(api) as wire:
            for refused in (b"{oops", b"x" * 400_000, b"{}"):
                await wire.send(request(refused))
                assert (await wire.answer()).status in (400, 413, 422)
            await wire.send(request(body()))

            assert (await wire.answer()).status == 201

    async def test_whoever_asks_first_is_told_to_go_on(self, api: Api) -> None:
        content = body()
        async with connected(api) as wire:
            head = request(content, JSON_TYPE + "Expect: 100-continue\r\n")[: -len(content)]
            await wire.send(head)
            assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await wire.send(content)

            assert (await wire.answer()).status == 201

    async def test_b88_who_has_said_everything_still_hears_the_answer(self, api: Api) -> None:
        async with connected(api) as wire:
            await wire.send(request(body()))
            wire.writer.write_eof()
            answer = await wire.answer()
            after = await wire.rest()

        assert answer.status == 201
        assert after == b""

    async def test_b88_both_answers_are_heard_where_two_requests_were_sent_at_once(
        self, api: Api
    ) -> None:
        async with connected(api) as wire:
            await wire.send(request(body()) + request(body()))
            wire.writer.write_eof()
            answers = [await wire.answer() for _ in range(2)]
            after = await wire.rest()

        assert [answer.status for answer in answers] == [201, 201]
        assert after == b""

    async def test_a_connection_that_ends_within_a_body_stores_nothing(self, api: Api) -> None:
        content = body()
        async with connected(api) as wire:
            await wire.send(request(content)[:-5])

        await assert_works(api)
        assert (await answered(api, request(content))).status == 201


ROUTES = [
    ("/v1/signal-packets", JSON_TYPE),
    ("/v1/projections/retry", JSON_TYPE),
]


class TestDeadlines:
    @pytest.mark.parametrize(("target", "more"), ROUTES)
    async def test_b85_a_body_that_stands_still_is_not_waited_for(
        self, narrow_api: Api, target: str, more: str
    ) -> None:
        async with connected(narrow_api) as wire:
            began = asyncio.get_running_loop().time()
            await wire.send(request(body(), more, target)[:-5])
            answer = await wire.answer()
            took = asyncio.get_running_loop().time() - began
            assert answer.status == 408
            after = await wire.rest()

        assert answer.json()["type"] == "/problems/request-timeout"
        assert BODY_TIMEOUT_S * 0.9 < took < BODY_TIMEOUT_S * 5
        assert after == b""
        await assert_works(narrow_api)

    @pytest.mark.parametrize(("target", "more"), ROUTES)
    async def test_b85_a_body_that_trickles_is_not_waited_for_either(
        self, narrow_api: Api, target: str, more: str
    ) -> None:
        async with connected(narrow_api) as wire:
            await wire.send(request(b" " * 1_000, more, target)[:-1_000])
            answer = await answer_to_a_trickle(wire, b" ")

        assert answer.status == 408

    async def test_b85_a_batch_that_trickles_ends_with_a_line_that_says_so(
        self, narrow_api: Api
    ) -> None:
        head = (
            "POST /v1/signal-packets/batch HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-ndjson\r\n\r\n"
        )
        async with connected(narrow_api) as wire:
            await wire.send(head.encode())
            await wire.send_chunk(of_line(a_packet()))
            answer = await answer_to_a_trickle(wire, b"1\r\n \r\n")

        stored, problem, summary = map(json.loads, answer.body.splitlines())
        assert stored["status"] == 201
        assert problem["problem"]["type"] == "/problems/request-timeout"
        assert summary["summary"]["stored"] == 1

    async def test_a_sender_who_was_made_to_wait_is_not_blamed_for_it(
        self, narrow_api: Api, database: AsyncEngine
    ) -> None:
        """One is being committed, one waits, one has no room; then the body goes on."""
        packets = [a_packet() for _ in range(8)]
        head = (
            "POST /v1/signal-packets/batch HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-ndjson\r\n\r\n"
        )
        await narrow_api.works()
        async with connected(narrow_api) as wire, database.connect() as somebody:
            await somebody.execute(text("lock table patient_signal_packets in exclusive mode"))
            await wire.send(head.encode())
            await wire.send_chunk(lines(packets[:3]))
            async with connected(narrow_api) as another:
                await another.send(request(body())[:-5])
                assert (await another.answer()).status == 408
            await somebody.rollback()
            await wire.head()
            told = await wire.chunk()
            while told.count(b"\n") < 3:
                told += await wire.chunk()
            await wire.send_chunk(lines(packets[3:]))
            await wire.send(b"0\r\n\r\n")
            while chunk := await wire.chunk():
                told += chunk

        *answers, summary = map(json.loads, told.splitlines())
        assert [answer.get("status") for answer in answers] == [201] * 8
        assert summary["summary"]["stored"] == 8

    async def test_a_batch_that_stands_still_ends_with_a_line_that_says_so(
        self, narrow_api: Api
    ) -> None:
        content = gzip.compress(of_line(a_packet()))
        more = "Content-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\n"
        async with connected(narrow_api) as wire:
            await wire.send(request(content, more, "/v1/signal-packets/batch")[:-3])
            answer = await wire.answer()

        *_, problem, summary = map(json.loads, answer.body.splitlines())
        assert problem["problem"]["type"] == "/problems/request-timeout"
        assert summary["summary"]["stored"] <= 1


async def answer_to_a_trickle(wire: Connection, byte: bytes) -> Answer:
    """A byte now and then, each well within the time for standing still."""

    async def trickle() -> None:
        while True:
            await wire.send(byte)
            await asyncio.sleep(BODY_TIMEOUT_S / 4)

    trickling = asyncio.create_task(trickle())
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S * 6):
            return await wire.answer()
    finally:
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


MANY = 1_000
HEAD_DEADLINE_S = 10.0


@pytest.fixture(scope="module", autouse=True)
async def silent_connections(api: Api) -> AsyncIterator[list[asyncio.StreamReader]]:
    """B-86: opened before everything here, and looked at after everything else."""
    opened = [await asyncio.open_connection(HOST, api.port) for _ in range(MANY)]
    opened[-1][1].write(b"POST /v1/signal-packets HTTP/1.1\r\nHost: he")
    yield [reader for reader, _ in opened]
    for _, writer in opened:
        writer.transport.abort()


async def test_b86_who_connects_and_says_nothing_is_not_waited_for(
    api: Api, silent_connections: list[asyncio.StreamReader]
) -> None:
    await assert_works(api)

    async with asyncio.timeout(HEAD_DEADLINE_S + SOON_S):
        ends = await asyncio.gather(
            *(reader.read() for reader in silent_connections), return_exceptions=True
        )

    assert all(end == b"" or isinstance(end, ConnectionError) for end in ends)
    await assert_works(api)
