"""The review item of an encounter: opened by the risk, moved by it, ended by evidence."""

import pytest

from tests.support import MINUTE_MS, NOW_MS, SEVEN, a_review_item, an_assessment
from tests.unit.domain.bedside import Bedside
from vitalrelay.domain.actions import ResolveReview
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.errors import NotPossible
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


class TestAPersonsAnswer:
    @pytest.mark.parametrize("level", [HIGH, MEDIUM, LOW_MEDIUM])
    def test_an_open_item_is_resolved_by_who_looked_at_it(self, level):
        item = a_review_item(level, OPEN, known=ALL_BUT_TEMPERATURE)

        resolved = item.resolved("nurse-9", LATER_MS)

        assert resolved == a_review_item(
            level,
            RESOLVED,
            updated_ms=LATER_MS,
            known=ALL_BUT_TEMPERATURE,
            resolved_by="nurse-9",
        )

    def test_resolving_it_twice_is_nothing_new(self):
        item = a_review_item(HIGH, RESOLVED, resolved_by="nurse-7")

        same = item.resolved("nurse-9", LATER_MS)

        assert same is item

    def test_what_is_closed_cannot_be_resolved(self):
        item = a_review_item(HIGH, CLOSED)

        with pytest.raises(NotPossible) as refused:
            item.resolved("nurse-9", LATER_MS)

        assert refused.value.state == "closed"

    def test_once_the_risk_is_gone_a_resolved_item_is_closed_and_may_open_again(self):
        item = a_review_item(MEDIUM, RESOLVED)

        closed = after(item, LOW)
        again = after(closed, LOW_MEDIUM)

        assert (closed.state, closed.resolved_by) == (CLOSED, "nurse-7")
        assert again == a_review_item(LOW_MEDIUM, OPEN, updated_ms=LATER_MS)


def reviewed_bedside(level=MEDIUM) -> Bedside:
    """Somebody looked at this patient's risk, and resolved the item."""
    bedside = Bedside()
    bedside.sees(an_assessment(level), 0, encounter="e-1")
    bedside.acts(ResolveReview(about="review:e-1", note="seen, fluids given"), by="nurse-7")
    return bedside


class TestOnTheChart:
    def test_the_answer_is_in_the_snapshot_and_in_the_trail(self):
        bedside = reviewed_bedside()

        item, record = bedside.snapshot.review, bedside.events[-1].record()
        assert (item.state, item.resolved_by) == (RESOLVED, "nurse-7")
        assert (record["reviewItemId"], record["action"]) == ("review:e-1", "resolved")
        assert (record["actorRef"], record["reason"]) == ("nurse-7", "seen, fluids given")
        assert (record["previous"]["state"], record["current"]["state"]) == ("open", "resolved")
        assert "alarmId" not in record
        assert bedside.broken() == 0

    def test_it_ends_no_alarm(self):
        bedside = reviewed_bedside(HIGH)

        assert [alarm.state for alarm in bedside.snapshot.alarms] == ["active"]

    def test_a_second_answer_is_nothing_new(self):
        bedside = reviewed_bedside()
        told = len(bedside.events)

        bedside.acts(ResolveReview(about="review:e-1", note="again"), by="nurse-9")

        assert bedside.snapshot.review.resolved_by == "nurse-7"
        assert len(bedside.events) == told

    @pytest.mark.parametrize("level", [MEDIUM, LOW_MEDIUM])
    def test_it_stays_resolved_while_the_risk_does_not_rise(self, level):
        bedside = reviewed_bedside()

        for at_s in (10, 20):
            bedside.sees(an_assessment(level), at_s, encounter="e-1")

        assert bedside.snapshot.review.state is RESOLVED

    def test_it_comes_back_when_the_risk_rises_again(self):
        bedside = reviewed_bedside()
        bedside.sees(an_assessment(HIGH), 10, encounter="e-1")

        item = bedside.snapshot.review

        assert (item.state, item.priority, item.resolved_by) == (OPEN, HIGH, None)
        assert item.updated_ms == NOW_MS + 10_000

    def test_it_comes_back_when_the_risk_had_fallen_in_between(self):
        bedside = reviewed_bedside()
        bedside.sees(an_assessment(LOW_MEDIUM), 10, encounter="e-1")

        bedside.sees(an_assessment(MEDIUM), 20, encounter="e-1")

        assert (bedside.snapshot.review.state, bedside.snapshot.review.priority) == (OPEN, MEDIUM)

    def test_what_came_back_can_be_resolved_again(self):
        bedside = reviewed_bedside()
        bedside.sees(an_assessment(HIGH), 10, encounter="e-1")

        bedside.acts(ResolveReview(about="review:e-1", note="seen"), by="nurse-9")

        assert bedside.snapshot.review.resolved_by == "nurse-9"
        assert [event.about for event in bedside.events].count("review:e-1") == 2

    @pytest.mark.parametrize("about", ["review:e-1", "review:e-9"])
    def test_an_item_of_another_encounter_is_closed(self, about: str):
        bedside = Bedside()
        bedside.sees(an_assessment(HIGH), 0, encounter="e-1")
        bedside.sees(an_assessment(HIGH), 10, encounter="e-2")

        with pytest.raises(NotPossible) as refused:
            bedside.acts(ResolveReview(about=about, note="seen"), by="nurse-7")

        assert refused.value.state == "closed"

    def test_nobody_answers_what_was_never_asked(self):
        bedside = Bedside()
        bedside.sees(an_assessment(LOW), 0, encounter="e-1")

        with pytest.raises(NotPossible):
            bedside.acts(ResolveReview(about="review:e-1", note="seen"), by="nurse-7")
