"""What the gateway is told of its packet."""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.packet import Packet, PacketId, Received, SubjectId
from vitalrelay.domain.projection import Claim


class Standing(Struct, frozen=True):
    """What is wanted on the patient's screens by now."""

    version: int
    fingerprint: str
    assessment: Assessment


class New(Struct, frozen=True):
    received: Received


class Duplicate(Struct, frozen=True):
    """
    Stored before with the same content; the receipt is the first one's, the standing today's.

    ``standing`` is None where the first one came in the same unit of work.
    """

    received_ms: int
    clock_suspect: bool
    standing: Standing | None


class Conflict(Struct, frozen=True):
    """Stored before with other content, and left as it was."""


Recorded = New | Duplicate | Conflict


class Stored(Struct, frozen=True):
    """The packet is safe: ``duplicate`` says whether it already was."""

    packet: PacketId
    subject: SubjectId
    received_ms: int
    clock_suspect: bool
    standing: Standing
    duplicate: bool


Receipt = Stored | Conflict


Standings = Mapping[SubjectId, Standing]


def standings_of(charts: Iterable[Chart], claims: Iterable[Claim]) -> Standings:
    assessments = {chart.subject: chart.snapshot.assessment for chart in charts}
    return {
        claim.subject: Standing(claim.version, claim.fingerprint, assessment)
        for claim in claims
        if (assessment := assessments[claim.subject]) is not None
    }


def receipts_of(
    packets: Sequence[Packet], recorded: Sequence[Recorded], standings: Standings
) -> list[Receipt]:
    """One receipt per packet, in their order; what was owed just now outdates what was before."""
    return [
        _receipt_of(packet, answer, standings)
        for packet, answer in zip(packets, recorded, strict=True)
    ]


def _receipt_of(packet: Packet, recorded: Recorded, standings: Standings) -> Receipt:
    match recorded:
        case New(received):
            received_ms, suspect = received.at_ms, received.clock_suspect
            standing = standings[packet.subject]
        case Duplicate(received_ms, suspect, before):
            standing = (
                standings[packet.subject]
                if before is None
                else standings.get(packet.subject, before)
            )
        case Conflict():
            return recorded
        case _:
            assert_never(recorded)
    duplicate = isinstance(recorded, Duplicate)
    return Stored(packet.id, packet.subject, received_ms, suspect, standing, duplicate)
