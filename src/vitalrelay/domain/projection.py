"""What a screen is owed, what came of publishing it once, and what we do about that."""

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum, StrEnum
from typing import NewType, assert_never
from uuid import UUID

from msgspec import Struct

from vitalrelay.domain.packet import SubjectId

Lease = NewType("Lease", UUID)
ProjectionId = NewType("ProjectionId", str)


def projection_id(subject: SubjectId) -> ProjectionId:
    return ProjectionId(f"monitoring-snapshot:{subject}")


class Landed(Enum):
    """The store was reached, and this is how our version compared with its own."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"


class Refused(Struct, frozen=True):
    """The store will not have this document; it may have others."""

    reason: str


class Unreachable(Struct, frozen=True):
    """The store did not answer, or could not have answered anybody."""

    reason: str


Outcome = Landed | Refused | Unreachable


class Published(Struct, frozen=True):
    pass


class RetryLater(Struct, frozen=True):
    after: timedelta
    reason: str


class GiveUp(Struct, frozen=True):
    reason: str


class HandBack(Struct, frozen=True):
    """Due again after the pause, with the attempt restored: an outage is nobody's failure."""

    after: timedelta
    reason: str


Verdict = Published | RetryLater | GiveUp | HandBack


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Delays double from ``first_delay`` to ``longest_delay``; the database adds the jitter."""

    max_attempts: int
    first_delay: timedelta
    longest_delay: timedelta
    outage_pause: timedelta

    def delay_after(self, attempt: int) -> timedelta | None:
        """How long to wait after this attempt was refused; None when it was the last."""
        if attempt >= self.max_attempts:
            return None
        return min(self.first_delay * (1 << min(attempt - 1, 20)), self.longest_delay)


class Claim(Struct, frozen=True, kw_only=True):
    """One patient's wanted snapshot, ours to publish while the lease lasts."""

    subject: SubjectId
    incarnation: int
    version: int
    fingerprint: str
    document: str  # JSON without the envelope; it is passed on, never looked into
    attempt: int  # 1 the first time; counted when claimed, so that a crash counts too
    lease: Lease

    def judge(self, outcome: Outcome, retry: RetryPolicy) -> Verdict:
        match outcome:
            case Landed.WRITTEN | Landed.UNCHANGED | Landed.DUPLICATE:
                return Published()
            case Landed.SUPERSEDED:  # settles only a row that still wants this version
                return GiveUp("superseded: the store is ahead of the database")
            case Landed.CONFLICT:
                return GiveUp("conflict: the store has this version with other content")
            case Refused(reason):
                delay = retry.delay_after(self.attempt)
                return GiveUp(reason) if delay is None else RetryLater(delay, reason)
            case Unreachable(reason):
                return HandBack(retry.outage_pause, reason)
            case _:
                assert_never(outcome)


class ProjectionStatus(StrEnum):
    """Owed and not yet tried; shown; tried, and why it did not succeed is in ``last_error``."""

    PENDING = "pending"
    PUBLISHED = "published"
    FAILED = "failed"


class Judged(Struct, frozen=True):
    """A claim that was tried: what the store said, and what is to become of it."""

    claim: Claim
    outcome: Outcome
    verdict: Verdict


class RelayReport(Struct, frozen=True):
    """What one turn of the relay came to."""

    published: int = 0
    retried: int = 0
    handed_back: int = 0
    given_up: int = 0
    lost: int = 0  # settled by somebody else, or no longer wanted, by the time we knew
    outcomes: tuple[Outcome, ...] = ()

    @property
    def claimed(self) -> int:
        return self.published + self.retried + self.handed_back + self.given_up

    @property
    def worth_repeating(self) -> bool:
        """There may be more that is due, and the store can be reached."""
        return self.claimed > 0 and self.handed_back == 0

    @classmethod
    def of(cls, judged: Sequence[Judged], settled: int) -> "RelayReport":
        verdicts = [type(one.verdict) for one in judged]
        return cls(
            published=verdicts.count(Published),
            retried=verdicts.count(RetryLater),
            handed_back=verdicts.count(HandBack),
            given_up=verdicts.count(GiveUp),
            lost=len(judged) - settled,
            outcomes=tuple(one.outcome for one in judged),
        )
