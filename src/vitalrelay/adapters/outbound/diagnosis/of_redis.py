"""What the doctor finds in Redis: what it forgets, and whether it runs our script."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from vitalrelay.adapters.outbound.diagnosis.finding import Finding, judged, skipped
from vitalrelay.adapters.outbound.redis.snapshot_publisher import PUBLISH_SNAPSHOT

AFTER_CONNECTING = ("redis-eviction", "redis-persistence", "redis-cluster", "redis-script")

Info = Mapping[str, Any]


async def of_redis(redis: Redis) -> list[Finding]:
    try:
        info: Info = await redis.info("everything")
    except (RedisError, OSError) as error:
        fix = "see that it runs, that REDIS_URL leads to it, and that the login is right"
        away = Finding("redis", "fail", f"does not answer: {type(error).__name__}", fix)
        return [away, *skipped("Redis does not answer", *AFTER_CONNECTING)]
    return [
        _server(info),
        _eviction(info),
        await _persistence(redis, info),
        _cluster(info),
        await _script(redis),
    ]


def _server(info: Info) -> Finding:
    valkey = info.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version', '?')}"
    role = str(info.get("role", "master"))
    fix = "let REDIS_URL lead to the primary"
    return judged("redis", role == "master", f"{name}, {role}", fix)


def _eviction(info: Info) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    fix = "set maxmemory-policy to noeviction: others drop what screens show"
    return judged("redis-eviction", policy == "noeviction", policy, fix, "warn")


async def _persistence(redis: Redis, info: Info) -> Finding:
    appends = bool(info.get("aof_enabled"))
    try:
        saves = bool((await redis.config_get("save")).get("save"))
    except RedisError:
        saves = False  # hosted servers do not tell
    words = [word for word, on in (("append-only file", appends), ("snapshots", saves)) if on]
    detail = " and ".join(words) or "nothing is kept over a restart"
    fix = "set appendonly yes: until all is owed again, screens are empty after a restart"
    return judged("redis-persistence", appends or saves, detail, fix, "warn")


def _cluster(info: Info) -> Finding:
    clustered = bool(info.get("cluster_enabled"))
    fix = "use one that is not clustered: arq, which wakes the workers, cannot use a cluster"
    return judged("redis-cluster", not clustered, "on" if clustered else "off", fix)


async def _script(redis: Redis) -> Finding:
    try:
        await redis.script_load(PUBLISH_SNAPSHOT)
    except RedisError as error:
        fix = "allow our user the commands SCRIPT and EVALSHA"
        return Finding("redis-script", "fail", f"refused: {type(error).__name__}", fix)
    return Finding("redis-script", "pass", "the publish script can be loaded")
