"""Each import contract holds; and each has been seen to fail, over one import too many."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.reading import ROOT

INWARDS = "Imports point inwards"
APART = "Inbound and outbound adapters never meet"
CORE = "The core knows no framework, no driver and no persistence"
SERVERS = "Only outbound adapters talk to the servers"
GENERIC = "Persistence knows no patient"

DOMAIN, PORT = "domain/packet.py", "ports/unit_of_work.py"
USECASE, REPLAY = "usecases/ingest_packets.py", "replay/chance.py"
INBOUND, OUTBOUND = "adapters/inbound/delivery.py", "adapters/outbound/redis/keys.py"
OF_CORE = (DOMAIN, PORT, USECASE)
LATE = "def late():\n    import {}\n"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n"

FRAMEWORKS = (
    "alembic",
    "arq",
    "asyncpg",
    "fastapi",
    "persistence.engine",
    "prometheus_client",
    "pydantic",
    "redis.asyncio",
    "sqlalchemy.ext.asyncio",
    "structlog",
)
OF_SERVERS = ("arq", "asyncpg", "persistence.retry", "redis.asyncio", "sqlalchemy")
SERVER_PACKAGES = tuple(name.partition(".")[0] for name in OF_SERVERS)

OUTWARDS = [
    (DOMAIN, "vitalrelay.ports.ledger"),
    (DOMAIN, "vitalrelay.usecases.relay_projections"),
    (PORT, "vitalrelay.usecases.relay_projections"),
    (USECASE, "vitalrelay.adapters.outbound.redis.keys"),
    (USECASE, "vitalrelay.replay.chance"),
    (REPLAY, "vitalrelay.usecases.read_snapshots"),
    (OUTBOUND, "vitalrelay.replay.chance"),
    (OUTBOUND, "vitalrelay.embedded.errors"),
    ("adapters/inbound/jobs.py", "vitalrelay.embedded.errors"),
    ("settings.py", "vitalrelay.embedded.errors"),
    ("settings.py", "vitalrelay.startup"),
    ("embedded/errors.py", "vitalrelay.settings"),
    ("startup.py", "vitalrelay.bootstrap"),
    ("bootstrap.py", "workers"),
]


def case(path: str, imports: str, *broken: str, how: str = "import {}\n") -> object:
    where = path if path.startswith(("persistence", "workers")) else f"vitalrelay/{path}"
    return pytest.param(where, how.format(imports), set(broken), id=f"{path} -> {imports}")


def broken_by(framework: str, at: int) -> tuple[str, ...]:
    """A port is in inbound hands, too, by way of a use case: a server's driver would be as well."""
    at_hand = OF_CORE[at % 3] == PORT and framework.startswith(SERVER_PACKAGES)
    return (CORE, SERVERS) if at_hand else (CORE,)


BREAKS = [
    *(case(path, imports, INWARDS) for path, imports in OUTWARDS),
    case(DOMAIN, "vitalrelay.adapters.outbound.redis.keys", INWARDS, APART),
    case(REPLAY, "vitalrelay.adapters.outbound.redis.keys", INWARDS, APART),
    case(INBOUND, "vitalrelay.settings", INWARDS, how=LATE),
    case(DOMAIN, "vitalrelay.ports.records", INWARDS, how=FOR_TYPES),
    case(INBOUND, "vitalrelay.adapters.outbound.redis.keys", APART),
    case(OUTBOUND, "vitalrelay.adapters.inbound.group_commit", APART, INWARDS),
    *(case(OF_CORE[at % 3], name, *broken_by(name, at)) for at, name in enumerate(FRAMEWORKS)),
    case(USECASE, "vitalrelay.adapters.outbound.postgres.tables", CORE, INWARDS),
    *(case(INBOUND, name, SERVERS) for name in OF_SERVERS),
    case(INBOUND, "vitalrelay.adapters.outbound.postgres.tables", SERVERS, APART),
    case("persistence/retry.py", "vitalrelay.domain.errors", GENERIC),
    case("persistence/retry.py", "workers", GENERIC, INWARDS, how=LATE),
]


def broken_in(checkout: Path) -> set[str]:
    """The contracts that lint-imports reports as broken; it must have come to a verdict."""
    program = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run(
        [program, "--no-cache", "--no-logo"],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((f"{checkout}/src", str(checkout)))},
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = re.search(r"^Contracts: \d+ kept, (\d+) broken\.$", found.stdout, re.MULTILINE)
    assert verdict is not None, found.stdout + found.stderr
    broken = set(re.findall(r"^(.+) BROKEN(?: \[.+\])?$", found.stdout, re.MULTILINE))
    assert len(broken) == int(verdict.group(1)), found.stdout
    assert (found.returncode != 0) == bool(broken)
    return broken


def contracts() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the contracts are about, to do as one likes with."""
    for name in ("src", "workers"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_holds() -> None:
    assert broken_in(ROOT) == set()


@pytest.mark.parametrize(("path", "line", "expected"), BREAKS)
def test_one_forbidden_import_breaks_its_contract(
    checkout: Path, path: str, line: str, expected: set[str]
) -> None:
    place = checkout if path.startswith("workers") else checkout / "src"
    module = place / path
    module.write_text(f"{module.read_text()}\n{line}")

    broken = broken_in(checkout)

    assert broken == expected


def test_every_contract_is_broken_by_some_test() -> None:
    seen = set().union(*(breaks.values[2] for breaks in BREAKS))

    assert seen == set(contracts())
