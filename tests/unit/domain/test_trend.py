"""Which time is meant by what somebody asks for, and which codes have a trend."""

import pytest

from tests.support import DAY_MS, HOUR_MS, NOW_MS
from vitalrelay.domain.errors import InvalidRequest
from vitalrelay.domain.signals import CATALOGUE
from vitalrelay.domain.trend import Asked, Window, numeric

BUCKET_MS = 300_000


def asked(start_ms: int | None = None, end_ms: int | None = None, bucket_s: int = 300) -> Asked:
    return Asked(start_ms, end_ms, bucket_s)


def fault_of(question: Asked) -> str:
    with pytest.raises(InvalidRequest) as refused:
        question.window(NOW_MS)
    [fault] = refused.value.faults
    return fault.pointer


class TestWindow:
    def test_by_itself_it_is_the_day_that_ends_with_the_newest_packet(self) -> None:
        question = asked()

        window = question.window(NOW_MS)

        assert window == Window(NOW_MS + 1 - DAY_MS, NOW_MS + 1, BUCKET_MS)

    def test_a_start_alone_means_from_then_to_the_newest_packet(self) -> None:
        question = asked(start_ms=NOW_MS - HOUR_MS)

        window = question.window(NOW_MS)

        assert window == Window(NOW_MS - HOUR_MS, NOW_MS + 1, BUCKET_MS)

    def test_a_start_after_the_newest_packet_is_no_mistake(self) -> None:
        question = asked(start_ms=NOW_MS + HOUR_MS)

        window = question.window(NOW_MS)

        assert window == Window(NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + 1, BUCKET_MS)

    def test_an_end_alone_means_the_day_before_it(self) -> None:
        question = asked(end_ms=NOW_MS - HOUR_MS)

        window = question.window(NOW_MS)

        assert window == Window(NOW_MS - HOUR_MS - DAY_MS, NOW_MS - HOUR_MS, BUCKET_MS)

    def test_no_day_begins_before_1970(self) -> None:
        question = asked(end_ms=HOUR_MS)

        window = question.window(NOW_MS)

        assert window == Window(0, HOUR_MS, BUCKET_MS)

    def test_thirty_one_days_are_not_too_many(self) -> None:
        question = asked(NOW_MS - 31 * DAY_MS, NOW_MS, bucket_s=3600)

        window = question.window(0)

        assert window.buckets == 31 * 24

    @pytest.mark.parametrize(
        ("start_ms", "bucket_s", "buckets"),
        [(NOW_MS, 300, 1), (NOW_MS - 1, 300, 2), (NOW_MS - DAY_MS, 86_400, 2), (NOW_MS, 1, 1)],
    )
    def test_a_bucket_that_lies_in_it_in_part_is_one_more(
        self, start_ms: int, bucket_s: int, buckets: int
    ) -> None:
        question = asked(start_ms, NOW_MS + 1, bucket_s)

        window = question.window(NOW_MS)

        assert window.buckets == buckets

    def test_two_thousand_buckets_are_not_too_many(self) -> None:
        question = asked(NOW_MS, NOW_MS + 2_000 * BUCKET_MS)

        window = question.window(NOW_MS)

        assert window.buckets == 2_000

    @pytest.mark.parametrize(
        ("question", "pointer"),
        [
            (asked(NOW_MS, NOW_MS), "/query/to"),
            (asked(NOW_MS, NOW_MS - 1), "/query/to"),
            (asked(end_ms=0), "/query/to"),
            (asked(NOW_MS - 31 * DAY_MS - 1, NOW_MS, 86_400), "/query/from"),
            (asked(NOW_MS - 31 * DAY_MS, None, 86_400), "/query/from"),
            (asked(NOW_MS, NOW_MS + 2_000 * BUCKET_MS + 1), "/query/bucketSeconds"),
            (asked(NOW_MS - 1, NOW_MS + 2_000 * BUCKET_MS - 1), "/query/bucketSeconds"),
            (asked(bucket_s=1), "/query/bucketSeconds"),
        ],
    )
    def test_what_cannot_be_answered_is_refused_by_name(
        self, question: Asked, pointer: str
    ) -> None:
        found = fault_of(question)

        assert found == pointer


class TestCode:
    def test_numbers_have_a_trend(self) -> None:
        codes = set(CATALOGUE) - {"consciousness", "supplemental_oxygen", "spo2_scale"}

        kinds = {code: numeric(code) for code in codes}

        assert kinds == {code: CATALOGUE[code] for code in codes}

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("consciousness", "is not the code of a number"),
            ("supplemental_oxygen", "is not the code of a number"),
            ("spo2_scale", "is not the code of a number"),
            ("hart_rate", "is not a known signal code; the closest known are heart_rate"),
            ("x", "is not a known signal code"),
        ],
    )
    def test_other_codes_are_refused(self, code: str, reason: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            numeric(code)

        [fault] = refused.value.faults
        assert fault.pointer == "/query/code"
        assert fault.reason.startswith(reason)
