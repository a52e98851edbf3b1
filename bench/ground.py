"""What every candidate runs on: servers of the run's own, a database each, processes that end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import asyncpg

from vitalrelay.embedded import EmbeddedPostgres, EmbeddedValkey

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).parent.parent
PATIENCE_S = 30.0
DURABLE = {
    "shared_buffers": "1GB",
    "max_connections": "200",
    "track_commit_timestamp": "on",
    "min_wal_size": "1GB",
    "max_wal_size": "4GB",
}
# A server that has run for a while has segments of its log to use again. One that has just been
# made would have to make each anew, and every commit waits for that: 50 ms, every 16 MB.
LOG_FILLED = """
    select count(pg_logical_emit_message(true, 'warm', repeat('x', 1000000)))
    from generate_series(1, 512)
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """PostgreSQL with ``fsync`` and ``synchronous_commit`` on, and Valkey, for one run."""

    postgres_url: str
    redis_url: str

    def empty_database(self, name: str) -> str:
        admin, _, _ = self.postgres_url.rpartition("/")
        run_sql(self.postgres_url, f'create database "{name}"')
        return f"{admin}/{name}"

    def database(self, name: str) -> str:
        """A fresh, migrated database."""
        url = self.empty_database(name)
        environment = {**os.environ, "DATABASE_URL": url}
        migrate = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        return url


@contextmanager
def ground() -> Iterator[Ground]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="vitalrelay-bench-")))
        directory.chmod(0o755)  # ours, made just now: the unprivileged servers must get through
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres", settings=DURABLE))
        valkey = stack.enter_context(EmbeddedValkey(directory / "redis"))
        for statement in (LOG_FILLED, "checkpoint", "checkpoint"):
            run_sql(postgres.url, statement)
        yield Ground(postgres.url, valkey.url)


def run_sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """One statement on a connection of its own."""

    async def run() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(run())


def elsewhere(module: str, order: "DataclassInstance", python: str = sys.executable) -> Any:
    """
    What a module of the bench says of an order, in a process of its own.

    So that the load's own work is not the service's.
    """
    command = [python, "-m", module, json.dumps(asdict(order))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@contextmanager
def process(
    arguments: Sequence[str], environment: Mapping[str, str], pass_fds: Sequence[int] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of ours, ended by its id when the block is left."""
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if "BENCH_VERBOSE" not in os.environ else None,
        pass_fds=pass_fds,
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for(url: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        if time.monotonic() > until:
            raise TimeoutError(f"{url} does not answer")
        time.sleep(0.1)
