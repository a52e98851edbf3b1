"""What ``vitalrelay up`` starts has the application's rights in the database, and no others."""

import json
import subprocess
from contextlib import contextmanager

import pytest

from tests import servers
from tests.acceptance.installation import COMMAND, Installation, a_packet, clean_environment, until

NOW_MS = 1_767_225_600_000
PACKETS = "patient_signal_packets"
APP = "vitalrelay_app"


@contextmanager
def up(directory, **settings):
    """An installation in an environment of its own."""
    installation = Installation(directory)
    with (
        installation.words.open("wb") as words,
        subprocess.Popen(
            [*COMMAND, "up", "--data-dir", str(directory / "data"), "--port", "0"],
            env=clean_environment() | settings,
            stdout=subprocess.PIPE,
            stderr=words,
        ) as process,
    ):
        try:
            installation.ready = json.loads(process.stdout.readline())
            yield installation
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Its API and worker are asked to create a schema that is there, which they may not."""
    with up(tmp_path_factory.mktemp("rights"), VITALRELAY_AUTO_CREATE_SCHEMA="true") as running:
        yield running


def by_owner(installation, statement):
    servers.execute(installation.ready["databaseUrl"], statement)


def test_the_api_may_do_what_the_role_may(running):
    running.store(a_packet("p-1", NOW_MS))

    by_owner(running, f"revoke insert on {PACKETS} from {APP}")
    refused, _ = running.request("POST", "/v1/signal-packets", a_packet("p-2", NOW_MS))
    by_owner(running, f"grant insert on {PACKETS} to {APP}")
    receipt = running.store(a_packet("p-3", NOW_MS))

    assert refused == 503
    assert receipt["outcome"] == "stored"


def test_the_worker_may_do_what_the_role_may(running):
    by_owner(running, f"revoke update on relay_state from {APP}")
    until(lambda: "42501" in pauses(running), 20, "the worker is refused")
    by_owner(running, f"grant update on relay_state to {APP}")
    found = running.verified(20)

    assert found["ok"]


def pauses(installation):
    """Why the worker paused, each time."""
    lines = [line for line in installation.words.read_text().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    return [event["reason"] for event in events if event["event"] == "watch-paused"]


@pytest.mark.parametrize("command", ["projections list --json", "doctor --json"])
def test_the_other_commands_work_beside_it(running, command):
    ended = running.run(*command.split())

    assert ended.returncode == 0, ended.stdout


def test_ones_own_setting_wins(tmp_path):
    with up(tmp_path, VITALRELAY_DATABASE_ROLE="") as running:
        by_owner(running, f"revoke insert on {PACKETS} from {APP}")
        receipt = running.store(a_packet("p-1", NOW_MS))

    assert receipt["outcome"] == "stored"
