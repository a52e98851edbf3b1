"""The one place that knows which adapter stands behind which port; also the console command."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.engine import PoolPolicy, create_engine
from persistence.redis_client import RedisPolicy, create_redis
from vitalrelay.adapters.inbound.cli.tools import Operations
from vitalrelay.adapters.inbound.delivery import Delivery
from vitalrelay.adapters.inbound.group_commit import GroupCommit, GroupLimits
from vitalrelay.adapters.inbound.http.app import create_app
from vitalrelay.adapters.inbound.http.middleware import request_id
from vitalrelay.adapters.inbound.http.services import Services
from vitalrelay.adapters.inbound.logs import set_up_logs
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.adapters.outbound.health import StorageHealth
from vitalrelay.adapters.outbound.postgres.connection import transaction
from vitalrelay.adapters.outbound.postgres.ledger import PostgresLedger
from vitalrelay.adapters.outbound.postgres.on_call import PostgresOnCall
from vitalrelay.adapters.outbound.postgres.projections import PostgresProjections
from vitalrelay.adapters.outbound.postgres.record import Names
from vitalrelay.adapters.outbound.postgres.records import PostgresEvidence, PostgresRecords
from vitalrelay.adapters.outbound.postgres.schema import check_revision
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.shown_snapshots import RedisSentinel, RedisShownSnapshots
from vitalrelay.adapters.outbound.redis.snapshot_publisher import RedisSnapshotPublisher
from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.projection import RelayReport, RetryPolicy
from vitalrelay.settings import Settings, read_settings
from vitalrelay.startup import greet, greeting
from vitalrelay.supervisor.readiness import announce
from vitalrelay.usecases.ingest_packets import IngestPackets
from vitalrelay.usecases.inspect_projections import InspectProjections
from vitalrelay.usecases.inspect_records import InspectRecords
from vitalrelay.usecases.read_snapshots import ReadSnapshots
from vitalrelay.usecases.reconcile_snapshots import ReconcileSnapshots
from vitalrelay.usecases.relay_projections import RelayProjections
from vitalrelay.usecases.verify import Verify

log = structlog.get_logger()

VERSION = version("vitalrelay")


@dataclass(frozen=True, slots=True)
class Storage:
    """Connections of one process: for the work, for whoever asks how it goes, and to Redis."""

    engine: AsyncEngine
    probes: AsyncEngine
    redis: Redis


@asynccontextmanager
async def open_storage(settings: Settings, role: str) -> AsyncIterator[Storage]:
    """Nothing is connected yet; everything is closed in the end."""
    name = f"vitalrelay-{role}"
    url = settings.database_url.get_secret_value()
    storage = Storage(
        create_engine(url, pool_policy(settings, settings.pool_size), name),
        create_engine(url, probe_policy(settings), f"{name}-probes"),
        create_redis(settings.redis_url.get_secret_value(), redis_policy(settings)),
    )
    try:
        yield storage
    finally:
        await storage.redis.aclose()
        await storage.probes.dispose()
        await storage.engine.dispose()


def pool_policy(settings: Settings, size: int) -> PoolPolicy:
    return PoolPolicy(
        size=size,
        connect_timeout_s=settings.postgres_connect_timeout,
        command_timeout_s=settings.postgres_timeout,
    )


def probe_policy(settings: Settings) -> PoolPolicy:
    """For whoever asks: few connections, and none that a restart made useless."""
    return replace(pool_policy(settings, settings.probe_pool_size), ask_before_use=True)


def redis_policy(settings: Settings) -> RedisPolicy:
    return RedisPolicy(
        max_connections=settings.redis_connections,
        connect_timeout_s=settings.redis_connect_timeout,
        answer_timeout_s=settings.redis_timeout,
    )


def risk_model(settings: Settings) -> News2:
    return News2(max_age_ms=round(settings.news2_max_age * 1000))


def ingest_of(settings: Settings, storage: Storage) -> IngestPackets:
    keys = Keys(settings.key_prefix)
    return IngestPackets(
        begin=PostgresWork(storage.engine, Names(keys.documents, keys.latest)),
        assess=risk_model(settings),
        lease_for=settings.span("lease"),
    )


def relay_of(settings: Settings, storage: Storage) -> RelayProjections:
    return RelayProjections(
        projections=PostgresProjections(storage.engine),
        publisher=RedisSnapshotPublisher(
            storage.redis, Keys(settings.key_prefix), settings.events_kept
        ),
        breaker=Breaker(settings.span("outage_pause")),
        retry=RetryPolicy(
            max_attempts=settings.max_attempts,
            first_delay=settings.span("first_delay"),
            longest_delay=settings.span("longest_delay"),
            outage_pause=settings.span("outage_pause"),
        ),
        batch_size=settings.relay_batch,
        lease_for=settings.span("lease"),
    )


def reconcile_of(settings: Settings, storage: Storage) -> ReconcileSnapshots:
    keys = Keys(settings.key_prefix)
    return ReconcileSnapshots(
        ledger=PostgresLedger(storage.probes),
        store=RedisShownSnapshots(storage.redis, keys),
        sentinel=RedisSentinel(storage.redis, keys),
        page_size=settings.sweep_page,
    )


def verify_of(settings: Settings, storage: Storage) -> Verify:
    return Verify(
        records=PostgresRecords(storage.engine),
        evidence=PostgresEvidence(storage.engine),
        ledger=PostgresLedger(storage.engine),
        store=RedisShownSnapshots(storage.redis, Keys(settings.key_prefix)),
        reconcile=reconcile_of(settings, storage),
        assess=risk_model(settings),
    )


def reads_of(settings: Settings, storage: Storage) -> ReadSnapshots:
    return ReadSnapshots(
        store=RedisShownSnapshots(storage.redis, Keys(settings.key_prefix)),
        records=PostgresRecords(storage.probes),
        longest_wait=settings.span("latest_version_wait"),
        look_again_after=timedelta(milliseconds=20),
    )


def metrics_of_process() -> Metrics:
    return Metrics(VERSION, several_processes="PROMETHEUS_MULTIPROC_DIR" in os.environ)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """
    What the API is made of.

    It ends in this order: no new packets, what waits is committed, what is committed is
    published, connections are closed.
    """
    metrics = metrics_of_process()
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings, "api"))
        await stack.enter_async_context(greeting(settings, storage.probes))
        relay = relay_of(settings, storage)

        def report(of_turn: RelayReport, took_s: float) -> None:
            metrics.relayed("immediate", of_turn, took_s, relay.breaker)

        delivery = Delivery(relay.deliver, report, settings.relay_batch)
        stack.push_async_callback(delivery.close)
        commits = GroupCommit(
            ingest_of(settings, storage), delivery.deliver, group_limits(settings), metrics
        )
        stack.push_async_callback(commits.close)
        announce()
        yield Services(
            commits=commits,
            snapshots=reads_of(settings, storage),
            records=InspectRecords(records=PostgresRecords(storage.probes)),
            projections=InspectProjections(on_call=PostgresOnCall(storage.probes)),
            health=StorageHealth(storage.probes, storage.redis, settings.readiness_deadline),
            metrics=metrics,
            simulated_allowed=settings.simulated_allowed,
        )


def group_limits(settings: Settings) -> GroupLimits:
    return GroupLimits(
        most=settings.group_most,
        linger=settings.span("group_linger"),
        waiting=settings.group_waiting,
        at_once=settings.group_at_once,
    )


def api() -> FastAPI:
    """The application on the settings of the environment."""
    settings = read_settings()
    set_up_logs("api", VERSION, settings.log_level, request_id.get)
    return create_app(lambda: open_services(settings), VERSION, settings.body_timeout)


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[dict[str, Any]]:
    """What the worker's jobs find in their context, once PostgreSQL and its schema are there."""
    set_up_logs("worker", VERSION, settings.log_level, request_id.get)
    async with open_storage(settings, "worker") as storage:
        await greet(settings, storage.probes)
        announce()
        yield {
            "relay": relay_of(settings, storage),
            "reconcile": reconcile_of(settings, storage),
            "sweep_period": settings.span("sweep_period"),
            "metrics": metrics_of_process(),
            "turn": asyncio.Lock(),
            "look": asyncio.Lock(),
        }


@asynccontextmanager
async def open_operations(settings: Settings) -> AsyncIterator[Operations]:
    """What somebody at a terminal may ask for. Raises SchemaMismatch before anything is asked."""
    set_up_logs("cli", VERSION, settings.log_level, request_id.get, sys.stderr)
    async with open_storage(settings, "cli") as storage:
        async with transaction(storage.probes) as connection:
            await check_revision(connection)
        yield Operations(
            projections=InspectProjections(on_call=PostgresOnCall(storage.probes)),
            reconcile=reconcile_of(settings, storage),
            verify=verify_of(settings, storage),
        )
