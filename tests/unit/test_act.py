"""A clinician acts, told over memory."""

import pytest

from tests.support import LEASE, MINUTE_MS
from tests.worlds import MemoryWorld, a_reading, an_alarming_reading
from vitalrelay.domain.actions import Acknowledge, Action, Mute, ResolveReview
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.document import Document, parse_document
from vitalrelay.domain.errors import KeyReused, NotFound, NotPossible
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import Claim
from vitalrelay.usecases.act import Act
from vitalrelay.usecases.ingest_packets import IngestPackets

BY_NURSE = Signature(actor_ref="nurse-7", actor_role="clinician", client_ms=5, request_id="r-1")
SEE = Acknowledge(about="p-1:news2-high", reason="seen at bedside")
QUIET = Mute(about="p-1:news2-high", reason="at the bedside", for_ms=10 * MINUTE_MS)
DEALT_WITH = ResolveReview(about="review:p-1", note="fluids given")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
def act(world: MemoryWorld) -> Act:
    return Act(begin=world.begin, alarms=world.policy, lease_for=LEASE)


async def ingest(world: MemoryWorld, *packets: Packet) -> list[Claim]:
    take_in = IngestPackets(begin=world.begin, assess=News2(), lease_for=LEASE)
    _, claims = await take_in(packets)
    return claims


async def an_ill_patient(world: MemoryWorld, subject: str = "p-1") -> Claim:
    [claim] = await ingest(world, an_alarming_reading(subject, world.database.now_ms))
    return claim


def a_key(key: str = "k-1", **request: object) -> ActionKey:
    return ActionKey.of(key, "POST /v1/alarms/p-1:news2-high/acknowledge", request)


def signed_by(key: ActionKey) -> Signature:
    return Signature(actor_ref="nurse-7", actor_role="clinician", key=key.digest)


def state_of(answer: Document) -> str | None:
    return answer["thing"] and answer["thing"]["state"]


def on_screen(claim: Claim, condition: str = "news2-high") -> Document:
    [alarm] = [a for a in parse_document(claim.document)["alarms"] if a["condition"] == condition]
    return alarm


async def test_an_acknowledgement_is_kept_answered_and_owed(world: MemoryWorld, act: Act) -> None:
    before = await an_ill_patient(world)

    answer, [claim] = await act(SEE, BY_NURSE)

    assert (answer["outcome"], answer["about"], state_of(answer)) == (
        *("done", "p-1:news2-high", "acknowledged"),
    )
    assert answer["projection"] == {"projectionId": "monitoring-snapshot:p-1", "version": 2}
    assert (claim.version, claim.attempt) == (before.version + 1, 1)
    assert on_screen(claim)["acknowledgedBy"] == "nurse-7"


async def test_it_is_filed_with_who_did_it_and_why(world: MemoryWorld, act: Act) -> None:
    await an_ill_patient(world)
    await world.let_pass(LEASE)

    answer, _ = await act(SEE, BY_NURSE)

    event = world.database.audit[answer["eventId"]]
    record = event.record()
    assert (record["alarmId"], record["action"]) == ("p-1:news2-high", "acknowledged")
    assert (record["actorRef"], record["actorRole"]) == ("nurse-7", "clinician")
    assert (record["reason"], record["requestId"]) == ("seen at bedside", "r-1")
    assert (record["clientTimeMs"], record["occurredAtMs"]) == (5, world.database.now_ms)


async def test_what_was_seen_is_seen_after_the_next_packet_too(
    world: MemoryWorld, act: Act
) -> None:
    await an_ill_patient(world)
    await act(SEE, BY_NURSE)
    await world.let_pass(LEASE)

    after = await an_ill_patient(world)

    assert (after.version, on_screen(after)["state"]) == (3, "acknowledged")


async def test_an_action_meets_what_was_wanted_last_and_not_what_is_shown(
    world: MemoryWorld, act: Act
) -> None:
    await ingest(world, a_reading("p-1", world.database.now_ms))
    await world.let_pass(LEASE)
    await an_ill_patient(world)

    answer, [claim] = await act(SEE, BY_NURSE)

    assert answer["projection"]["version"] == claim.version == 3
    assert parse_document(claim.document)["vitals"]["heart_rate"]["value"] == 140


async def test_a_second_acknowledgement_changes_nothing_and_owes_nothing(
    world: MemoryWorld, act: Act
) -> None:
    await an_ill_patient(world)
    await act(SEE, BY_NURSE)
    told = dict(world.database.audit)

    answer, claims = await act(SEE, Signature(actor_ref="nurse-9", actor_role="clinician"))

    assert (answer["outcome"], answer["eventId"], claims) == ("unchanged", None, [])
    assert answer["thing"]["acknowledgedBy"] == "nurse-7"
    assert answer["projection"]["version"] == 2
    assert world.database.audit == told
    assert world.database.projections["p-1"].version == 2


async def test_a_mute_is_until_a_time_of_the_database(world: MemoryWorld, act: Act) -> None:
    await an_ill_patient(world)
    await world.let_pass(LEASE)

    answer, [claim] = await act(QUIET, BY_NURSE)

    until_ms = world.database.now_ms + 10 * MINUTE_MS
    assert answer["thing"]["mutedUntilMs"] == on_screen(claim)["mutedUntilMs"] == until_ms
    assert world.database.projections["p-1"].look_at_ms == until_ms


async def test_muting_until_the_very_same_moment_is_nothing_new(
    world: MemoryWorld, act: Act
) -> None:
    await an_ill_patient(world)
    await act(QUIET, BY_NURSE)

    answer, claims = await act(QUIET, BY_NURSE)

    assert (answer["outcome"], answer["eventId"], claims) == ("unchanged", None, [])


async def test_a_review_item_is_resolved(world: MemoryWorld, act: Act) -> None:
    await an_ill_patient(world)

    answer, [claim] = await act(DEALT_WITH, BY_NURSE)

    assert (answer["outcome"], state_of(answer)) == ("done", "resolved")
    assert world.database.reviews["review:p-1"].resolved_by == "nurse-7"
    assert parse_document(claim.document)["review"]["state"] == "resolved"
    assert world.database.audit[answer["eventId"]].record()["reason"] == "fluids given"


async def test_what_is_gone_once_it_was_seen_has_nothing_to_show(
    world: MemoryWorld, act: Act
) -> None:
    await an_ill_patient(world)
    await world.let_pass(LEASE)
    well = {"heart_rate": 70, "respiratory_rate": 16, "spo2": 97}
    await ingest(world, a_reading("p-1", world.database.now_ms, **well))

    answer, [claim] = await act(SEE, BY_NURSE)

    assert (answer["outcome"], answer["thing"]) == ("done", None)
    shown = [alarm["condition"] for alarm in parse_document(claim.document)["alarms"]]
    assert "news2-high" not in shown


async def test_only_this_patient_is_touched(world: MemoryWorld, act: Act) -> None:
    await an_ill_patient(world, "p-1")
    other = await an_ill_patient(world, "p-2")

    _, [claim] = await act(SEE, BY_NURSE)

    assert claim.subject == "p-1"
    assert world.database.projections["p-2"].fingerprint == other.fingerprint


class TestRefused:
    @pytest.mark.parametrize(
        "about", ["p-1:news2-low", "p-9:news2-high", "news2-high", "", "review:p-9"]
    )
    async def test_what_never_was_is_not_found(
        self, world: MemoryWorld, act: Act, about: str
    ) -> None:
        await an_ill_patient(world)

        for action in (
            Acknowledge(about=about, reason="seen"),
            Mute(about=about, reason="seen", for_ms=1),
            ResolveReview(about=about, note="seen"),
        ):
            with pytest.raises(NotFound):
                await act(action, BY_NURSE)

    async def test_an_alarm_is_no_review_item_and_the_other_way_round(
        self, world: MemoryWorld, act: Act
    ) -> None:
        await an_ill_patient(world)

        for action in (
            Acknowledge(about="review:p-1", reason="seen"),
            Mute(about="review:p-1", reason="seen", for_ms=1),
            ResolveReview(about="p-1:news2-high", note="seen"),
        ):
            with pytest.raises(NotFound):
                await act(action, BY_NURSE)

    async def test_what_is_not_possible_says_in_which_state_it_is(
        self, world: MemoryWorld, act: Act
    ) -> None:
        await an_ill_patient(world)
        later = world.database.now_ms + 1
        await ingest(world, a_reading("p-1", later, encounter="e-2"))

        refused = {}
        for action in (SEE, QUIET, DEALT_WITH):
            with pytest.raises(NotPossible) as error:
                await act(action, BY_NURSE)
            refused[type(action)] = error.value.state

        assert refused == {Acknowledge: "resolved", Mute: "resolved", ResolveReview: "closed"}

    @pytest.mark.parametrize(
        ("action", "error"),
        [
            (Acknowledge(about="p-1:vital-red:temperature", reason="seen"), NotFound),
            (Acknowledge(about="p-2:news2-high", reason="seen"), NotPossible),
        ],
    )
    async def test_it_leaves_nothing_behind_not_even_its_key(
        self, world: MemoryWorld, act: Act, action: Action, error: type[Exception]
    ) -> None:
        await an_ill_patient(world, "p-1")
        await an_ill_patient(world, "p-2")
        later = world.database.now_ms + 1
        await ingest(world, a_reading("p-2", later, encounter="e-2"))
        before = dict(world.database.projections), dict(world.database.audit)

        with pytest.raises(error):
            await act(action, BY_NURSE, a_key())

        assert (world.database.projections, world.database.audit) == before
        assert world.database.answers == {}


class TestUnderOneKey:
    async def test_the_same_action_is_done_once_and_answered_alike(
        self, world: MemoryWorld, act: Act
    ) -> None:
        await an_ill_patient(world)
        first, claims = await act(QUIET, BY_NURSE, a_key())
        told = dict(world.database.audit)
        await world.let_pass(LEASE)

        again, none = await act(QUIET, BY_NURSE, a_key())

        assert (again, len(claims), none) == (first, 1, [])
        assert world.database.audit == told
        assert world.database.projections["p-1"].version == 2

    async def test_it_is_answered_alike_whatever_happened_since(
        self, world: MemoryWorld, act: Act
    ) -> None:
        await an_ill_patient(world)
        first, _ = await act(SEE, BY_NURSE, a_key())
        await ingest(world, a_reading("p-1", world.database.now_ms + 1, encounter="e-2"))

        again, _ = await act(SEE, BY_NURSE, a_key())

        assert again == first

    async def test_what_changed_nothing_is_answered_alike_too(
        self, world: MemoryWorld, act: Act
    ) -> None:
        await an_ill_patient(world)
        await act(SEE, BY_NURSE)
        first, _ = await act(SEE, BY_NURSE, a_key())

        again, _ = await act(SEE, BY_NURSE, a_key())

        assert (first["outcome"], again) == ("unchanged", first)

    async def test_another_request_is_refused(self, world: MemoryWorld, act: Act) -> None:
        await an_ill_patient(world)
        await act(SEE, BY_NURSE, a_key(reason="seen"))
        told = dict(world.database.audit)

        with pytest.raises(KeyReused):
            await act(SEE, BY_NURSE, a_key(reason="seen again"))

        assert world.database.audit == told

    async def test_other_keys_are_other_actions(self, world: MemoryWorld, act: Act) -> None:
        await an_ill_patient(world)

        answers = []
        for key in ("k-1", "k-2"):
            answers.append((await act(QUIET, BY_NURSE, a_key(key)))[0])
            await world.let_pass(LEASE)

        assert [answer["outcome"] for answer in answers] == ["done", "done"]
        assert answers[0]["eventId"] != answers[1]["eventId"]

    async def test_once_it_has_become_possible_a_refused_one_may_be_sent_again(
        self, world: MemoryWorld, act: Act
    ) -> None:
        with pytest.raises(NotFound):
            await act(SEE, BY_NURSE, a_key())
        await an_ill_patient(world)

        answer, _ = await act(SEE, BY_NURSE, a_key())

        assert answer["outcome"] == "done"

    async def test_its_record_is_named_by_it(self, world: MemoryWorld, act: Act) -> None:
        await an_ill_patient(world)
        key = a_key()

        answer, _ = await act(SEE, signed_by(key), key)

        assert answer["eventId"].endswith(key.digest)
