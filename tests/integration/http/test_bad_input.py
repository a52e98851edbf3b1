"""
The catalogue of bad input (B-numbers), as one table: refused in one form, or taken for what it is.

Of every refusal holds: it comes soon, it tells nothing of what was sent, nothing is stored, and
whoever sends something good beside it, among it or after it does not notice.
"""

import asyncio
import codecs
import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.http.packets import SESSION_MS, a_packet, id_of, now_ms, of_line, signals
from tests.integration.http.serving import Api, until_true
from vitalrelay.adapters.inbound.http.cursors import write_cursor

CATALOGUE = {
    *(f"B-{n:02}" for n in (1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28)),
    *(f"B-{n}" for n in (29, 31, 32, 34, 35, 37, 38, 40, 41, 43, 44, 46, 47, 49, 50, 52, 53, 55)),
    *(f"B-{n}" for n in (56, 58, 59, 61, 62, 64, 65, 67, 68, 70, 71, 73, 74, 76, 77, 79, 80, 82)),
    *(f"B-{n}" for n in (83, 85, 86, 88, 89, 91, 92, 94, 95, 97, 98, 100, 101)),
}

# In a file of its own, or in tests of their own further down.
ELSEWHERE = {
    "B-11": "tests/unit/test_strict_json.py",
    **dict.fromkeys(("B-49", "B-50"), "test_packets.py"),
    **dict.fromkeys(("B-71", "B-77"), "test_batch.py"),
    "B-76": "test_split_bodies.py",
    **dict.fromkeys(("B-100", "B-101"), "test_snapshots.py, as far as the API meets them"),
    **dict.fromkeys(
        ("B-64", "B-65", "B-67", "B-68", "B-79", "B-80", "B-82", "B-83", "B-85", "B-86", "B-88"),
        "test_framing.py",
    ),
    **dict.fromkeys(("B-89", "B-98"), "test_framing.py"),
    **dict.fromkeys(("B-35", "B-46", "B-47", "B-52", "B-55", "B-97"), "further down"),
}

# Of B-73 and B-77 the part that needs credentials or sites waits as well.
WAITING_FOR_ACCESS_CONTROL = {"B-74", "B-91", "B-92", "B-94", "B-95"}

CANARY = "PHI-CANARY-7f3a"
PACKETS = "/v1/signal-packets"
NDJSON = {"Content-Type": "application/x-ndjson"}

SOON_S = 2.0  # a second is promised; the machines that run this are busy
LONGEST_ID = "x" * 64
NOISE = random.Random(38).randbytes(1_353).hex()[:2_705]

STATUS = {
    "malformed-json": 400,
    "too-large": 413,
    "unsupported-media-type": 415,
    "invalid-packet": 422,
}


def typed(media_type: str) -> Mapping[str, str]:
    return {"Content-Type": media_type}


JSON = typed("application/json")


@dataclass(frozen=True)
class Bad:
    """``fits_a_line``: among the lines of a batch it is refused like alone."""

    number: str
    what: str
    content: bytes
    slug: str
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    cpu_s: float = 0.2

    @property
    def id(self) -> str:
        return f"{self.number} {self.what}"

    @property
    def fits_a_line(self) -> bool:
        return self.headers == JSON and b"\n" not in self.content and self.content.strip() != b""


def malformed(number: str, what: str, content: bytes, cpu_s: float = 0.2) -> Bad:
    return Bad(number, what, content, "malformed-json", cpu_s=cpu_s)


def invalid(number: str, what: str, content: bytes) -> Bad:
    return Bad(number, what, content, "invalid-packet")


def another_medium(number: str, what: str, content: bytes, headers: Mapping[str, str]) -> Bad:
    return Bad(number, what, content, "unsupported-media-type", headers)


def encoded(encoding: str) -> Mapping[str, str]:
    return {**JSON, "Content-Encoding": encoding}


def secret(**changes: Any) -> bytes:
    """A packet with the canary in each of its names."""
    packet = a_packet()
    name = f"{CANARY}-{packet['deviceId']}"
    names = dict.fromkeys(("siteId", "deviceId", "subjectId", "encounterId"), name)
    return json.dumps(packet | names | changes).encode()


def with_member(member: str) -> bytes:
    """And with this at its end, as it stands."""
    return secret()[:-1] + b"," + member.encode("utf-8", "surrogatepass") + b"}"


def with_value(value: str, code: str = "heart_rate") -> bytes:
    """And with this, as it stands, for the value of its signal."""
    return secret(signals=[{"code": code, "value": 0}]).replace(b'"value": 0}', value_is(value))


def value_is(value: str) -> bytes:
    return f'"value": {value}}}'.encode()


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return with_member(f'"{CANARY}":' + opening * depth + "1" + closing * depth)


def in_encoding(name: str, mark: bytes = b"") -> bytes:
    return mark + secret().decode().encode(name)


PULSE = {"code": "heart_rate", "value": 81}

TOO_DEEP = [
    *(malformed("B-25", f"{depth} deep", nested(depth), 0.1) for depth in (150, 400, 900, 1_001)),
    malformed("B-26", "100,000 arrays deep", nested(100_000), 0.1),
    malformed("B-26", "40,000 objects deep", nested(40_000, '{"":', "}"), 0.1),
]

TOO_MANY_DIGITS = [
    malformed("B-31", f"an integer of {digits} digits", with_value("7" * digits), 0.1)
    for digits in (26, 4_300, 4_301, 100_000)
]

BAD = [
    malformed("B-01", "an empty body", b""),
    *(
        invalid("B-02", f"{top} at the top", top.encode())
        for top in ("null", "[]", f'"{CANARY}"', "1", "true")
    ),
    malformed("B-04", "something after it", secret() + b"x"),
    malformed("B-04", "two in one", secret() * 2),
    malformed("B-05", "a comma at the end", secret()[:-1] + b",}"),
    malformed("B-05", "single quotes", secret().replace(b'"', b"'")),
    malformed("B-05", "a comment", secret() + f"/* {CANARY} */".encode()),
    malformed("B-05", "a key without quotes", with_member(f"{CANARY}: 1")),
    malformed("B-07", "a byte-order mark", codecs.BOM_UTF8 + secret()),
    *(
        malformed("B-08", f"{name}{', with its mark' if mark else ''}", in_encoding(name, mark))
        for name, mark in (
            ("utf-16-le", b""),
            ("utf-16-be", b""),
            ("utf-16-le", codecs.BOM_UTF16_LE),
            ("utf-16-be", codecs.BOM_UTF16_BE),
            ("utf-32-le", b""),
            ("utf-32-be", codecs.BOM_UTF32_BE),
        )
    ),
    another_medium("B-10", "Latin-1", secret(), typed("application/json; charset=iso-8859-1")),
    *(malformed("B-13", word, with_value(word)) for word in ("Infinity", "-Infinity", "NaN")),
    *(
        invalid("B-14", f"the word {word}", with_value(f'"{word}"'))
        for word in ("NaN", "Infinity", "-Infinity", "inf")
    ),
    malformed("B-16", "NaN where nobody looks", f'{{"{CANARY}": NaN, "siteId": "s"}}'.encode()),
    malformed("B-17", "a key twice", with_member(f'"siteId": "{CANARY}"')),
    malformed("B-17", "a key twice, far down", with_member('"x": [{"a": {"b": 1, "b": 1}}]')),
    *(
        invalid("B-19", f"the key {key!r}", with_member(f'"{key}": "{CANARY}"'))
        for key in ("siteid", "SITEID", "siteId ", "\ufb01eld", "site\u0301Id")
    ),
    invalid("B-20", "NUL in an id", secret(siteId=f"a\0{CANARY}")),
    invalid("B-20", "NUL in a key", with_member(f'"\\u0000{CANARY}": 1')),
    invalid("B-20", "NUL in a code", secret(signals=signals(**{f"\0{CANARY}": 1}))),
    malformed("B-22", "a surrogate as it is", with_member('"a": "\ud800"')),
    invalid("B-23", "half a surrogate pair in a key", with_member(f'"{CANARY}\\ud800": 1')),
    invalid("B-23", "half a surrogate pair beside it", with_member('"a": "\\udc00"')),
    *TOO_DEEP,
    Bad(
        "B-28",
        "100,000 keys that collide",
        json.dumps({str(n * (2**61 - 1)): CANARY for n in range(100_000)}).encode(),
        "too-large",
    ),
    invalid("B-29", "a key of 64 KB", with_member(f'"{CANARY}{"k" * 65_536}": 1')),
    *TOO_MANY_DIGITS,
    *(
        invalid("B-32", f"{value} for a number in a series", with_member(f'"sequence": {value}'))
        for value in ("1.0", "1e2", "true", '"12"', '" 12 "', '"1_000"', "[1]", "{}")
    ),
    invalid("B-32", "true for a heart rate", with_value("true")),
    invalid("B-32", "a word for a heart rate", with_value(f'"{CANARY}"')),
    *(
        invalid("B-37", f"{value!r} for {name}", secret(**{name: value}))
        for name in ("siteId", "deviceId", "subjectId", "encounterId")
        for value in ("", " ", "\t", LONGEST_ID + "x")
    ),
    invalid("B-37", "a code that is too long", secret(signals=signals(**{CANARY * 5: 1}))),
    invalid("B-38", "2,705 characters of noise", secret(siteId=NOISE)),
    Bad("B-40", "a string of 10 MB", secret(siteId=CANARY * 700_000), "too-large"),
    *(
        invalid("B-41", f"{moment!r} for a time", secret(timestampMs=moment))
        for moment in ("2026-01-01T00:00:00Z", "2026-01-01", "1767225600000", None)
    ),
    *(
        invalid("B-43", f"{moment} for a time", secret(timestampMs=moment))
        for moment in (-1, -62_135_596_800_000, 2**53, 2**63, 10**24, 253_402_300_800_000)
    ),
    *(
        invalid("B-44", f"{moment} for a time", secret(timestampMs=moment))
        for moment in (
            "2024-02-30",
            "2024-01-01T24:00:00",
            "2024-12-31T23:59:60Z",
            "2024-13-01",
            "2024-01-01T00:00:00+25:00",
        )
    ),
    *(
        invalid("B-56", f"the key {key}", with_member(f'"{key}": "{CANARY}"'))
        for key in ("__proto__", "constructor", "$ref", "__class__", "{{7*7}}")
    ),
    *(
        invalid("B-58", f"{value!r} for {name}", secret(**{name: value}))
        for name, values in (
            ("siteId", ("a:b", "*", "a\r\nb", "a\n", "../a")),
            ("deviceId", ("{a}", "$5\r\nHELLO\r\n", "\uff11")),
            ("subjectId", ("a:b", "*", "-a", ".a", "\u00e9", "latest", "events")),
            ("encounterId", ("a:news2:current", "a b")),
        )
        for value in values
    ),
    *(
        invalid("B-59", f"{value!r} for a unit", secret(signals=[{**PULSE, "unit": value}]))
        for value in ("\r\nX: 1", "\x1b[31m", '"}', f"{CANARY}\x00")
    ),
    another_medium("B-61", "no type", secret(), {}),
    *(
        another_medium("B-61", f"the type {name}", secret(), typed(name))
        for name in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/problem+json",
            "*/*",
        )
    ),
    *(
        another_medium("B-62", f"the parameters {rest}", secret(), typed(f"application/json{rest}"))
        for rest in (";charset=utf-16", ";;;", "; charset=", ";charset=utf-8;x=y")
    ),
    another_medium("B-70", "a valid gzip body", gzip.compress(secret()), encoded("gzip")),
    another_medium("B-71", "a bomb", gzip.compress(bytes(1 << 24)), encoded("gzip")),
    *(
        another_medium("B-73", f"the encoding {name}", secret(), encoded(name))
        for name in ("br", "deflate", "gzip, gzip", "zstd", "identity, gzip")
    ),
]


ONE_OF_A_KIND = list({(bad.number, bad.fits_a_line): bad for bad in BAD}.values())


def packet_of(**changes: Any) -> bytes:
    return json.dumps(a_packet(**changes)).encode()


def a_reading(value: str) -> bytes:
    packet = a_packet(signals=[{"code": "perfusion_index", "value": 0}])
    return json.dumps(packet).encode().replace(b'"value": 0}', value_is(value))


UNUSUAL = [
    *(
        ("B-34", f"the number {number}", a_reading(number), JSON)
        for number in ("-0", "-0.0", "0.30000000000000004", "1.00000000000000000000000", "1E+0")
    ),
    ("B-37", "names of the longest length", packet_of(siteId=LONGEST_ID), JSON),
    ("B-43", "a time in the year 9999", packet_of(timestampMs=253_402_300_799_999), JSON),
    ("B-53", "much white space", json.dumps(a_packet(), indent=20).encode(), JSON),
    (
        "B-59",
        "escapes that come to plain text",
        packet_of().replace(b"seoul", b"\\u0073eoul"),
        JSON,
    ),
    *(
        ("B-62", f"the type {name}", packet_of(), typed(name))
        for name in ("APPLICATION/JSON", "application/json; charset=UTF-8")
    ),
    ("B-73", "the encoding identity", packet_of(), encoded("identity")),
]


@dataclass(frozen=True)
class Rows:
    """How many there are in every table that a packet leaves something in."""

    packets: int
    projections: int
    assessments: int
    reviews: int
    audit: int

    @classmethod
    async def of(cls, database: AsyncEngine) -> "Rows":
        async with database.connect() as connection:
            [row] = await connection.execute(
                text("""
                    select (select count(*) from patient_signal_packets),
                        (select count(*) from patient_monitoring_snapshot_projections),
                        (select count(*) from patient_risk_assessments),
                        (select count(*) from patient_review_queue),
                        (select count(*) from patient_alarm_audit_events)
                """)
            )
        return cls(*row)


def cpu_s(api: Api) -> float:
    """What the process has used of a processor so far, to a hundredth of a second."""
    fields = Path(f"/proc/{api.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def assert_refused(answer: httpx2.Response, bad: Bad) -> None:
    assert answer.status_code == STATUS[bad.slug]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert answer.json()["type"] == f"/problems/{bad.slug}"
    assert CANARY not in answer.text


@pytest.fixture(scope="module", autouse=True)
async def memory_before(api: Api, client: httpx2.AsyncClient) -> int:
    await asyncio.gather(*(client.post(PACKETS, json=a_packet()) for _ in range(20)))
    return api.memory("VmRSS")


def test_no_number_of_the_catalogue_is_forgotten() -> None:
    here = {bad.number for bad in BAD} | {number for number, *_ in UNUSUAL}

    assert here | set(ELSEWHERE) | WAITING_FOR_ACCESS_CONTROL == CATALOGUE


class TestRefused:
    @pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.id)
    async def test_alone(
        self, api: Api, client: httpx2.AsyncClient, database: AsyncEngine, bad: Bad
    ) -> None:
        said, before = len(api.raw), await Rows.of(database)
        began, used = asyncio.get_running_loop().time(), cpu_s(api)

        answer = await client.post(PACKETS, content=bad.content, headers=bad.headers)

        took_s, used_s = asyncio.get_running_loop().time() - began, cpu_s(api) - used
        assert_refused(answer, bad)
        assert await Rows.of(database) == before
        assert (await client.post(PACKETS, json=a_packet())).status_code == 201
        await api.all_said()
        assert CANARY not in "".join(api.raw[said:])
        assert took_s < SOON_S
        assert used_s <= bad.cpu_s

    @pytest.mark.parametrize("bad", ONE_OF_A_KIND, ids=lambda bad: bad.id)
    async def test_beside_others_and_among_them(self, client: httpx2.AsyncClient, bad: Bad) -> None:
        lines = [of_line(a_packet()) for _ in range(20)]
        if bad.fits_a_line:
            lines.insert(10, bad.content + b"\n")

        batch, alone, *others = await asyncio.gather(
            client.post(f"{PACKETS}/batch", content=b"".join(lines), headers=NDJSON),
            client.post(PACKETS, content=bad.content, headers=bad.headers),
            *(client.post(PACKETS, json=a_packet()) for _ in range(20)),
        )

        *told, _ = map(json.loads, batch.text.splitlines())
        assert_refused(alone, bad)
        assert CANARY not in batch.text
        if bad.fits_a_line:
            refused = told.pop(10)
            assert refused["status"] == STATUS[bad.slug]
            assert refused["problem"]["type"] == f"/problems/{bad.slug}"
        assert [line["status"] for line in told] == [201] * 20
        assert [answer.status_code for answer in others] == [201] * 20


@pytest.mark.parametrize("alike", [TOO_DEEP, TOO_MANY_DIGITS], ids=["B-25, B-26", "B-31"])
async def test_by_how_much_it_is_too_much_is_not_told(
    client: httpx2.AsyncClient, alike: list[Bad]
) -> None:
    answers = [
        await client.post(PACKETS, content=bad.content, headers=bad.headers) for bad in alike
    ]

    assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(content, headers, id=f"{number} {what}")
        for number, what, content, headers in UNUSUAL
    ],
)
async def test_what_is_only_unusual_is_taken_and_known_again(
    client: httpx2.AsyncClient, content: bytes, headers: Mapping[str, str]
) -> None:
    first = await client.post(PACKETS, content=content, headers=headers)
    again = await client.post(PACKETS, json=json.loads(content))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"outcome": "duplicate"}


async def snapshot_of(client: httpx2.AsyncClient, packet: dict[str, Any], version: int) -> Any:
    url = f"/v1/subjects/{packet['subjectId']}/snapshot"
    return (await client.get(url, params={"atLeastVersion": version})).json()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("heart_rate", -1),
        ("heart_rate", 0),
        ("heart_rate", 301),
        ("heart_rate", 10**9),
        ("heart_rate", 10**24),
        ("heart_rate", 1e308),
        ("spo2", 101),
        ("temperature", -300),
        ("temperature", 5e-324),
    ],
)
async def test_b35_what_cannot_be_is_kept_and_never_scored(
    client: httpx2.AsyncClient, code: str, value: float
) -> None:
    packet = a_packet(signals=signals(**{code: value}))

    answer = await client.post(PACKETS, json=packet)

    vital = (await snapshot_of(client, packet, 1))["vitals"][code]
    assert answer.status_code == 201
    assert answer.json()["assessment"]["score"] is None
    assert vital["quality"] == "invalid"


YEAR_MS = 365 * 86_400_000


@pytest.mark.parametrize(
    ("away_ms", "suspect"),
    [(YEAR_MS, True), (6 * 60_000, True), (-10 * YEAR_MS, True), (-5 * YEAR_MS, False)],
)
async def test_b46_a_clock_that_is_wrong_is_flagged_and_pins_nothing(
    client: httpx2.AsyncClient, away_ms: int, suspect: bool
) -> None:
    packet = a_packet(timestampMs=now_ms() + away_ms, signals=signals(heart_rate=60))
    first = (await client.post(PACKETS, json=packet)).json()
    at_ms = first["receivedAtMs"]
    for late in range(1, 4):
        later = {"timestampMs": at_ms + 1_000, "sequence": late, "signals": signals(heart_rate=90)}
        last = (await client.post(PACKETS, json=packet | later)).json()

    document = await snapshot_of(client, packet, last["projection"]["version"])
    assert first["clockSuspect"] is suspect
    assert document["vitals"]["heart_rate"]["value"] == 90
    assert document["asOfMs"] <= last["receivedAtMs"]


async def test_b47_a_number_used_again_and_a_measurement_from_later_turn_nothing_back(
    client: httpx2.AsyncClient,
) -> None:
    packet = a_packet(sequence=1, signals=signals(heart_rate=80))
    measured = [{"code": "heart_rate", "value": 61, "measuredAtMs": SESSION_MS + 5_000}]
    older = {"timestampMs": SESSION_MS - 5_000}

    answers = [
        await client.post(PACKETS, json=packet | changes)
        for changes in ({}, older, {"timestampMs": SESSION_MS + 1_000, "signals": measured})
    ]

    document = await snapshot_of(client, packet, 3)
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert document["asOfMs"] >= SESSION_MS + 1_000
    assert document["vitals"]["heart_rate"]["value"] == 61


async def test_b52_the_same_device_and_moment_elsewhere_is_another_packet(
    client: httpx2.AsyncClient,
) -> None:
    packet = a_packet()
    elsewhere = packet | {"siteId": "busan-02"}

    answers = [await client.post(PACKETS, json=one) for one in (packet, elsewhere)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json()["packetId"] == id_of(elsewhere)


async def test_b53_order_and_spelling_make_no_other_packet(client: httpx2.AsyncClient) -> None:
    packet = a_packet(signals=[{"code": "heart_rate", "value": 81, "unit": "/min"}])
    other = json.dumps(dict(reversed(packet.items())), indent=2).replace(": 81", ": 8.10e1")

    first = await client.post(PACKETS, json=packet)
    again = await client.post(PACKETS, content=other, headers=JSON)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"outcome": "duplicate"}


async def test_b55_of_what_is_not_there_one_learns_nothing(client: httpx2.AsyncClient) -> None:
    answers = [
        await client.get(f"/v1/subjects/{CANARY}-{name}/snapshot") for name in ("one", "other")
    ]

    documents = [answer.json() for answer in answers]
    for document in documents:
        document.pop("instance")
    assert [answer.status_code for answer in answers] == [404, 404]
    assert documents[0] == documents[1]
    assert CANARY not in answers[0].text


CURSORS = [
    "x",
    "=",
    "é",
    "a" * 10_240,
    "W10",
    write_cursor(),
    write_cursor(1, "a", 2),
    write_cursor("a", 1),
    write_cursor(True, "a"),
    write_cursor(None, None),
    write_cursor(1.5, "a"),
    write_cursor(-1, "a:b:1"),
    write_cursor(2**70, "a:b:1"),
    write_cursor(10**400, "a:b:1"),
    write_cursor(1, "a\0b"),
    write_cursor(1, "\ud800"),
    write_cursor("monitoring-snapshot:p-1"),
    write_cursor([[[[1]]]]),
    "W1" * 200,
]
OF_PROJECTIONS = [
    write_cursor("a\0b"),
    write_cursor("\ud800"),
    write_cursor(1),
    write_cursor(1, "a"),
    "x",
]


@pytest.mark.parametrize(
    "url",
    [
        *(f"/v1/subjects/p-1/signal-packets?cursor={quote(cursor)}" for cursor in CURSORS),
        *(f"/v1/projections?cursor={quote(cursor)}" for cursor in OF_PROJECTIONS),
        "/v1/projections?subjectId=%00",
        "/v1/projections?subjectId=a%00b&status=failed",
        "/v1/snapshots?subjectId=%00",
    ],
)
async def test_b97_what_is_no_cursor_of_ours_is_refused_or_leads_nowhere(
    client: httpx2.AsyncClient, url: str
) -> None:
    await client.post(PACKETS, json=a_packet(subjectId="p-1"))

    answer = await client.get(url)

    if answer.status_code == 200:
        assert answer.json()["items"] == []
    else:
        assert answer.status_code in (404, 422)
        assert answer.json()["type"] in ("/problems/not-found", "/problems/invalid-request")


async def test_afterwards_everything_is_at_rest(
    api: Api, client: httpx2.AsyncClient, database: AsyncEngine, memory_before: int
) -> None:
    """No connection is busy or in a transaction, no memory is lost, every line is an object."""

    async def at_rest() -> bool:
        async with database.connect() as connection:
            restless = await connection.scalar(
                text("""
                    select count(*) from pg_stat_activity
                    where application_name like 'vitalrelay-api%' and state <> 'idle'
                """)
            )
        return restless == 0

    await client.get("/readyz")

    await until_true(at_rest)
    assert api.memory("VmRSS") - memory_before < 40 << 20
    assert all(line["event"] for line in await api.all_said())
