"""
Twenty clinicians act on a patient whose packets stream in, while the API and Redis are killed.

What is left of it, read once all is quiet. ``LOAD_SECONDS`` in the environment makes it shorter.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Event

from redis import Redis

from tests.acceptance.gateway import Gateway
from tests.acceptance.installation import Installation, until
from tests.acceptance.nurse import CONDITIONS, Deed, Nurse
from tests.acceptance.restless import SITE, RestlessPatient
from tests.acceptance.written import Written, read_written
from vitalrelay.domain.alarms import SYSTEM
from vitalrelay.domain.document import Document, parse_document, without_envelope

LOAD_S = float(os.environ.get("LOAD_SECONDS", "30"))
PER_SECOND = 50
NURSES = 20
SEED = 11
SUBJECT = "p-restless"
LATE_BY_S = 30.0
QUIET_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Aftermath:
    gateway: Gateway
    deeds: Sequence[Deed]
    written: Written
    shown: Document
    trail: dict[str, Document]  # over HTTP, by event id
    verified: dict

    def with_outcome(self, outcome: str) -> list[Deed]:
        return [deed for deed in self.deeds if deed.outcome == outcome]

    @property
    def by_people(self) -> list[Document]:
        return [record for record in self.written.records if record["actorRef"] != SYSTEM]


def aftermath_of(directory: Path) -> Aftermath:
    log = directory / "acknowledged.ndjson"
    with Installation(directory / "installation") as running:
        gateway = a_gateway(running, log)
        names = [f"nurse-{number}" for number in range(NURSES)]
        nurses = [Nurse(name, running.ready["apiUrl"], SUBJECT, SEED) for name in names]
        with under_load(gateway, nurses):
            for role, after in (("api", 1 / 3), ("redis", 2 / 3)):
                kill_once(lambda part=after: gateway.part_acknowledged > part, running, role)
        until(lambda: is_quiet(running), QUIET_WITHIN_S, "quiet")
        return Aftermath(
            gateway,
            [deed for nurse in nurses for deed in nurse.deeds],
            verified=json.loads(running.run("verify", "--json", "--ack-log", log).stdout),
            written=asyncio.run(read_written(running.ready["databaseUrl"], SUBJECT, SITE)),
            shown=document_in_redis(running),
            trail=trail_of(running),
        )


def a_gateway(running: Installation, log: Path) -> Gateway:
    patient = RestlessPatient(SUBJECT, SEED, round(time.time() * 1000))
    packets = list(patient.packets(round(LOAD_S * PER_SECOND)))
    return Gateway(running.ready["apiUrl"], packets, PER_SECOND, log)


@contextmanager
def under_load(gateway: Gateway, nurses: Sequence[Nurse]) -> Iterator[None]:
    """Until all packets are acknowledged; nobody leaves with an action unanswered."""
    over = Event()
    with ThreadPoolExecutor(len(nurses) + 1) as people:
        try:
            stream = people.submit(gateway.deliver, LOAD_S + LATE_BY_S)
            shifts = [people.submit(nurse.work, over) for nurse in nurses]
            yield
            stream.result()
        finally:
            over.set()
        for shift in shifts:
            shift.result()


def kill_once(happened: Callable[[], bool], running: Installation, role: str) -> None:
    until(happened, LOAD_S + LATE_BY_S, f"the moment to kill {role}")
    killed = running.kill(role)
    until(lambda: running.replaced(role, killed), 20, f"another {role}")


def is_quiet(running: Installation) -> bool:
    """Everything is published, and no mute is left to run out: nothing more will come of itself."""
    projection, snapshot = f"monitoring-snapshot:{SUBJECT}", f"/v1/subjects/{SUBJECT}/snapshot"
    try:
        _, owed = running.request("GET", f"/v1/projections/{projection}")
        _, shown = running.request("GET", snapshot)
    except (OSError, HTTPException):
        return False
    alarms = [*shown.get("alarms", ()), *shown.get("resting", ())]
    over = all(alarm["mutedUntilMs"] is None for alarm in alarms)
    return over and owed.get("status") == "published" and owed["version"] == shown.get("version")


def document_in_redis(running: Installation) -> Document:
    with Redis.from_url(running.ready["redisUrl"]) as redis:
        text = redis.get(f"patient-risk:monitoring-snapshots:{SUBJECT}")
    return without_envelope(parse_document(text.decode()))


def trail_of(running: Installation) -> dict[str, Document]:
    """Every record of every alarm, a page at a time."""
    trail = {}
    for condition in CONDITIONS:
        page = f"/v1/alarms/{SUBJECT}:{condition}/audit-events?limit=50"
        while page is not None:
            _, found = running.request("GET", page)
            trail |= {record["eventId"]: record for record in found.get("items", ())}
            then = found.get("next")
            page = then and f"{page.partition('&')[0]}&cursor={then}"
    return trail
