"""What somebody sees who tries it: a ward, soon, and nothing left of it afterwards."""

import json
import re
import signal
import subprocess
import time

import pytest
from rich.console import Console

from tests.acceptance.installation import COMMAND, clean_environment, lives
from tests.support import NOW_MS
from vitalrelay.adapters.inbound.cli.work.ward_feed import Look, urgency
from vitalrelay.adapters.inbound.cli.work.ward_screen import PrintedScreen


@pytest.fixture
def demo(tmp_path):
    with subprocess.Popen(
        [*COMMAND, "demo", "--patients", "3", "--data-dir", tmp_path / "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        text=True,
    ) as process:
        yield process
        process.terminate()


def test_a_ward_is_seen_within_a_minute_and_is_gone_with_the_demo(demo, tmp_path):
    began = time.monotonic()
    seen = read_until("ward-0003", demo.stdout)
    took_s = time.monotonic() - began
    pids = json.loads((tmp_path / "demo" / "pids.json").read_text())

    demo.send_signal(signal.SIGINT)

    assert demo.wait(15) == 0
    assert took_s < 60
    assert "Not a medical device" in seen
    assert re.search(r"open http://127.0.0.1:\d+/ for the ward screen", seen)
    assert "/v1/snapshots/latest" in seen
    assert not any(map(lives, [pids["supervisor"], *pids["api"], pids["postgres"]]))


def read_until(word, stream):
    seen = ""
    while word not in seen:
        line = stream.readline()
        assert line, f"it ended after: {seen}"
        seen += line
    return seen


def test_a_demo_ends_by_itself_when_it_is_told_how_long_it_may_last(tmp_path):
    result = subprocess.run(
        [*COMMAND, "demo", "--seconds", "1", "--data-dir", tmp_path / "other", "--port", "0"],
        capture_output=True,
        env=clean_environment(),
        check=False,
    )

    assert result.returncode == 0


def a_patient(subject, level, score, /, *, age_s=0, missing=(), heart_rate=81):
    measured_ms = NOW_MS - age_s * 1000
    vital = {"value": heart_rate, "measuredAtMs": measured_ms, "quality": "good"}
    return {
        "subjectId": subject,
        "version": 7,
        "vitals": {"heart_rate": vital},
        "assessment": {
            "riskLevel": level,
            "score": score,
            "scoreUpperBound": None if score is None else score + 3,
            "completeness": "partial" if missing else "complete",
            "missing": list(missing),
        },
        "alarms": [{"priority": "high", "condition": "news2-high", "state": "active"}],
    }


def lines_of(*patients, **more):
    console = Console(width=160)
    with console.capture() as captured:
        PrintedScreen(console).show(Look("http://host", patients, "ready", at_ms=NOW_MS, **more))
    return captured.get().splitlines()


def line_of(subject, *patients):
    return next(line for line in lines_of(*patients) if subject in line)


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("high", "▲ high"),
        ("medium", "◆ medium"),
        ("low-medium", "◇ low-medium"),
        ("low", "● low"),
        ("unknown", "? unknown"),
    ],
)
def test_a_risk_is_a_word_and_a_shape(level, words):
    assert words in line_of("p-1", a_patient("p-1", level, 3))


def test_the_most_urgent_comes_first_and_what_is_unknown_is_not_last():
    ward = [
        a_patient("p-1", "low", 0),
        a_patient("p-2", "unknown", None),
        a_patient("p-3", "medium", 5),
        a_patient("p-4", "high", 7),
        a_patient("p-5", "high", 9),
    ]

    order = [patient["subjectId"] for patient in sorted(ward, key=urgency)]

    assert order == ["p-5", "p-4", "p-3", "p-2", "p-1"]


def test_what_is_missing_is_named_and_bounds_the_score():
    line = line_of("p-1", a_patient("p-1", "low", 1, missing=("temperature", "systolic_bp")))

    assert "1-4 partial, no T BP" in line


@pytest.mark.parametrize(("age_s", "words"), [(1, " 81 "), (30, "81 (30s)"), (600, "81 (10min)")])
def test_a_value_says_its_age_once_that_matters(age_s, words):
    assert words in line_of("p-1", a_patient("p-1", "low", 0, age_s=age_s))


def test_an_api_that_is_silent_is_an_alarm_above_what_it_said_before():
    lines = lines_of(a_patient("p-1", "low", 0), silent_s=12.0)

    assert any("THE API HAS NOT ANSWERED FOR 12 s" in line for line in lines)
    assert any("p-1" in line for line in lines)
