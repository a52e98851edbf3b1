"""What tests do not do: mock our own code, or wait for time to pass."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.architecture.reading import (
    calls,
    dotted,
    imported,
    meant,
    name_of,
    python_files,
    tree_of,
)

Offences = Callable[[ast.Module], Iterator[str]]

MOCKS = ("mock", "pytest_mock", "unittest.mock")
OURS = ("vitalrelay", "persistence", "workers")

# Not a wait for something else: the time itself is what the test is about.
SLEEPS = {
    "tests/unit/replay/test_run.py": "servers that take their time, and what that looks like",
    "tests/unit/test_group_commit.py": "on a clock that jumps, so that nobody waits",
    "tests/unit/test_delivery.py": "on the same clock",
    "tests/unit/test_admission.py": "on the same clock",
    "tests/unit/test_snapshot_feed.py": "on the same clock",
}


def mocks(tree: ast.Module) -> Iterator[str]:
    """Of our own code: a fake is a class of ten lines, and keeps the promises of its port."""
    names = imported(tree)
    yield from (name for name in names.values() if name.startswith(MOCKS))
    for call, name in calls(tree):
        if name.endswith((".setattr", ".delattr", ".setitem")) and call.args:
            yield from _if_ours(call.args[0], names)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg == "mocker":
            yield f"{node.lineno}: mocker"
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    yield from _if_ours(target.value, names)


def _if_ours(target: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        full = target.value
    elif dotted(target).partition(".")[0] in names:
        full = meant(target, names)
    else:
        return
    if full.partition(".")[0] in OURS:
        yield f"{target.lineno}: {full}"


def sleeps(tree: ast.Module) -> Iterator[str]:
    """
    Of a fixed length. In a loop that ends with what is waited for a pause is fine, and so is a
    pause of nothing.
    """
    looping = {
        id(inner)
        for loop in ast.walk(tree)
        if isinstance(loop, ast.While)
        for inner in ast.walk(loop)
    }
    for call, name in calls(tree):
        waits = name.endswith((".sleep", ".wait_for_timeout")) and id(call) not in looping
        if waits and [ast.unparse(argument) for argument in call.args] != ["0"]:
            yield f"{call.lineno}: {name}"


SEEN_TO_FAIL: list[tuple[Offences, str]] = [
    (mocks, "from unittest.mock import patch"),
    (mocks, "import unittest.mock"),
    (mocks, "from unittest import mock"),
    (mocks, "def test_it(mocker): ..."),
    (mocks, "from vitalrelay import bootstrap\ndef t(m): m.setattr(bootstrap, 'api', None)"),
    (mocks, "import vitalrelay.settings as s\ndef t(m): m.setattr(s.Settings, 'lease', 1)"),
    (mocks, "def t(monkeypatch): monkeypatch.setattr('persistence.engine.create_engine', None)"),
    (mocks, "from workers import relay\nrelay.POLL_DELAY_S = 0"),
    (sleeps, "import time\ntime.sleep(1)"),
    (sleeps, "import asyncio\nasync def t(): await asyncio.sleep(PAUSE_S)"),
    (sleeps, "from time import sleep\nfor _ in range(3): sleep(0.1)"),
]

SEEN_TO_PASS: list[tuple[Offences, str]] = [
    (mocks, "def t(monkeypatch): monkeypatch.setenv('VITALRELAY_LEASE', '1')"),
    (mocks, "import os\ndef t(monkeypatch): monkeypatch.setattr(os, 'sep', '/')"),
    (mocks, "world.now = 3"),
    (sleeps, "import asyncio\nasync def t(): await asyncio.sleep(0)"),
    (sleeps, "import time\nwhile not done(): time.sleep(0.01)"),
]


@pytest.mark.parametrize(("rule", "source"), SEEN_TO_FAIL)
def test_a_rule_finds_what_it_forbids(rule: Offences, source: str) -> None:
    assert list(rule(ast.parse(source))) != []


@pytest.mark.parametrize(("rule", "source"), SEEN_TO_PASS)
def test_a_rule_forbids_no_more(rule: Offences, source: str) -> None:
    assert list(rule(ast.parse(source))) == []


def offences(rule: Offences) -> dict[str, list[str]]:
    found = {name_of(path): list(rule(tree_of(path))) for path in python_files("tests")}
    return {name: offences for name, offences in found.items() if offences}


def test_no_test_mocks_our_own_code() -> None:
    assert offences(mocks) == {}


def test_no_test_waits_for_time_to_pass() -> None:
    found = offences(sleeps)

    assert {name: where for name, where in found.items() if name not in SLEEPS} == {}
