"""A clinician acts: recall, lock, act, file, owe, answer, commit."""

from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.domain.actions import Action, thing_of
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import Document
from vitalrelay.domain.errors import NotFound
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.projection import Claim, projection_id
from vitalrelay.ports.unit_of_work import Begin, ClinicalWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """
    Once this returns, the action is in the audit trail and the screens will be told.

    It meets the packets under the patient's row lock, and never touches what is shown: neither
    can undo the other.
    """

    begin: Begin[ClinicalWork]
    alarms: AlarmPolicy
    lease_for: timedelta

    async def __call__(
        self, action: Action, signed: Signature, key: ActionKey | None = None
    ) -> tuple[Document, list[Claim]]:
        """
        The answer, the same for the same key; the claims come leased to the caller.

        Raises NotFound for what never was, NotPossible, and KeyReused.
        """
        async with self.begin() as work:
            if key is not None and (before := await work.answered(key)) is not None:
                return before, []
            subject = await work.patient_of(action.about)
            if subject is None:
                raise NotFound
            chart = await work.lock_patient(subject)
            action.on(chart, signed, self.alarms)
            changed = [chart] if chart.changed else []
            await work.file(changed)
            claims = await work.owe(changed, self.lease_for)
            answer = answer_to(action, chart)
            if key is not None:
                await work.answer(key, answer)
            await work.commit()
        return answer, claims


def answer_to(action: Action, chart: Chart) -> Document:
    """What it was about as it is now, and the version of the snapshot that says so."""
    return {
        "outcome": "done" if chart.changed else "unchanged",
        "about": action.about,
        "thing": thing_of(action, chart),
        "eventId": chart.audit[-1].event_id if chart.audit else None,
        "projection": {
            "projectionId": projection_id(chart.subject),
            "version": chart.wanted_version,
        },
    }
