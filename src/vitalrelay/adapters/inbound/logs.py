"""
One JSON object a line, made of fields we chose.

What is not on the list is dropped: bodies, vitals, statements and the texts of exceptions have no
way into a log. What other libraries say is reduced to who said it and the class of the error.
"""

import logging
import sys
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

ALWAYS = ("ts", "level", "event", "service", "role", "version", "requestId")
ALLOWED = frozenset(
    (
        *ALWAYS,
        *("operation", "status", "problem", "durationMs", "batch", "packetId", "subjectId"),
        *("projectionId", "projectionVersion", "incarnation", "outcome", "verdict", "attempt"),
        *("reason", "failureType", "sqlstate", "path", "count", "actorRef", "setting", "pid"),
        *("published", "retried", "handedBack", "givenUp", "lost", "compared", "logger"),
    )
)


def set_up_logs(
    role: str,
    version: str,
    level: str,
    request_id: Callable[[], str | None],
    to: TextIO = sys.stdout,
) -> None:
    """For the whole process; ``role`` is api, worker or cli."""

    def identify(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.update(service="vitalrelay", role=role, version=version)
        identity = request_id()
        if identity is not None:
            event["requestId"] = identity
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            identify,
            only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(to),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Reduced()]
    root.setLevel(logging.WARNING)


def only_allowed(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: value for name, value in event.items() if name in ALLOWED}


class _Reduced(logging.Handler):
    """Other libraries: their words may quote what they were given."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log = structlog.get_logger()
        fields = {"logger": record.name} | ({"failureType": failure} if failure else {})
        log.log(record.levelno, "library-says", **fields)
