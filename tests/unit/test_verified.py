"""What was verified needs no second look; what differs from it in one byte gets one."""

import pytest

from tests.support import a_snapshot
from vitalrelay.adapters.outbound.redis.verified import Verified, shown_in
from vitalrelay.domain.document import document_of, with_envelope
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.shown import Damaged, Shown

PATIENT, OTHER, THIRD = map(SubjectId, ("p-1", "p-2", "p-3"))


def a_document(subject: SubjectId = PATIENT, heart_rate: int = 70, version: int = 1) -> bytes:
    """As the publish script stores it."""
    content = document_of(a_snapshot(version=version, subject=subject, heart_rate=heart_rate))
    canonical = canonical_json(content)
    return with_envelope(canonical, 1, version, fingerprint(canonical)).encode()


@pytest.fixture
def verified() -> Verified:
    return Verified(most=2)


def test_the_same_bytes_are_not_looked_at_again(verified: Verified) -> None:
    stored = a_document()
    first = verified(PATIENT, stored)

    again = verified(PATIENT, bytes(bytearray(stored)))

    assert isinstance(first, Shown)
    assert again is first


def test_a_newer_document_takes_the_place_of_the_older_one(verified: Verified) -> None:
    verified(PATIENT, a_document())
    newer = a_document(heart_rate=140, version=2)

    shown = verified(PATIENT, newer)

    assert shown == shown_in(PATIENT, newer)
    assert verified(PATIENT, newer) is shown


def test_one_byte_changed_is_seen_wherever_it_is(verified: Verified) -> None:
    """The fingerprint does not cover the envelope's two numbers, but they too are read anew."""
    stored = a_document()
    whole = verified(PATIENT, stored)
    forgeries = [
        stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :] for at in range(len(stored))
    ]

    found = [verified(PATIENT, forged) for forged in forgeries]

    assert found == [shown_in(PATIENT, forged) for forged in forgeries]
    assert whole not in found


def test_what_is_damaged_is_damaged_every_time(verified: Verified) -> None:
    forged = a_document().replace(b'"value":70', b'"value":71')

    found = [verified(PATIENT, forged) for _ in range(2)]

    assert found == [Damaged(), Damaged()]


def test_a_document_is_that_of_its_patient_alone(verified: Verified) -> None:
    stored = a_document()
    verified(PATIENT, stored)

    assert verified(OTHER, stored) == Damaged()


def test_so_many_are_remembered_and_those_read_last_stay(verified: Verified) -> None:
    documents = {subject: a_document(subject) for subject in (PATIENT, OTHER, THIRD)}
    known = {subject: verified(subject, documents[subject]) for subject in (PATIENT, OTHER)}
    verified(PATIENT, documents[PATIENT])

    verified(THIRD, documents[THIRD])

    assert verified(PATIENT, documents[PATIENT]) is known[PATIENT]
    assert verified(OTHER, documents[OTHER]) is not known[OTHER]
