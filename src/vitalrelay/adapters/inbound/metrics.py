"""Metrics of one process. Labels are small closed sets; never an id, never a free text."""

from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Literal, TypeVar, assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from vitalrelay.adapters.inbound.snapshot_screen import Streamed
from vitalrelay.domain.breaker import Breaker, BreakerState
from vitalrelay.domain.errors import TryAgain
from vitalrelay.domain.on_call import ProjectionSummary
from vitalrelay.domain.projection import Judged, Landed, Outcome, Refused, RelayReport, Unreachable
from vitalrelay.domain.shown import Difference
from vitalrelay.usecases.reconcile_snapshots import SweepReport, Watched

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
NAMESPACE = "vitalrelay"
Mode = Literal["max", "livesum", "mostrecent"]

HELP = {
    "http_request_duration_seconds": "From the request's head to the end of the answer",
    "http_problems": "Answers that are problem documents",
    "http_requests_in_flight": "Requests being answered",
    "packets": "Packets by outcome",
    "alarm_actions": "What clinicians did, and what came of it: done, unchanged, refused",
    "watch_looks": "Patients looked at because of time alone",
    "watch_changes": "Those of them about whom there was something new to show",
    "commit_batch_packets": "Packets in one commit",
    "commit_wait_seconds": "How long the oldest packet of a commit had waited",
    "commit_duration_seconds": "The transaction itself",
    "commit_splits": "Groups run again in two parts, to set one packet apart",
    "publish": "Publishes by path (immediate, worker) and outcome",
    "publish_duration_seconds": "The publish of one immediate batch, or one turn of the worker",
    "lease_lost": "Verdicts that came too late to count",
    "given_up": "Projections given up",
    "relay_last_round_timestamp_seconds": "The relay's last turn",
    "breaker_open": "1 while Redis is taken for unreachable",
    "sweep_differences": "Documents that were not what Postgres says",
    "sweep_compared": "Patients compared",
    "redis_losses": "Times that Redis had lost data",
    "projections": "Projections by status",
    "projections_due": "Projections that may be claimed now",
    "projections_given_up": "Failed and without a due date: they wait for an operator",
    "oldest_unpublished_age_seconds": "0 when nothing is owed",
    "sweep_last_complete_timestamp_seconds": "The last complete sweep, from Postgres",
    "stream_clients": "Screens that listen to the event stream",
    "stream_events": "Events read for screens, resyncs told, screens dropped as too slow",
    "build_info": "1",
}


class Metrics:
    """One object per process; every name begins with ``vitalrelay_``."""

    def __init__(self, version: str, several_processes: bool = False) -> None:
        self._registry = CollectorRegistry()
        self._several_processes = several_processes
        self.http = self._times("http_request_duration_seconds", "operation", "status_class")
        self.problems = self._counter("http_problems", "problem")
        self.in_flight = self._gauge("http_requests_in_flight", mode="livesum")
        self.packets = self._counter("packets", "outcome")
        self.actions = self._counter("alarm_actions", "action", "result")
        self.looks = self._counter("watch_looks")
        self.changes = self._counter("watch_changes")
        self.batch = self._sizes("commit_batch_packets")
        self.waited = self._times("commit_wait_seconds")
        self.took = self._times("commit_duration_seconds")
        self.splits = self._counter("commit_splits")
        self.publish = self._counter("publish", "path", "outcome")
        self.publish_took = self._times("publish_duration_seconds", "path")
        self.lost = self._counter("lease_lost", "path")
        self.given_up = self._counter("given_up", "path")
        self.last_round = self._gauge("relay_last_round_timestamp_seconds")
        self.breaker = self._gauge("breaker_open", mode="max")
        self.differences = self._counter("sweep_differences", "kind")
        self.compared = self._counter("sweep_compared")
        self.losses = self._counter("redis_losses")
        self.projections = self._gauge("projections", "status")
        self.due = self._gauge("projections_due")
        self.waiting_for_operator = self._gauge("projections_given_up")
        self.oldest = self._gauge("oldest_unpublished_age_seconds", "risk_level")
        self.last_sweep = self._gauge("sweep_last_complete_timestamp_seconds")
        self.stream_clients = self._gauge("stream_clients", mode="livesum")
        self.stream_events = self._counter("stream_events", "kind")
        for what in Streamed:
            self.stream_events.labels(what)
        self._gauge("build_info", "version", mode="max").labels(version).set(1)

    def _counter(self, name: str, *labels: str) -> Counter:
        counter = Counter(name, HELP[name], labels, namespace=NAMESPACE, registry=self._registry)
        return remembering(counter)

    def _gauge(self, name: str, *labels: str, mode: Mode = "mostrecent") -> Gauge:
        return Gauge(
            name,
            HELP[name],
            labels,
            namespace=NAMESPACE,
            registry=self._registry,
            multiprocess_mode=mode,
        )

    def _times(self, name: str, *labels: str) -> Histogram:
        return self._histogram(name, SECONDS, labels)

    def _sizes(self, name: str) -> Histogram:
        return self._histogram(name, SIZES, ())

    def _histogram(self, name: str, buckets: Sequence[float], labels: Sequence[str]) -> Histogram:
        histogram = Histogram(
            name,
            HELP[name],
            labels,
            namespace=NAMESPACE,
            registry=self._registry,
            buckets=buckets,
        )
        return remembering(histogram)

    def answered(self, operation: str, status: int, took_s: float) -> None:
        """One request."""
        self.http.labels(operation, f"{status // 100}xx").observe(took_s)

    def committed(self, packets: int, waited_s: float, took_s: float) -> None:
        self.batch.observe(packets)
        self.waited.observe(waited_s)
        self.took.observe(took_s)

    def split(self) -> None:
        self.splits.inc()

    def relayed(self, path: str, report: RelayReport, took_s: float, breaker: Breaker) -> None:
        """One turn of the relay; ``path`` is immediate or worker."""
        self.published(path, report.outcomes, took_s, breaker)
        self.settled(path, report)

    def published(
        self, path: str, outcomes: Sequence[Outcome], took_s: float, breaker: Breaker
    ) -> None:
        self.last_round.set_to_current_time()
        self.breaker.set(breaker.state is not BreakerState.CLOSED)
        if outcomes:
            self.publish_took.labels(path).observe(took_s)
        for word, count in Tally(map(outcome_word, outcomes)).items():
            self.publish.labels(path, word).inc(count)

    def settled(self, path: str, report: RelayReport) -> None:
        self.lost.labels(path).inc(report.lost)
        self.given_up.labels(path).inc(report.given_up)

    def watched(self, watched: Watched) -> None:
        if watched.lost is not None:
            self.losses.inc()

    def swept(self, report: SweepReport) -> None:
        self.compared.inc(report.compared)
        for kind in Difference:
            self.differences.labels(kind).inc(report.differences.get(kind, 0))

    def streamed(self, what: Streamed, count: int = 1) -> None:
        self.stream_events.labels(what).inc(count)

    def watched_by(self, screens: int) -> None:
        self.stream_clients.set(screens)

    async def exposition(self, summary: Callable[[], Awaitable[ProjectionSummary]]) -> bytes:
        """What /metrics says; without the database's part while it does not answer."""
        try:
            self._summarised(await summary())
        except TryAgain:
            self.oldest.clear()
        if not self._several_processes:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]  # theirs
        return generate_latest(everybody)

    def _summarised(self, summary: ProjectionSummary) -> None:
        self.projections.labels("pending").set(summary.pending)
        self.projections.labels("published").set(summary.published)
        self.projections.labels("failed").set(summary.failed)
        self.due.set(summary.due)
        self.waiting_for_operator.set(summary.given_up)
        self.oldest.labels("any").set((summary.oldest_unpublished_ms or 0) / 1000)
        self.oldest.labels("high").set((summary.oldest_unpublished_high_ms or 0) / 1000)
        self.last_sweep.set((summary.last_complete_sweep_ms or 0) / 1000)


Labelled = TypeVar("Labelled", Counter, Histogram)


def remembering(metric: Labelled) -> Labelled:
    """Its labels are looked up once, for that takes longer than the counting."""
    metric.labels = cache(metric.labels)  # type: ignore[method-assign]  # for this one
    return metric


class DeliveryMetrics:
    """Of what is published beside the answers."""

    def __init__(self, metrics: Metrics, breaker: Breaker) -> None:
        self._metrics = metrics
        self._breaker = breaker

    def published(self, judged: Sequence[Judged], took_s: float) -> None:
        outcomes = [one.outcome for one in judged]
        self._metrics.published("immediate", outcomes, took_s, self._breaker)

    def settled(self, report: RelayReport) -> None:
        self._metrics.settled("immediate", report)


def outcome_word(outcome: Outcome) -> str:
    match outcome:
        case Landed():
            return outcome.value
        case Refused():
            return "refused"
        case Unreachable():
            return "unreachable"
        case _:
            assert_never(outcome)
