"""What a driver's error means: the server is away, it is busy, or it will not have these data."""

from enum import Enum

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection


class Fault(Enum):
    AWAY = "away"  # not reachable, stopping, starting, full, or not the writable one
    BUSY = "busy"  # it had to choose, and not us: deadlock, lock or statement time-out
    DATA = "data"  # these data will be refused for ever


BUSY_STATES = frozenset({"40001", "40P01", "55P03", "57014"})
DATA_CLASSES = ("21", "22", "23", "54")  # cardinality, data, constraint, program limit

POSTGRES_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


def fault_of(error: Exception) -> Fault:
    """Of an error raised by SQLAlchemy, asyncpg or the network below them."""
    if isinstance(error, NoFreeConnection):
        return Fault.BUSY
    state = sqlstate_of(error)
    if state in BUSY_STATES:
        return Fault.BUSY
    if state.startswith(DATA_CLASSES):
        return Fault.DATA
    return Fault.AWAY


def sqlstate_of(error: Exception) -> str:
    """The five characters, or an empty string where the server never spoke."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlstate", None) or "")


def wrong_server(error: Exception) -> bool:
    """A standby after a failover: every pooled connection leads there."""
    return sqlstate_of(error) == "25006"
