"""Whole installations on servers from wheels; skipped where there are no such wheels."""

import pytest

from tests.acceptance.installation import Installation
from vitalrelay.embedded import missing_wheels


@pytest.fixture(scope="session", autouse=True)
def _servers_of_our_own():
    for advice in missing_wheels().values():
        pytest.skip(advice)


@pytest.fixture
def install(tmp_path):
    """``with install() as running:`` an installation of its own, again on the same data."""
    return lambda *options: Installation(tmp_path / "installation", *options)
