"""The PostgreSQL side: one engine per purpose, every wait with an end."""

from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

SERVER_SETTINGS = {
    # Leases and cursors must not hang on a session that went away.
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "5s",
    # Our statements are few and their plans settled: a JIT would only add its compile time.
    "jit": "off",
}
BY_KEYS = {
    # One plan for all times, which may be made while there is not a row: by index all the same.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """How many connections, and how long anything may take, in seconds."""

    size: int
    overflow: int = 0
    checkout_timeout_s: float = 2.0
    connect_timeout_s: float = 3.0
    command_timeout_s: float = 5.0
    recycle_s: int = 1800
    role: str = ""  # taken on after logging in; empty: the login's own
    ask_before_use: bool = False  # a round trip more, and no stale connection after a restart
    by_keys: bool = False  # for statements about a few rows each, named by their keys


def create_engine(database_url: str, policy: PoolPolicy, application_name: str) -> AsyncEngine:
    """
    An engine for a ``postgresql://`` address; nothing is connected yet.

    Parameters never show in errors: they are patients' data.
    """
    settings = SERVER_SETTINGS | {
        "application_name": application_name,
        "statement_timeout": f"{int(policy.command_timeout_s * 1000)}ms",
    }
    if policy.role:
        settings["role"] = policy.role
    if policy.by_keys:
        settings |= BY_KEYS
    engine = create_async_engine(
        driver_url(database_url),
        pool_size=policy.size,
        max_overflow=policy.overflow,
        pool_timeout=policy.checkout_timeout_s,
        pool_recycle=policy.recycle_s,
        pool_use_lifo=True,
        pool_pre_ping=policy.ask_before_use,
        hide_parameters=True,
        connect_args={
            "timeout": policy.connect_timeout_s,
            "command_timeout": policy.command_timeout_s,
            "server_settings": settings,
        },
    )
    event.listen(engine.sync_engine, "checkout", _is_still_there)
    return engine


def _is_still_there(connection: AsyncAdapt_asyncpg_connection, *_: object) -> None:
    """
    What the server hung up on is known without asking it; a new one is made instead.

    As a rule it hung up on all of them: none that is older is lent any more.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def driver_url(database_url: str) -> str:
    """The same address with our driver named in it, whichever was before."""
    scheme, separator, rest = database_url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise ValueError("must be a postgresql:// address")
    return f"postgresql+asyncpg://{rest}"
