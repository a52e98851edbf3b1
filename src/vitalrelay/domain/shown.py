"""What a screen has against what it should have."""

from enum import StrEnum

from msgspec import Struct

from vitalrelay.domain.document import parse_document, without_envelope
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.packet import SubjectId


class Shown(Struct, frozen=True):
    """A document that is whole: its fingerprint was recomputed from its own content."""

    subject: SubjectId
    incarnation: int
    version: int
    fingerprint: str
    as_of_ms: int
    text: str


class Damaged(Struct, frozen=True):
    """There is something in the document's place, and it is not a document of ours."""


class Wanted(Struct, frozen=True):
    """The version that Postgres wants shown of a patient."""

    subject: SubjectId
    incarnation: int
    version: int
    fingerprint: str


class Difference(StrEnum):
    MISSING = "missing"
    STALE = "stale"  # an older version
    DIFFERENT = "different"  # this version, and other content
    AHEAD = "ahead"  # a newer one than Postgres knows: Postgres went back in time
    ORPHAN = "orphan"  # a document without a patient


def shown_from(subject: SubjectId, text: str) -> Shown | Damaged:
    """A stored document, believed only if it is about this patient and its fingerprint is true."""
    try:
        document = parse_document(text)
        if document["subjectId"] != subject:
            return Damaged()
        if fingerprint(canonical_json(without_envelope(document))) != document["fingerprint"]:
            return Damaged()
        return Shown(
            subject,
            int(document["incarnation"]),
            int(document["version"]),
            document["fingerprint"],
            int(document["asOfMs"]),
            text,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return Damaged()


def difference(wanted: Wanted, shown: Shown | Damaged | None) -> Difference | None:
    """None where the screen has what it should have."""
    if shown is None:
        return Difference.MISSING
    if isinstance(shown, Damaged):
        return Difference.DIFFERENT
    has, should = (shown.incarnation, shown.version), (wanted.incarnation, wanted.version)
    if has != should:
        return Difference.STALE if has < should else Difference.AHEAD
    return None if shown.fingerprint == wanted.fingerprint else Difference.DIFFERENT
