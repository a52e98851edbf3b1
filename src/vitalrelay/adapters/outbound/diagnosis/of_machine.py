"""What the doctor finds on this machine, without asking any server."""

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitalrelay.adapters.outbound.diagnosis.finding import Finding, judged

OLDEST_PYTHON = (3, 11)
PACKAGES = ("vitalrelay", "fastapi", "uvicorn", "sqlalchemy", "asyncpg", "alembic", "redis", "arq")
ROOM, HARDLY_ANY = 1 << 30, 100 << 20


def python() -> Finding:
    return judged(
        "python",
        sys.version_info >= OLDEST_PYTHON,
        f"{platform.python_implementation()} {platform.python_version()}",
        "use Python 3.11 or newer",
    )


def packages() -> Finding:
    found = {name: _version(name) for name in PACKAGES}
    detail = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    return judged("packages", None not in found.values(), detail, "make install")


def disk(directory: Path) -> Finding:
    """Of the directory, or of the nearest one above it that exists."""
    directory = directory.absolute()
    place = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / (1 << 30):.1f} GiB free at {place}"
    fix = "make room: PostgreSQL stops when its disk is full"
    return judged("disk", free >= ROOM, detail, fix, "warn" if free >= HARDLY_ANY else "fail")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
