"""The environment, read once, at the edge; the rest of the house gets plain values."""

import os
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "VITALRELAY_"
BARE = ("DATABASE_URL", "REDIS_URL")


class WrongSetting(Exception):
    """A setting is wrong; one line, which names it and does not show it."""


def _postgres(url: SecretStr) -> SecretStr:
    if not _is_address(url, ("postgresql", "postgres")):
        raise ValueError("must be like postgresql://user:password@host:5432/database")
    return url


def _redis(url: SecretStr) -> SecretStr:
    if not _is_address(url, ("redis", "rediss", "unix")):
        raise ValueError("must be like redis://host:6379/0")
    return url


def _is_address(url: SecretStr, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url.get_secret_value())
        _ = parts.port  # reading it is what checks it
    except ValueError:
        return False
    return parts.scheme in schemes


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """
    Every setting with its default; docs/configuration.md is checked against this class.

    Times are in seconds. Secrets show as asterisks wherever they are printed.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, hide_input_in_errors=True, frozen=True, extra="ignore"
    )

    database_url: Annotated[SecretStr, AfterValidator(_postgres)] = Field(
        validation_alias="DATABASE_URL",
        description="PostgreSQL: postgresql://user:password@host/db",
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis)] = Field(
        validation_alias="REDIS_URL", description="Redis or Valkey: redis://host:port/0"
    )
    key_prefix: str = Field(
        "patient-risk",
        pattern=r"^[A-Za-z0-9._{}-]{1,64}$",
        description="What every Redis key begins with; on a cluster a hash tag: {patient-risk}",
    )
    auto_create_schema: bool = Field(
        False, description="Create missing tables at start-up; for demos only, never a migration"
    )
    simulated_allowed: bool = Field(
        False, description="Accept signals of quality simulated; for demos only"
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error"
    )

    group_most: Count = Field(1024, description="Packets in one transaction at most")
    group_linger: Annotated[float, Field(ge=0)] = Field(
        0.003, description="How long a packet may wait for others to share its commit"
    )
    group_waiting: Count = Field(
        4096, description="Packets that may wait for a commit; with more, their senders wait"
    )
    group_at_once: Count = Field(2, description="Transactions of one API process at the same time")
    posts_at_once: Count = Field(
        1024, description="Packets sent one by one that one API process has in hand at a time"
    )
    posts_patience: Seconds = Field(
        10, description="How long such a packet waits for its turn before it is turned away"
    )
    body_timeout: Seconds = Field(10, description="How long a request body may stand still")
    drain_timeout: Seconds = Field(8, description="How long a stop waits for accepted requests")

    database_role: str = Field(
        "",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$|^$",
        description="Take on this role's rights after logging in: vitalrelay_app has no others",
    )
    pool_size: Count = Field(6, description="Connections to PostgreSQL per process, for the work")
    probe_pool_size: Count = Field(4, description="The same, for reads, readiness and on-call")
    postgres_timeout: Seconds = Field(5, description="How long one statement may take")
    postgres_connect_timeout: Seconds = Field(3, description="How long connecting may take")
    redis_connections: Count = Field(16, description="Connections to Redis per process")
    redis_timeout: Seconds = Field(2, description="How long one round trip to Redis may take")
    redis_connect_timeout: Seconds = Field(1, description="How long connecting to Redis may take")
    readiness_deadline: Seconds = Field(1, description="How long one readiness check may take")

    lease: Seconds = Field(5, description="How long a claim is left alone before others take it")
    relay_batch: Count = Field(500, description="Projections in one claim and one pipeline")
    max_attempts: Count = Field(20, description="Attempts before a projection is given up")
    first_delay: Seconds = Field(1, description="Back-off after the first refusal; then it doubles")
    longest_delay: Seconds = Field(60, description="Where the doubling ends")
    outage_pause: Seconds = Field(1, description="Pause of the breaker, and of what an outage hit")
    events_kept: Count = Field(100_000, description="About how many events the stream keeps")
    sweep_period: Seconds = Field(30, description="Time between comparisons of all patients")
    sweep_page: Count = Field(500, description="Patients compared in one step")

    news2_max_age: Seconds = Field(14_400, description="Older values are missing to NEWS2")
    alarm_rearm: Annotated[float, Field(ge=0)] = Field(
        60, description="A condition that returns within it continues its alarm; event time"
    )
    mute_longest: Count = Field(1_800, description="How long an alarm may be muted at most")
    no_data_after: Seconds | None = Field(
        None, description="Silence becomes an alarm; None: three of the patient's usual gaps"
    )
    not_monitored_after: Seconds = Field(
        86_400, description="Silence after which a patient counts as not monitored"
    )
    watch_batch: Count = Field(200, description="Patients looked at for silence in one step")
    action_keys_kept: Seconds = Field(
        86_400, description="How long an Idempotency-Key is known at least"
    )
    latest_version_wait: Seconds = Field(
        1, description="How long a read waits for atLeastVersion before it asks PostgreSQL"
    )
    stream_heartbeat: Seconds = Field(10, description="Time between heartbeats of an event stream")
    stream_clients: Count = Field(2_000, description="Event streams of one API process at once")

    def span(self, name: str) -> timedelta:
        """A time among the settings, as a timedelta."""
        return timedelta(seconds=getattr(self, name))


def read_settings() -> Settings:
    """Raises WrongSetting."""
    try:
        return Settings()
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False, include_context=False)
        name = str(first["loc"][0])
        name = name if name in BARE else PREFIX + name.upper()
        reason = "is required" if first["type"] == "missing" else first["msg"]
        raise WrongSetting(f"{name}: {reason}") from None


def unknown_variables() -> list[str]:
    """Names that look like ours and are not: most often a misspelt setting."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OF_COMMANDS
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


OF_COMMANDS = {
    PREFIX + "CHROMIUM",
    PREFIX + "REQUIRE_BROWSER",
    PREFIX + "REQUIRE_CLINICAL_DATA",
    PREFIX + "CREDENTIALS_FILE",
    PREFIX + "CLINICAL_DATA",
    PREFIX + "API_URL",
    PREFIX + "ALEMBIC_INI",
    PREFIX + "READY_FD",
}
