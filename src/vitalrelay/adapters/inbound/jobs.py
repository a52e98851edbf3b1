"""What arq calls: context in, use case called, nothing else."""

import asyncio
import time
from typing import Any

import structlog

from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.domain.errors import TryAgain
from vitalrelay.domain.projection import RelayReport
from vitalrelay.domain.shown import Difference
from vitalrelay.usecases.forget_answers import ForgetAnswers
from vitalrelay.usecases.keep_watch import KeepWatch, WatchReport
from vitalrelay.usecases.reconcile_snapshots import ReconcileSnapshots
from vitalrelay.usecases.relay_projections import RelayProjections

log = structlog.get_logger()

TURNS_AT_ONCE = 2

Context = dict[Any, Any]  # arq's own


async def relay_what_is_due(ctx: Context) -> None:
    """Relay until nothing is due, or until Redis is away: then the next ring is soon enough."""
    if ctx["turn"].locked():
        return  # the ring before this one is still at it
    # While one batch is on its way to Redis, another is claimed or settled.
    async with ctx["turn"], asyncio.TaskGroup() as at_once:
        for _ in range(TURNS_AT_ONCE):
            at_once.create_task(turns(ctx))


async def turns(ctx: Context) -> None:
    try:
        while (await one_turn(ctx)).worth_repeating and not ctx.get("stopping"):
            pass
    except TryAgain as error:
        log.warning("relay-paused", failureType=type(error).__name__, reason=error.cause)


async def one_turn(ctx: Context) -> RelayReport:
    relay: RelayProjections = ctx["relay"]
    metrics: Metrics = ctx["metrics"]
    started = time.perf_counter()
    report = await relay.run_once()
    metrics.relayed("worker", report, time.perf_counter() - started, relay.breaker)
    if report.claimed:
        log.info(
            "relayed",
            published=report.published,
            retried=report.retried,
            handedBack=report.handed_back,
            givenUp=report.given_up,
            lost=report.lost,
        )
    return report


async def watch_for_losses(ctx: Context) -> None:
    """Look at the sentinel: a loss owes everybody again, a restart has everybody compared."""
    if ctx["look"].locked():
        return
    async with ctx["look"]:
        await look_once(ctx)


async def look_once(ctx: Context) -> None:
    reconcile: ReconcileSnapshots = ctx["reconcile"]
    try:
        watched = await reconcile.watch()
        ctx["metrics"].watched(watched)
        if watched.lost is not None:
            log.warning("redis-lost-data", count=watched.lost)
        if watched.restarted or await reconcile.sweep_is_due(ctx["sweep_period"]):
            await compare_everybody(ctx)
    except TryAgain as error:
        log.warning("watch-paused", failureType=type(error).__name__, reason=error.cause)


async def compare_everybody(ctx: Context) -> None:
    """The slow sweep: what differs is owed again, and said aloud."""
    reconcile: ReconcileSnapshots = ctx["reconcile"]
    report = await reconcile.sweep()
    ctx["metrics"].swept(report)
    for kind in Difference:
        if report.differences.get(kind, 0):
            log.error("snapshots-differ", reason=kind, count=report.differences[kind])
    log.info("swept", compared=report.compared)


async def watch_patients(ctx: Context) -> None:
    """Notice silence and end mutes, until nobody's time has come."""
    if ctx["watching"].locked():
        return
    async with ctx["watching"]:
        try:
            while (await look_at_patients(ctx)).looked_at and not ctx.get("stopping"):
                pass
        except TryAgain as error:
            log.warning("watch-paused", failureType=type(error).__name__, reason=error.cause)


async def look_at_patients(ctx: Context) -> WatchReport:
    watch: KeepWatch = ctx["watch"]
    relay: RelayProjections = ctx["relay"]
    metrics: Metrics = ctx["metrics"]
    report = await watch.run_once()
    metrics.looks.inc(report.looked_at)
    metrics.changes.inc(report.changed)
    await relay.deliver(report.claims)
    return report


async def forget_old_keys(ctx: Context) -> None:
    forget: ForgetAnswers = ctx["forget"]
    try:
        while await forget() and not ctx.get("stopping"):
            pass
    except TryAgain as error:
        log.warning("watch-paused", failureType=type(error).__name__, reason=error.cause)
