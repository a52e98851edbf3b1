"""Projections as lines of text, and as they stand in JSON."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vitalrelay.domain.on_call import ProjectionState


def document(state: ProjectionState) -> dict[str, object]:
    """The words of the HTTP API."""
    return {
        "projectionId": state.projection_id,
        "subjectId": state.subject,
        "status": state.status,
        "version": state.version,
        "publishedVersion": state.published_version,
        "attemptCount": state.attempt_count,
        "lastError": state.last_error,
        "pendingSinceMs": state.pending_since_ms,
        "dueAtMs": state.due_at_ms,
        "updatedAtMs": state.updated_at_ms,
        "fingerprint": state.fingerprint,
    }


def table(states: Sequence[ProjectionState]) -> str:
    columns = ("patient", "status", "owed for", "version", "published", "attempts", "due in")
    lines = Table(*columns, "last error", box=None, pad_edge=False)
    for state in states:
        lines.add_row(
            state.subject,
            state.status,
            _age(state.pending_since_ms),
            str(state.version),
            "-" if state.published_version is None else str(state.published_version),
            str(state.attempt_count),
            _due(state),
            state.last_error or "-",
        )
    console = Console()
    with console.capture() as captured:
        console.print(lines)
    return captured.get().rstrip()


def _age(since_ms: int | None) -> str:
    return "-" if since_ms is None else _spoken(time.time() - since_ms / 1000)


def _due(state: ProjectionState) -> str:
    if state.pending_since_ms is None:
        return "-"
    if state.due_at_ms is None:
        return "given up"
    seconds = state.due_at_ms / 1000 - time.time()
    return "now" if seconds <= 0 else _spoken(seconds)


def _spoken(seconds: float) -> str:
    units = ((86_400, "d"), (3600, "h"), (60, "m"))
    for size, name in units:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"
