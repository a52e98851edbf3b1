"""One check and its result. A warning does not stop the work; a failure does."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    status: Status
    detail: str
    fix: str = ""


def judged(name: str, fine: bool, detail: str, fix: str, otherwise: Status = "fail") -> Finding:
    """A pass, which needs no fix; or what it is otherwise, with one."""
    return Finding(name, "pass", detail) if fine else Finding(name, otherwise, detail, fix)


def skipped(reason: str, *names: str) -> list[Finding]:
    return [Finding(name, "skip", reason) for name in names]
