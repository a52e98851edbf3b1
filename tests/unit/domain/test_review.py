"""The review item of an encounter: opened by the risk, moved by it, ended by evidence."""

import pytest

from tests.support import MINUTE_MS, NOW_MS, SEVEN, a_review_item, an_assessment
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.packet import EncounterId
from vitalrelay.domain.review import ReviewItem, ReviewState, review_after

HIGH, MEDIUM = RiskLevel.HIGH, RiskLevel.MEDIUM
LOW_MEDIUM, LOW, UNKNOWN = RiskLevel.LOW_MEDIUM, RiskLevel.LOW, RiskLevel.UNKNOWN
OPEN, RESOLVED, CLOSED = ReviewState.OPEN, ReviewState.RESOLVED, ReviewState.CLOSED
ALL_BUT_TEMPERATURE = [name for name in SEVEN if name != "temperature"]
LATER_MS = NOW_MS + MINUTE_MS


def after(item: ReviewItem | None, level: RiskLevel, known=SEVEN) -> ReviewItem | None:
    return review_after(item, an_assessment(level, known=known), EncounterId("p-0042"), LATER_MS)


@pytest.mark.parametrize("level", [HIGH, MEDIUM, LOW_MEDIUM])
def test_an_item_opens_with_the_level_as_its_priority(level):
    item = after(None, level, known=ALL_BUT_TEMPERATURE)

    assert item == a_review_item(level, OPEN, updated_ms=LATER_MS, known=ALL_BUT_TEMPERATURE)


@pytest.mark.parametrize("level", [LOW, UNKNOWN])
def test_no_item_opens_for_what_no_clinician_has_to_see(level):
    item = after(None, level)

    assert item is None


def test_there_is_one_item_per_encounter():
    items = [a_review_item(encounter=encounter) for encounter in ("e-1", "e-1", "e-2")]

    assert [item.id for item in items] == ["review:e-1", "review:e-1", "review:e-2"]


@pytest.mark.parametrize("level", [HIGH, MEDIUM, LOW_MEDIUM])
@pytest.mark.parametrize("state", [OPEN, RESOLVED])
def test_the_same_level_again_moves_nothing(level, state):
    item = a_review_item(level, state)

    same = after(item, level)

    assert same is item


@pytest.mark.parametrize(("before", "level"), [(LOW_MEDIUM, MEDIUM), (MEDIUM, HIGH)])
@pytest.mark.parametrize("known", [SEVEN, ALL_BUT_TEMPERATURE])
def test_a_rising_level_moves_the_item_up_however_little_is_known(before, level, known):
    item = a_review_item(before)

    moved = after(item, level, known=known)

    assert moved == a_review_item(level, updated_ms=LATER_MS)


@pytest.mark.parametrize(("before", "level"), [(HIGH, MEDIUM), (MEDIUM, LOW_MEDIUM)])
def test_a_falling_level_moves_the_item_down(before, level):
    item = a_review_item(before)

    moved = after(item, level)

    assert moved == a_review_item(level, OPEN, updated_ms=LATER_MS)


def test_a_low_level_closes_the_item():
    item = a_review_item(HIGH)

    closed = after(item, LOW)

    assert closed == a_review_item(HIGH, CLOSED, updated_ms=LATER_MS)


@pytest.mark.parametrize("level", [MEDIUM, LOW_MEDIUM, LOW, UNKNOWN])
def test_an_assessment_that_knows_less_than_the_opening_one_neither_lowers_nor_closes(level):
    item = a_review_item(HIGH, known=SEVEN)

    same = after(item, level, known=ALL_BUT_TEMPERATURE)

    assert same is item


def test_as_much_as_the_opening_assessment_knew_is_enough_to_close():
    opened = after(None, MEDIUM, known=ALL_BUT_TEMPERATURE)
    raised = after(opened, HIGH, known=SEVEN)

    closed = after(raised, LOW, known=ALL_BUT_TEMPERATURE)

    assert closed.state is CLOSED


def test_what_a_person_resolved_stays_resolved_while_the_level_falls():
    item = a_review_item(HIGH, RESOLVED, resolved_by="nurse-7")

    lower = after(item, MEDIUM)

    assert (lower.state, lower.resolved_by) == (RESOLVED, "nurse-7")


@pytest.mark.parametrize(("before", "level"), [(LOW_MEDIUM, MEDIUM), (MEDIUM, HIGH)])
def test_what_a_person_resolved_opens_again_when_the_level_rises(before, level):
    item = a_review_item(before, RESOLVED, resolved_by="nurse-7")

    reopened = after(item, level, known=ALL_BUT_TEMPERATURE)

    assert reopened == a_review_item(level, OPEN, updated_ms=LATER_MS, known=ALL_BUT_TEMPERATURE)
    assert reopened.resolved_by is None


def test_a_rise_counts_from_the_level_to_which_the_risk_had_fallen():
    resolved = a_review_item(HIGH, RESOLVED)
    fallen = after(resolved, MEDIUM)

    risen = after(fallen, HIGH)

    assert (risen.state, risen.priority) == (OPEN, HIGH)


@pytest.mark.parametrize("level", [HIGH, MEDIUM, LOW_MEDIUM])
def test_a_closed_item_opens_again_when_the_risk_returns(level):
    closed = a_review_item(HIGH, CLOSED)

    reopened = after(closed, level)

    assert reopened == a_review_item(level, OPEN, updated_ms=LATER_MS)


@pytest.mark.parametrize("level", [LOW, UNKNOWN])
def test_a_closed_item_stays_closed_while_the_risk_is_low(level):
    closed = a_review_item(HIGH, CLOSED)

    same = after(closed, level)

    assert same is closed


def test_the_end_of_the_encounter_closes_the_item():
    item = a_review_item(MEDIUM)

    closed = item.closed(LATER_MS)

    assert closed == a_review_item(MEDIUM, CLOSED, updated_ms=LATER_MS)
