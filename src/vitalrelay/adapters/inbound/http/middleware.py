"""What every request passes through: an id, a deadline for its body, and a count."""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitalrelay.adapters.inbound.http.problems import (
    RequestRefused,
    problem_document,
    problem_response,
    response_of,
)
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.domain.errors import NotFound

log = structlog.get_logger()

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET = {"getHealth", "getReadiness", "getMetrics"}

# Unique like a UUID, at the price of a counter.
PROCESS = secrets.token_hex(8)
NUMBERS = itertools.count(1)

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestEnvelope:
    """Pure ASGI: nothing of it cancels or outlives what it surrounds."""

    def __init__(self, app: ASGIApp, body_timeout_s: float) -> None:
        self._app = app
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = sane_id(scope) or f"{PROCESS}-{next(NUMBERS):x}"
        request_id.set(identity)
        scope["state"]["request_id"] = identity
        metrics: Metrics = scope["app"].state.services.metrics
        header = (b"x-request-id", identity.encode())
        deadline = scope["state"]["deadline"] = BodyDeadline(self._body_timeout_s)
        answered = _Answer()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        started = time.perf_counter()
        metrics.in_flight.inc()
        try:
            await self._answer(scope, deadline.guard(receive), send_with_id)
        except Exception as error:
            log.error("unexpected-error", failureType=type(error).__name__, **whereabouts(error))
            if not answered.status:
                problem = problem_document("internal-error", "")
                await problem_response(problem | {"instance": identity})(
                    scope, receive, send_with_id
                )
        finally:
            metrics.in_flight.dec()
            observe(scope, answered.status, time.perf_counter() - started, metrics)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = ill_formed(scope)
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await response_of(refused)(scope, receive, send)


class BodyDeadline:
    """
    How long a body is still waited for; who takes a stream of lines extends it with each of them.

    Only waiting for the sender counts: one who has to wait for us is not to blame.
    """

    def __init__(self, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = self._left_s = timeout_s
        self._complete = False  # after that, what one waits for is the end of the connection

    def extend(self) -> None:
        self._left_s = self._timeout_s

    def guard(self, receive: Receive) -> Receive:
        async def receive_in_time() -> Message:
            began = self._loop.time()
            try:
                async with asyncio.timeout(None if self._complete else self._left_s):
                    message = await receive()
            except TimeoutError:
                raise RequestRefused(
                    "request-timeout", "The body took too long.", {"Connection": "close"}
                ) from None
            self._left_s -= self._loop.time() - began
            self._complete = not message.get("more_body", False)
            return message

        return receive_in_time


def ill_formed(scope: Scope) -> Exception | None:
    """What no route should have to look at."""
    if "\x00" in scope["path"]:
        return NotFound()
    if sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
        return RequestRefused("malformed-request", "There must be one Authorization header.")
    return None


class _Answer:
    status = 0  # none was begun


def sane_id(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) != 1:
        return None
    text: str = given[0].decode("latin-1")
    return text if SANE_ID.fullmatch(text) else None


def observe(scope: MutableMapping[str, Any], status: int, took_s: float, metrics: Metrics) -> None:
    """Count it, and log it where it did not go well."""
    operation = getattr(scope.get("route"), "operation_id", None) or "none"
    metrics.answered(operation, status, took_s)
    if status >= 400 and operation not in QUIET:
        log.warning(
            "request-refused",
            operation=operation,
            status=status,
            problem=scope["state"].get("problem"),
            reason=scope["state"].get("reason"),
            durationMs=round(took_s * 1000),
        )


def whereabouts(error: Exception) -> dict[str, str]:
    """Where it was raised: file and line, never the text of an exception."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return {}
    return {"path": f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"}
