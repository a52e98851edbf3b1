"""All that API and worker are made of, in this process and on settings of a test's own."""

import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests import servers
from tests.worlds import an_alarming_reading
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.bootstrap import (
    Storage,
    act_of,
    ingest_of,
    open_storage,
    relay_of,
    verify_of,
    work_of,
)
from vitalrelay.domain.actions import Acknowledge, Action, Mute, ResolveReview
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import RelayReport
from vitalrelay.settings import Settings
from vitalrelay.usecases.verify import Verification

NURSE = Signature(actor_ref="nurse-7", actor_role="clinician", request_id="r-1")
NUMBERS = itertools.count(1)
AT_MS = time.time_ns() // 1_000_000 - 1_000


def settings_for(database_url: str, redis_url: str, **more: Any) -> Settings:
    addresses: dict[str, Any] = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    return Settings(**addresses, **more)


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    storage: Storage

    @property
    def work(self) -> PostgresWork:
        return work_of(self.settings, self.storage)

    async def takes_in(self, *packets: Packet) -> None:
        _, claims = await ingest_of(self.settings, self.work)(packets)
        await relay_of(self.settings, self.storage).deliver(claims)

    async def does(self, *actions: Action) -> list[str]:
        """Each under a key of its own; the outcomes."""
        outcomes = []
        for action in actions:
            key = ActionKey.of(f"key-{next(NUMBERS)}", action.about, {})
            answer, claims = await act_of(self.settings, self.work)(action, NURSE, key)
            await relay_of(self.settings, self.storage).deliver(claims)
            outcomes.append(answer["outcome"])
        return outcomes

    async def relays(self) -> RelayReport:
        return await relay_of(self.settings, self.storage).run_once()

    async def verified(self) -> Verification:
        return await verify_of(self.settings, self.storage)()


@asynccontextmanager
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_storage(settings, "tests") as storage:
        yield House(settings, storage)


# Two sites, a patient with alarms in each, and what was done about them.
PACKETS = (
    an_alarming_reading("p-1", AT_MS, site="seoul-01", encounter="e-1"),
    an_alarming_reading("p-2", AT_MS, site="busan-01", encounter="e-2"),
)
ACTIONS = (
    Acknowledge(about="p-1:news2-high", reason="seen at bedside"),
    Mute(about="p-1:vital-red:spo2", reason="probe is off", for_ms=600_000),
    ResolveReview(about="review:e-1", note="doctor was there"),
    Acknowledge(about="p-2:news2-high", reason="seen at bedside"),
)


@contextmanager
def copy_of(server_url: str, original: str) -> Iterator[str]:
    """Of a database to which nobody is connected."""
    name = f"vitalrelay_test_{secrets.token_hex(6)}"
    template = urlsplit(original).path.removeprefix("/")
    servers.execute(server_url, f"create database {name} template {template}")
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        servers.execute(server_url, f"drop database if exists {name} with (force)")


@contextmanager
def new_login(server_url: str, of_role: str) -> Iterator[tuple[str, str]]:
    """Name and password of a login that has this role's rights, and no others."""
    name, password = f"test_{secrets.token_hex(6)}", secrets.token_hex(8)
    servers.execute(server_url, f"create role {name} login password '{password}' in role {of_role}")
    try:
        yield name, password
    finally:
        servers.execute(server_url, f"drop role {name}")


def with_login(url: str, name: str, password: str) -> str:
    place = urlsplit(url)
    return place._replace(netloc=f"{name}:{password}@{place.hostname}:{place.port}").geturl()
