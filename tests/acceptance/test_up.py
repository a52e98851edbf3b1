"""One command starts everything, keeps it, and stops it."""

import json
import signal
import subprocess
import time

import pytest

from tests.acceptance.installation import (
    Installation,
    a_packet,
    clean_environment,
    lives,
    until,
)

NOW_MS = round(time.time() * 1000)
BACK_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One installation for the tests that leave it as it was."""
    directory = tmp_path_factory.mktemp("up") / "installation"
    with Installation(directory, "--api-workers", "2") as installation:
        yield installation


def everybody(installation):
    pids = installation.pids()
    assert installation.process.pid == pids["supervisor"]
    return [*pids["api"], *pids["relay"], pids["postgres"], pids["redis"]]


def test_what_it_starts_works_and_is_gone_soon_after_it_is_told(install):
    with install() as installation:
        receipt = installation.store(a_packet("p-1", NOW_MS))
        until(lambda: installation.shows("p-1", receipt), 10, "p-1 is shown")
        pids = everybody(installation)
        took_s = installation.stop()

    assert receipt["outcome"] == "stored"
    assert installation.process.returncode == 0
    assert took_s < 10
    assert not any(map(lives, pids))
    assert len(set(pids)) == 4


def test_stdout_is_one_line_and_a_second_start_finds_the_data(install):
    with install() as first:
        first.store(a_packet("p-1", NOW_MS))
        first.stop(signal.SIGINT)
    with install() as second:
        status, snapshot = second.request("GET", "/v1/subjects/p-1/snapshot")
        found = second.verified(BACK_WITHIN_S)

    assert first.rest_of_stdout == b""
    assert first.process.returncode == second.process.returncode == 0
    assert set(second.ready) >= {"event", "apiUrl", "databaseUrl", "redisUrl", "pids"}
    assert (status, snapshot["vitals"]["heart_rate"]["value"]) == (200, 81)
    assert (found["ok"], found["patients"]) == (True, 1)


def test_a_start_over_data_in_use_says_so_in_one_line(running):
    data = running.directory / "data"

    second = running.run("up", "--data-dir", data, "--port", "0")

    assert second.returncode == 3
    assert second.stdout == ""
    assert second.stderr == (
        f"vitalrelay: already running: process {running.process.pid} has {data}\n"
    )


def test_other_commands_find_it_where_it_keeps_its_data(running, tmp_path):
    (tmp_path / ".vitalrelay").symlink_to(running.directory / "data")

    found = subprocess.run(
        running.command("config", "show", "--json"),
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )

    addresses = {one["name"]: one["value"] for one in json.loads(found.stdout)["settings"]}
    assert addresses["REDIS_URL"] == running.ready["redisUrl"]
    assert b"the installation in .vitalrelay" in found.stderr
    assert (running.directory / "data" / "ready.json").stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_is_left_to_whoever_has_it(running, tmp_path):
    port = running.ready["apiUrl"].rpartition(":")[2]

    second = running.run("up", "--data-dir", tmp_path, "--port", port)

    assert (second.returncode, second.stdout) == (3, "")
    assert f"port {port}" in second.stderr


@pytest.mark.parametrize("role", ["api", "relay", "redis", "postgres"])
def test_what_is_killed_is_back_by_itself_and_nothing_is_lost(running, role):
    running.store(a_packet(f"before-{role}", NOW_MS))

    killed = running.kill(role)
    until(lambda: running.replaced(role, killed), BACK_WITHIN_S, f"another {role}")
    until(running.answers, BACK_WITHIN_S, "ready")
    running.store(a_packet(f"after-{role}", NOW_MS))
    running.verified(BACK_WITHIN_S)

    assert running.request("GET", f"/v1/subjects/before-{role}/snapshot")[0] == 200
    assert restarts(running)[-1]["role"] == role
    assert restarts(running)[-1]["previousPid"] == killed


def restarts(installation):
    lines = installation.words.read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [event for event in events if event["event"] == "process-restarted"]


def test_several_api_processes_count_together(running):
    before = packets_stored(running)

    for beat in range(20):
        running.store(a_packet("counted", NOW_MS + beat))

    assert packets_stored(running) == before + 20


def packets_stored(installation):
    name = 'vitalrelay_packets_total{outcome="stored"} '
    lines = installation.text("/metrics").splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_nothing_outlives_a_supervisor_that_is_killed(install):
    with install() as installation:
        pids = everybody(installation)
        installation.process.kill()
        until(lambda: not any(map(lives, pids)), 15, "everybody is gone")
