"""What must not be in any file: where packages come from, and where this machine keeps things."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.reading import ROOT, name_of

# In parts, so that this file does not find itself.
HOSTS = ("pypi" + ".org", "python" + "hosted", "npm" + "js", "anaconda" + ".org", "jsr" + ".io")
MIRRORS = ("index" + "-url", "arti" + "factory", "dev" + "pi-server", "/simple" + "/")
PATHS = ("/work" + "/main", "/work" + "/shared")
FORBIDDEN = re.compile("|".join(map(re.escape, (*HOSTS, *MIRRORS, *PATHS))), re.IGNORECASE)

NOT_OURS = {".git", "node_modules"}


def ignored_directories() -> set[str]:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return {line.strip("/").split("/")[-1] for line in lines if line.endswith("/")} | NOT_OURS


def tracked_files(place: Path = ROOT) -> Iterator[Path]:
    ignored = ignored_directories()
    for path in sorted(place.iterdir()):
        if path.name in ignored or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from tracked_files(path)
        elif path.is_file():
            yield path


@pytest.mark.parametrize("line", ["https://" + HOSTS[0] + "/project", "see " + PATHS[0] + "/docs"])
def test_what_must_not_be_there_would_be_found(line: str) -> None:
    assert FORBIDDEN.search(line) is not None


def test_the_walk_finds_what_is_ours_and_nothing_else() -> None:
    names = {name_of(path) for path in tracked_files()}

    assert {"pyproject.toml", "src/vitalrelay/settings.py", name_of(Path(__file__))} <= names
    assert not any(name.startswith((".venv/", ".git/")) for name in names)


def test_no_file_says_where_packages_come_from_or_where_this_machine_keeps_things() -> None:
    found = {
        f"{name_of(path)}:{number}"
        for path in tracked_files()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1)
        if FORBIDDEN.search(line) or str(ROOT) + "/" in line
    }

    assert found == set()
