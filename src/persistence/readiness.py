"""Readiness: every check is run, each with its own deadline, and none can hide another."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Check = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``failure`` is the class of the error, never its text; None means ready."""

    name: str
    duration_ms: int
    failure: str | None


async def run_checks(checks: Mapping[str, Check], deadline_s: float) -> list[CheckResult]:
    """One result per check, in their order; all at once."""
    return list(
        await asyncio.gather(*(_run(name, check, deadline_s) for name, check in checks.items()))
    )


async def _run(name: str, check: Check, deadline_s: float) -> CheckResult:
    started = time.monotonic()
    task = asyncio.ensure_future(check())
    await asyncio.wait({task}, timeout=deadline_s)
    # Not waited for any longer: a check that hangs may also hang in its own end.
    if not task.done():
        task.cancel()
        failure: str | None = "TimeoutError"
    else:
        error = task.exception()
        failure = None if error is None else type(error).__name__
    return CheckResult(name, round((time.monotonic() - started) * 1000), failure)
