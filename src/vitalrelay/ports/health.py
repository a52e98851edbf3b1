"""Whether this process can do its work now."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Purpose(StrEnum):
    ALL = "all"
    INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Checked:
    """One dependency; ``failure`` is the class of the error, None where there is none."""

    name: str
    duration_ms: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: tuple[Checked, ...]
    duration_ms: int

    @property
    def failed(self) -> list[Checked]:
        return [checked for checked in self.checks if checked.failure is not None]


class Health(Protocol):
    async def check(self, purpose: Purpose) -> Readiness:
        """Ask everything this purpose needs, all at once, each with its own deadline."""
