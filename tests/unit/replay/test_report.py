import re
from html.parser import HTMLParser

from tests.unit.replay.packets import a_plan, a_stream
from tests.unit.replay.scripted_server import receipt, refusal, says, serving
from vitalrelay.replay.charts import ticks
from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.report import html_report
from vitalrelay.replay.run import replay
from vitalrelay.replay.series import MOST_SLOTS, Series

EMPTY_ELEMENTS = {"meta", "line", "polyline", "circle", "rect"}


class Outline(HTMLParser):
    """What is in a page; fails for an element that is not closed where it should be."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.attributes = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


async def a_report(*answers, number=50, **more):
    async with serving(says(*answers)) as served:
        return html_report(await replay(a_plan(served.url, a_stream(number), **more)))


async def test_a_report_is_one_page_that_needs_nothing_from_elsewhere():
    page = await a_report(receipt())

    outline = Outline(page)

    addresses = [value for _, name, value in outline.attributes if name in ("src", "href")]
    assert outline.open == []
    assert addresses == []
    assert "script" not in outline.found
    assert "url(" not in page
    assert "@import" not in page


async def test_every_chart_has_a_title_a_description_and_a_table_beside_it():
    page = await a_report(receipt())

    outline = Outline(page)

    labelled = [value for _, name, value in outline.attributes if name == "aria-labelledby"]
    assert outline.found.count("svg") == len(labelled) == 4
    assert outline.found.count("table") == 4
    assert all(f'id="{part}"' in page for label in labelled for part in label.split())


async def test_a_report_can_be_read_in_the_dark():
    page = await a_report(receipt())

    assert "prefers-color-scheme: dark" in page
    assert "color-scheme: light dark" in page


async def test_a_report_says_what_was_not_as_it_should_be():
    page = await a_report(refusal(422, "invalid-packet"), number=3)

    assert "packets not acknowledged: 3" in page
    assert "invalid-packet" in page


async def test_nothing_in_a_report_is_taken_for_markup():
    page = await a_report(refusal(422, "<script>alert(1)<script>"), number=3)

    outline = Outline(page)

    assert "script" not in outline.found
    assert "&lt;script&gt;" in page


async def test_a_report_of_nothing_is_a_report():
    page = await a_report(receipt(), number=0)

    assert "there was nothing to send" in page
    assert not re.search(r"\b(nan|inf|None)\b", page)


async def test_a_report_says_what_was_planned_and_what_it_met():
    disturbance = Disturbance(duplicates=1.0)
    page = await a_report(receipt(), disturbance=disturbance)

    assert "<td>repeat</td><td>50</td><td>acknowledged</td><td>stored 50</td>" in page


def test_ticks_are_round_and_reach_the_top():
    tops = (0.0, 0.003, 0.7, 1, 9.99, 42, 1000, 123_456)

    for top in tops:
        marks = [tick.at for tick in ticks(top)]

        assert marks[0] == 0
        assert marks[-1] >= top
        assert 2 <= len(marks) <= 6


def test_a_series_keeps_to_its_slots_however_long_it_takes():
    series = Series()

    for second in range(10_000):
        series.record(second, 0.01)

    points = list(series.points(10_000))
    assert len(points) <= MOST_SLOTS
    assert {point.per_second for point in points[:-1]} == {1.0}
    assert {point.p50_ms for point in points} == {10.0}


def test_a_second_without_an_acknowledgement_is_a_point_too():
    series = Series()

    for second in (0.5, 3.5):
        series.record(second, 0.01)

    assert [point.per_second for point in series.points(4.0)] == [1, 0, 0, 1]
