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
from vitalrelay.adapters.inbound.admission import Admission
from vitalrelay.adapters.inbound.cli.tools import Operations
from vitalrelay.adapters.inbound.delivery import Delivery
from vitalrelay.adapters.inbound.group_commit import GroupCommit, GroupLimits
from vitalrelay.adapters.inbound.http.app import create_app
from vitalrelay.adapters.inbound.http.middleware import request_id
from vitalrelay.adapters.inbound.http.services import Services
from vitalrelay.adapters.inbound.logs import set_up_logs
from vitalrelay.adapters.inbound.metrics import DeliveryMetrics, Metrics
from vitalrelay.adapters.inbound.snapshot_feed import FeedLimits, SnapshotFeed
from vitalrelay.adapters.outbound.health import StorageHealth
from vitalrelay.adapters.outbound.postgres.audit_trail import PostgresAuditTrail
from vitalrelay.adapters.outbound.postgres.connection import lent
from vitalrelay.adapters.outbound.postgres.ledger import PostgresLedger
from vitalrelay.adapters.outbound.postgres.on_call import PostgresOnCall
from vitalrelay.adapters.outbound.postgres.projections import PostgresProjections
from vitalrelay.adapters.outbound.postgres.record import Names
from vitalrelay.adapters.outbound.postgres.records import PostgresEvidence, PostgresRecords
from vitalrelay.adapters.outbound.postgres.review_queue import PostgresReviewQueue
from vitalrelay.adapters.outbound.postgres.schema import check_revision
from vitalrelay.adapters.outbound.postgres.trends import PostgresTrends
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.adapters.outbound.redis.shown_snapshots import RedisSentinel, RedisShownSnapshots
from vitalrelay.adapters.outbound.redis.snapshot_events import RedisSnapshotEvents
from vitalrelay.adapters.outbound.redis.snapshot_publisher import RedisSnapshotPublisher
from vitalrelay.adapters.outbound.redis.verified import Verified
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.projection import RetryPolicy
from vitalrelay.runtime import collect_seldom
from vitalrelay.settings import Settings, read_settings
from vitalrelay.startup import greet, greeting
from vitalrelay.supervisor.readiness import announce
from vitalrelay.usecases.act import Act
from vitalrelay.usecases.forget_answers import ForgetAnswers
from vitalrelay.usecases.ingest_packets import IngestPackets
from vitalrelay.usecases.inspect_projections import InspectProjections
from vitalrelay.usecases.inspect_records import InspectRecords
from vitalrelay.usecases.inspect_reviews import InspectReviews
from vitalrelay.usecases.keep_watch import KeepWatch
from vitalrelay.usecases.read_snapshots import ReadSnapshots
from vitalrelay.usecases.read_trends import ReadTrends
from vitalrelay.usecases.reconcile_snapshots import ReconcileSnapshots
from vitalrelay.usecases.relay_projections import RelayProjections
from vitalrelay.usecases.verify import Verify

log = structlog.get_logger()

VERSION = version("vitalrelay")
DOCUMENTS_REMEMBERED = 4_096  # by an API process that has verified them, about 3 kB each


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
        create_engine(url, work_policy(settings), name),
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
        role=settings.database_role,
        size=size,
        connect_timeout_s=settings.postgres_connect_timeout,
        command_timeout_s=settings.postgres_timeout,
    )


def work_policy(settings: Settings) -> PoolPolicy:
    """For what runs with every packet, claim and verdict."""
    return replace(pool_policy(settings, settings.pool_size), by_keys=True)


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


def alarm_policy(settings: Settings) -> AlarmPolicy:
    silence_s = settings.no_data_after
    return AlarmPolicy(
        rearm_ms=round(settings.alarm_rearm * 1000),
        no_data_after_ms=None if silence_s is None else round(silence_s * 1000),
        not_monitored_after_ms=round(settings.not_monitored_after * 1000),
    )


def work_of(settings: Settings, storage: Storage) -> PostgresWork:
    keys = Keys(settings.key_prefix)
    names = Names(keys.documents, keys.latest)
    return PostgresWork(storage.engine, names, alarm_policy(settings))


def ingest_of(
    settings: Settings, begin: PostgresWork, breaker: Breaker | None = None
) -> IngestPackets:
    return IngestPackets(
        begin=begin,
        assess=risk_model(settings),
        alarms=alarm_policy(settings),
        lease_for=settings.span("lease"),
        breaker=breaker,
    )


def act_of(settings: Settings, begin: PostgresWork) -> Act:
    return Act(begin=begin, alarms=alarm_policy(settings), lease_for=settings.span("lease"))


def watch_of(settings: Settings, storage: Storage) -> KeepWatch:
    return KeepWatch(
        begin=work_of(settings, storage),
        alarms=alarm_policy(settings),
        batch_size=settings.watch_batch,
        lease_for=settings.span("lease"),
    )


def reviews_of(storage: Storage) -> InspectReviews:
    return InspectReviews(
        queue=PostgresReviewQueue(storage.probes), trail=PostgresAuditTrail(storage.probes)
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
        records=PostgresRecords(storage.probes),
        evidence=PostgresEvidence(storage.probes),
        ledger=PostgresLedger(storage.probes),
        store=RedisShownSnapshots(storage.redis, Keys(settings.key_prefix)),
        reconcile=reconcile_of(settings, storage),
        assess=risk_model(settings),
    )


def reads_of(settings: Settings, storage: Storage) -> ReadSnapshots:
    return ReadSnapshots(
        store=RedisShownSnapshots(
            storage.redis, Keys(settings.key_prefix), Verified(DOCUMENTS_REMEMBERED)
        ),
        records=PostgresRecords(storage.probes),
        longest_wait=settings.span("latest_version_wait"),
        look_again_after=timedelta(milliseconds=20),
    )


def trends_of(settings: Settings, storage: Storage) -> ReadTrends:
    """Few at a time: neither ingest nor readiness shall wait for somebody's month of values."""
    at_once = max(1, settings.probe_pool_size // 4)
    return ReadTrends(trends=PostgresTrends(storage.probes, at_once, patience=timedelta(seconds=2)))


def feed_of(settings: Settings, storage: Storage, metrics: Metrics) -> SnapshotFeed:
    # To wait as long as for an answer would look like none.
    longest_wait = min(settings.span("redis_timeout") / 2, timedelta(seconds=1))
    return SnapshotFeed(
        RedisSnapshotEvents(storage.redis, Keys(settings.key_prefix), longest_wait),
        FeedLimits(heartbeat=settings.span("stream_heartbeat"), screens=settings.stream_clients),
        metrics,
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
        delivery = Delivery(relay, DeliveryMetrics(metrics, relay.breaker), settings.relay_batch)
        stack.push_async_callback(delivery.close)
        begin = work_of(settings, storage)
        ingest = ingest_of(settings, begin, relay.breaker)
        commits = GroupCommit(ingest, delivery.deliver, group_limits(settings), metrics)
        stack.push_async_callback(commits.close)
        feed = feed_of(settings, storage, metrics)
        stack.push_async_callback(feed.end)
        announce()
        yield Services(
            admission=Admission(settings.posts_at_once, settings.posts_patience),
            commits=commits,
            act=act_of(settings, begin),
            deliver=delivery.deliver,
            reviews=reviews_of(storage),
            longest_mute_s=settings.mute_longest,
            snapshots=reads_of(settings, storage),
            feed=feed,
            trends=trends_of(settings, storage),
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
    app = create_app(lambda: open_services(settings), VERSION, settings.body_timeout)
    collect_seldom()
    return app


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
            "watch": watch_of(settings, storage),
            "forget": ForgetAnswers(
                begin=work_of(settings, storage), older_than=settings.span("action_keys_kept")
            ),
            "sweep_period": settings.span("sweep_period"),
            "metrics": metrics_of_process(),
            "turn": asyncio.Lock(),
            "look": asyncio.Lock(),
            "watching": asyncio.Lock(),
        }


@asynccontextmanager
async def open_operations(settings: Settings) -> AsyncIterator[Operations]:
    """What somebody at a terminal may ask for. Raises SchemaMismatch before anything is asked."""
    set_up_logs("cli", VERSION, settings.log_level, request_id.get, sys.stderr)
    async with open_storage(settings, "cli") as storage:
        async with lent(storage.probes) as connection:
            await check_revision(connection)
        yield Operations(
            projections=InspectProjections(on_call=PostgresOnCall(storage.probes)),
            reconcile=reconcile_of(settings, storage),
            verify=verify_of(settings, storage),
        )
