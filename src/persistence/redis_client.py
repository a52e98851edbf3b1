"""The Redis side: one client, every wait with an end, no retry behind anybody's back."""

from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPolicy:
    """How many connections, and how long anything may take, in seconds."""

    max_connections: int = 16
    connect_timeout_s: float = 1.0
    answer_timeout_s: float = 2.0
    idle_check_s: int = 15


def create_redis(redis_url: str, policy: RedisPolicy) -> Redis:
    """
    A client that answers in bytes; nothing is connected yet.

    It repeats nothing by itself: whether a command may be repeated, only its sender knows.
    """
    pool = BlockingConnectionPool.from_url(
        redis_url,
        max_connections=policy.max_connections,
        timeout=policy.answer_timeout_s,
        socket_timeout=policy.answer_timeout_s,
        socket_connect_timeout=policy.connect_timeout_s,
        socket_keepalive=True,
        health_check_interval=policy.idle_check_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
    )
    return Redis.from_pool(pool)
