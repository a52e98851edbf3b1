"""
Real PostgreSQL and real Valkey from wheels, for `vitalrelay up`, the demo and the tests.

They ask for no Docker, no root and no system packages, listen on loopback only, and keep what they
were told. Linux and macOS, wherever the wheels exist.
"""

from vitalrelay.embedded.errors import (
    AlreadyRunning,
    EmbeddedServerError,
    ServerDidNotStart,
    WheelMissing,
)
from vitalrelay.embedded.postgres import EmbeddedPostgres
from vitalrelay.embedded.programs import POSTGRES, VALKEY
from vitalrelay.embedded.server import EmbeddedServer
from vitalrelay.embedded.valkey import EmbeddedValkey

__all__ = [
    "AlreadyRunning",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "EmbeddedServerError",
    "EmbeddedValkey",
    "ServerDidNotStart",
    "WheelMissing",
    "missing_wheels",
]


def missing_wheels() -> dict[str, str]:
    """What cannot be started here, by the setting that makes it unnecessary: why, what to do."""
    return {wheel.setting: wheel.advice for wheel in (POSTGRES, VALKEY) if not wheel.installed}
