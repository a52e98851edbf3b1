"""The lock file: everything in it with its hashes, nothing of where it comes from, and enough."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
)


@cache
def settings() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def locked() -> list[tuple[Requirement, list[str]]]:
    """Each requirement with its hashes: an entry goes on for as long as its lines are indented."""
    found = []
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        first, *rest = (line.rstrip("\\ ") for line in entry.splitlines())
        assert all(line.startswith("    --hash=") for line in rest), entry
        found.append((Requirement(first), [line.strip() for line in rest]))
    return found


def wanted() -> list[Requirement]:
    project = settings()["project"]
    groups = [
        project["dependencies"],
        project["optional-dependencies"]["embedded"],
        settings()["dependency-groups"]["dev"],
        settings()["build-system"]["requires"],
    ]
    return [Requirement(one) for group in groups for one in group]


def environments() -> list[dict[str, str]]:
    here = {name: str(value) for name, value in default_environment().items()}
    return [
        {**here, **platform, "python_version": python, "python_full_version": f"{python}.0"}
        for python in PYTHONS
        for platform in PLATFORMS
    ]


def applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def test_everything_has_its_hashes() -> None:
    for requirement, hashes in locked():
        assert hashes, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)
        assert len(set(hashes)) == len(hashes)


def test_everything_is_one_version_and_no_other() -> None:
    for requirement, _ in locked():
        [specifier] = requirement.specifier
        assert specifier.operator == "=="
        assert "*" not in specifier.version


def test_it_does_not_say_where_anything_comes_from() -> None:
    assert "://" not in LOCK
    assert not any(requirement.url for requirement, _ in locked())
    assert not re.search(r"^\s*-(?!-hash=)", LOCK, re.MULTILINE)


def test_nothing_is_in_it_twice_for_the_same_machine() -> None:
    for environment in environments():
        names = [
            canonicalize_name(requirement.name)
            for requirement, _ in locked()
            if applies(requirement, environment)
        ]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_it_has_what_the_project_asks_for_wherever_it_is_asked_for(
    requirement: Requirement,
) -> None:
    for environment in environments():
        if not applies(requirement, environment):
            continue
        [version] = [
            str(next(iter(one.specifier)).version)
            for one, _ in locked()
            if canonicalize_name(one.name) == canonicalize_name(requirement.name)
            and applies(one, environment)
        ]
        assert Version(version) in requirement.specifier


def test_what_the_build_needs_is_what_is_locked() -> None:
    """The project is installed without a look elsewhere: also its build tools come from here."""
    [build] = [Requirement(one) for one in settings()["build-system"]["requires"]]

    assert (build.name, str(build.specifier)) in [
        (one.name, str(one.specifier)) for one, _ in locked()
    ]
