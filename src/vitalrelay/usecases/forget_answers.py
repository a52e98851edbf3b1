"""Keys of actions long past: whoever repeats one by then acts anew."""

from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.ports.unit_of_work import Begin, ClinicalWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetAnswers:
    begin: Begin[ClinicalWork]
    older_than: timedelta

    async def __call__(self) -> int:
        """Forget some; returns how many. None left to forget: 0."""
        async with self.begin() as work:
            forgotten = await work.forget_answers(self.older_than)
            await work.commit()
        return forgotten
