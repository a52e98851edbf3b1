from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from vitalrelay.replay.histogram import LONGEST_S, PERCENTILES, Histogram

durations = st.lists(
    st.floats(min_value=1e-6, max_value=LONGEST_S) | st.floats(min_value=1e-6, max_value=0.1),
    min_size=1,
    max_size=300,
)


def a_histogram(seconds):
    histogram = Histogram()
    for duration in seconds:
        histogram.record(duration)
    return histogram


def exactly(seconds, percent):
    return sorted(seconds)[max(1, ceil(percent / 100 * len(seconds))) - 1]


@given(durations)
def test_every_percentile_is_exact_to_one_per_cent(seconds):
    histogram = a_histogram(seconds)

    found = list(histogram.percentiles(PERCENTILES))

    for percent, duration in zip(PERCENTILES, found, strict=True):
        right = exactly(seconds, percent)
        assert abs(duration - right) <= 0.01 * right


@given(durations, durations)
def test_merging_is_as_if_all_had_been_recorded_in_one(some, others):
    merged, together = a_histogram(some), a_histogram(some + others)

    merged.merge(a_histogram(others))

    assert list(merged.percentiles(PERCENTILES)) == list(together.percentiles(PERCENTILES))
    assert (merged.count, merged.longest_s) == (together.count, together.longest_s)


@given(durations)
def test_the_maximum_is_exact(seconds):
    histogram = a_histogram(seconds)

    highest = histogram.percentile(100)

    assert highest == max(seconds)


def test_nothing_recorded_has_no_percentiles():
    histogram = Histogram()

    table = histogram.milliseconds()

    assert histogram.percentile(50) is None
    assert table["count"] == 0
    assert table["p99"] is None


def test_what_is_out_of_range_counts_at_its_edge():
    histogram = a_histogram([-1.0, 0.0, 2 * LONGEST_S])

    shortest, longest = histogram.percentiles([1, 100])

    assert (shortest, longest) == (0.0, LONGEST_S)


def test_a_hundred_thousand_durations_take_few_buckets():
    histogram = Histogram()

    for turn in range(100_000):
        histogram.record(turn / 1000)

    assert len(histogram._buckets) < 1500
