"""The screens' store in memory: the publish script's rules, told once more."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.projection import Claim, Landed, Outcome


@dataclass(slots=True)
class MemorySnapshotPublisher:
    """``shown`` is what screens read, ``events`` what consumers were told, oldest first."""

    shown: dict[SubjectId, Claim] = field(default_factory=dict)
    events: list[Claim] = field(default_factory=list)
    latest: SubjectId | None = None

    async def publish(self, claims: Sequence[Claim]) -> list[Outcome]:
        return [self._publish(claim) for claim in claims]

    def _publish(self, claim: Claim) -> Landed:
        known = self.shown.get(claim.subject)
        changed = known is None or known.fingerprint != claim.fingerprint
        if known is not None and age_of(known) >= age_of(claim):
            if age_of(known) > age_of(claim):
                return Landed.SUPERSEDED
            return Landed.CONFLICT if changed else Landed.DUPLICATE
        self.shown[claim.subject] = claim
        self._move_latest_to(claim)
        if not changed:
            return Landed.UNCHANGED
        self.events.append(claim)
        return Landed.WRITTEN

    def _move_latest_to(self, claim: Claim) -> None:
        if self.latest is None or as_of_ms(claim) >= as_of_ms(self.shown[self.latest]):
            self.latest = claim.subject


def age_of(claim: Claim) -> tuple[int, int]:
    """Greater is newer, whatever is in the document."""
    return claim.incarnation, claim.version


def as_of_ms(claim: Claim) -> int:
    as_of: int = json.loads(claim.document)["asOfMs"]
    return as_of
