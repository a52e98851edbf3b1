"""The console command: light to import, so that --help is there at once."""

import runpy
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from vitalrelay.adapters.inbound.cli.app import console
from vitalrelay.adapters.inbound.cli.errors import CannotStart, WrongUsage
from vitalrelay.adapters.inbound.cli.tools import (
    EffectiveSetting,
    Finding,
    Migrated,
    MigrateOptions,
    Operations,
    Tools,
    UpOptions,
)

if TYPE_CHECKING:
    from subprocess import Popen

    from vitalrelay.settings import Settings

# ruff: noqa: PLC0415 - each tool imports what it needs, and only when it is used

NEARBY = Path(".vitalrelay")


def main() -> None:
    console()(obj=tools(), prog_name="vitalrelay")


def tools() -> Tools:
    return Tools(
        api=api,
        worker=worker,
        migrate=migrate,
        up=up,
        start=start,
        operations=operations,
        diagnose=diagnose,
        settings=settings,
    )


def api(host: str, port: int) -> None:
    end_quietly_until_started()
    with wrong_settings_in_one_line():
        drain_timeout = read().drain_timeout

        from vitalrelay import bootstrap
        from vitalrelay.adapters.inbound.http.server import serve

        try:
            serve(bootstrap.api(), host, port, drain_timeout)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CannotStart(f"cannot listen on {host}, port {port}: {reason}") from None


def worker() -> None:
    """By its name: nothing of ours may import the workers."""
    end_quietly_until_started()
    with wrong_settings_in_one_line():
        read()
        runpy.run_module("workers", run_name="__main__")


def migrate(options: MigrateOptions) -> Migrated:
    from vitalrelay.supervisor import migration

    return migration.migrate(options)


def up(options: UpOptions) -> None:
    end_quietly_until_started()

    from vitalrelay.supervisor.up import up

    up(options)


@asynccontextmanager
async def operations() -> AsyncIterator[Operations]:
    with wrong_settings_in_one_line():
        use_nearby(NEARBY)
        settings = read()

        from vitalrelay import bootstrap
        from vitalrelay.adapters.outbound.postgres.schema import SchemaMismatch

        try:
            async with bootstrap.open_operations(settings) as opened:
                yield opened
        except SchemaMismatch as error:
            raise CannotStart(type(error).__doc__) from None


async def diagnose(only_ingest: bool, data_dir: Path) -> Sequence[Finding]:
    from vitalrelay.supervisor import doctor

    use_nearby(data_dir)
    return await doctor.diagnose(only_ingest, data_dir)


def settings() -> Sequence[EffectiveSetting]:
    with wrong_settings_in_one_line():
        use_nearby(NEARBY)

        from vitalrelay.supervisor.effective import effective_settings

        return effective_settings()


def start(
    arguments: Sequence[str], *, environment: Mapping[str, str], stdout: int, stderr: int
) -> "Popen[bytes]":
    from vitalrelay.supervisor.process import start_process

    return start_process(arguments, environment=environment, stdout=stdout, stderr=stderr)


def use_nearby(data_dir: Path) -> None:
    """For commands that ask or repair; whatever serves is told by the environment alone."""
    from vitalrelay.supervisor import nearby

    nearby.use_nearby(data_dir)


def read() -> "Settings":
    """Before anything that takes its time to import."""
    from vitalrelay.settings import read_settings

    return read_settings()


@contextmanager
def wrong_settings_in_one_line() -> Iterator[None]:
    from vitalrelay.settings import WrongSetting

    try:
        yield
    except WrongSetting as error:
        raise WrongUsage(str(error)) from None


def end_quietly_until_started() -> None:
    """What comes later has better ways to end; until it has come, there is nothing to finish."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
