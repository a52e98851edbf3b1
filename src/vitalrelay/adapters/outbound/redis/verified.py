"""Documents whose fingerprint was recomputed, so that the same bytes need no second look."""

from collections import OrderedDict

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.shown import Damaged, Shown, shown_from


def shown_in(subject: SubjectId, stored: bytes) -> Shown | Damaged:
    try:
        return shown_from(subject, stored.decode())
    except UnicodeDecodeError:
        return Damaged()


class Verified:
    """
    Answers like ``shown_in``, at the price of a comparison where nothing has changed.

    Only what was whole is remembered, the last document of each patient, ``most`` of them: what
    differs from it in one byte is looked at anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[SubjectId, Shown] = OrderedDict()

    def __call__(self, subject: SubjectId, stored: bytes) -> Shown | Damaged:
        known = self._known.get(subject)
        if known is not None and known.text.encode() == stored:
            self._known.move_to_end(subject)
            return known
        shown = shown_in(subject, stored)
        if isinstance(shown, Shown):
            self._remember(shown)
        return shown

    def _remember(self, shown: Shown) -> None:
        self._known[shown.subject] = shown
        self._known.move_to_end(shown.subject)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
