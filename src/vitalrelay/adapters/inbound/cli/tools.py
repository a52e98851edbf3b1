"""What commands have done by others: whoever calls the console hands it in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:  # --help need not wait for it
    from subprocess import Popen

    from vitalrelay.usecases.inspect_projections import InspectProjections
    from vitalrelay.usecases.reconcile_snapshots import ReconcileSnapshots
    from vitalrelay.usecases.verify import Verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The use cases of whoever is at a terminal."""

    projections: "InspectProjections"
    reconcile: "ReconcileSnapshots"
    verify: "Verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateOptions:
    revision: str
    wait_s: float
    only_sql: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """From where to where; or the statements, if those were all that was asked for."""

    before: str | None = None
    after: str | None = None
    sql: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """Port 0 takes a free one."""

    data_dir: Path
    host: str
    port: int
    api_workers: int
    relay_workers: int
    postgres_port: int
    redis_port: int


class Finding(Protocol):
    """One check of the doctor's; ``fix`` says what to do where it did not pass."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def fix(self) -> str: ...


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """``value`` without its secrets; ``source`` is environment or default."""

    name: str
    value: str
    source: str


class StartProcess(Protocol):
    def __call__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], stdout: int, stderr: int
    ) -> "Popen[bytes]":
        """One of our own commands, in a session of its own; it ends when we do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Each of them raises CommandFailed for whatever a user can cause."""

    api: Callable[[str, int], None]
    worker: Callable[[], None]
    migrate: Callable[[MigrateOptions], Migrated]
    up: Callable[[UpOptions], None]
    start: StartProcess
    operations: Callable[[], AbstractAsyncContextManager[Operations]]
    diagnose: Callable[[bool, Path], Awaitable[Sequence[Finding]]]
    settings: Callable[[], Sequence[EffectiveSetting]]


def tools_of(context: typer.Context) -> Tools:
    tools = context.obj
    assert isinstance(tools, Tools), "whoever calls the console brings the tools"
    return tools
