"""Everybody who has to be there: started again when they die, sent home in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vitalrelay.adapters.inbound.cli.errors import CannotStart
from vitalrelay.embedded import EmbeddedServer, EmbeddedServerError
from vitalrelay.supervisor.events import tell
from vitalrelay.supervisor.process import Child, end
from vitalrelay.supervisor.told import Told

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STEADY_S = 10.0
API_ENDS_WITHIN_S = 4.0
RELAY_ENDS_WITHIN_S = 3.0


class Member(Protocol):
    @property
    def role(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def status(self) -> int | None: ...
    def alive(self) -> bool: ...
    def start(self) -> None:
        """Raises CannotStart."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server from a wheel. Starting it can take long, and ends early when told to stop."""

    role: str
    server: EmbeddedServer
    told: Told

    @property
    def pid(self) -> int | None:
        return self.server.pid

    @property
    def status(self) -> int | None:
        return None

    def alive(self) -> bool:
        return self.server.alive()

    def start(self) -> None:
        try:
            with self.told.interrupting():
                self.server.start()
        except EmbeddedServerError as error:
            raise CannotStart(str(error)) from None


class Kept:
    """A member; the pause before its next start doubles while it keeps dying young."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self._pause_s = FIRST_PAUSE_S
        self._due: float | None = None
        self._began = 0.0
        self._pid: int | None = None

    def start(self) -> None:
        self._began = time.monotonic()
        self.member.start()
        self._pid = self.member.pid

    def tend(self) -> bool:
        """Whether it was started again."""
        if self.member.alive():
            return False
        if self._due is None:
            self._mourn()
        elif time.monotonic() >= self._due:
            return self._start_again()
        return False

    def _mourn(self) -> None:
        fields = {"role": self.member.role, "pid": self._pid, "status": self.member.status}
        tell("process-ended", "warning", **fields)
        if time.monotonic() - self._began > STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        self._due = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _start_again(self) -> bool:
        before, self._due = self._pid, None
        try:
            self.start()
        except CannotStart as error:
            tell("process-not-restarted", "error", role=self.member.role, reason=str(error))
            return False
        fields = {"role": self.member.role, "pid": self._pid, "previousPid": before}
        tell("process-restarted", "warning", **fields)
        return True


class Crew:
    def __init__(self, changed: Callable[[dict[str, object]], None]) -> None:
        self._changed = changed
        self._kept: list[Kept] = []

    def take_on(self, member: Member) -> None:
        kept = Kept(member)
        self._kept.append(kept)
        kept.start()
        tell("process-started", role=member.role, pid=member.pid)
        self._changed(self.pids())

    def tend(self) -> None:
        for kept in self._kept:
            if kept.tend():
                self._changed(self.pids())

    def pids(self) -> dict[str, object]:
        one = {member.role: member.pid for member in self._members() if isinstance(member, Server)}
        many = {
            role: [child.pid for child in self.children(role) if child.pid]
            for role in ("api", "relay")
        }
        return {**many, "postgres": one.get("postgres"), "redis": one.get("redis")}

    def children(self, role: str) -> list[Child]:
        return [one for one in self._members() if isinstance(one, Child) and one.role == role]

    def go_home(self) -> None:
        """API, relay, then the servers, the last that came first."""
        tell("stopping")
        end(self.children("api"), API_ENDS_WITHIN_S)
        end(self.children("relay"), RELAY_ENDS_WITHIN_S)
        for member in reversed(self._members()):
            if isinstance(member, Server):
                member.server.stop()
        tell("stopped")

    def _members(self) -> list[Member]:
        return [kept.member for kept in self._kept]
