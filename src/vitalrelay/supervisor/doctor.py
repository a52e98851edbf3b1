"""``vitalrelay doctor``: every check is made, whatever the others found."""

from collections.abc import Sequence
from pathlib import Path

from persistence.engine import PoolPolicy, create_engine
from persistence.redis_client import RedisPolicy, create_redis
from vitalrelay.adapters.outbound.diagnosis import of_machine
from vitalrelay.adapters.outbound.diagnosis.finding import Finding, judged, skipped
from vitalrelay.adapters.outbound.diagnosis.of_postgres import (
    AFTER_SCHEMA,
    of_postgres,
    of_relay,
)
from vitalrelay.adapters.outbound.diagnosis.of_redis import of_redis
from vitalrelay.embedded import missing_wheels
from vitalrelay.settings import Settings, WrongSetting, read_settings, unknown_variables

OURS = {"VITALRELAY_ALEMBIC_INI"}
SET_IT = "correct it; docs/configuration.md describes each. vitalrelay up sets its own addresses"


async def diagnose(only_ingest: bool, data_dir: Path) -> Sequence[Finding]:
    findings = [of_machine.python(), of_machine.packages(), of_machine.disk(data_dir)]
    findings += [_variables(), _wheels()]
    try:
        settings = read_settings()
    except WrongSetting as error:
        return [*findings, Finding("settings", "fail", str(error), SET_IT)]
    findings.append(Finding("settings", "pass", "all can be read"))
    findings += await _postgres(settings, only_ingest)
    return findings if only_ingest else findings + await _redis(settings)


def _variables() -> Finding:
    unknown = [name for name in unknown_variables() if name not in OURS]
    detail = ", ".join(unknown) or "none"
    fix = "see whether they are misspelt: nobody reads them"
    return judged("unknown-variables", not unknown, detail, fix, "warn")


def _wheels() -> Finding:
    missing = missing_wheels()
    detail = f"missing: {', '.join(missing)}" if missing else "PostgreSQL and Valkey are there"
    fix = "; ".join(missing.values())
    return judged("embedded-servers", not missing, detail, fix, "warn")


async def _postgres(settings: Settings, only_ingest: bool) -> list[Finding]:
    policy = PoolPolicy(
        size=1, connect_timeout_s=settings.postgres_connect_timeout, role=settings.database_role
    )
    engine = create_engine(settings.database_url.get_secret_value(), policy, "vitalrelay-doctor")
    try:
        each = settings.pool_size + settings.probe_pool_size
        findings = await of_postgres(engine, each)
        if only_ingest:
            return findings
        if findings[-1].status == "pass":
            return findings + await of_relay(engine, settings.span("sweep_period"))
        return findings + skipped("there is no schema to look into", *AFTER_SCHEMA)
    finally:
        await engine.dispose()


async def _redis(settings: Settings) -> list[Finding]:
    policy = RedisPolicy(connect_timeout_s=settings.redis_connect_timeout)
    redis = create_redis(settings.redis_url.get_secret_value(), policy)
    try:
        return await of_redis(redis)
    finally:
        await redis.aclose()
