"""One command starts everything, keeps it, and stops it."""

import json
import signal
import subprocess
import time

import pytest

from tests.acceptance.installation import Installation, a_packet, lives, until

NOW_MS = round(time.time() * 1000)
BACK_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One installation for the tests that leave it as it was."""
    with Installation(tmp_path_factory.mktemp("up") / "installation") as installation:
        yield installation


def everybody(installation):
    pids = installation.pids()
    assert installation.process.pid == pids["supervisor"]
    return [*pids["api"], *pids["relay"], pids["postgres"], pids["redis"]]


def fingerprint_shown(installation, subject):
    return installation.request("GET", f"/v1/subjects/{subject}/snapshot")[1].get("fingerprint")


def test_what_it_starts_works_and_is_gone_soon_after_it_is_told(install):
    with install("--api-workers", "2") as installation:
        status, receipt = installation.request(
            "POST", "/v1/signal-packets", a_packet("p-1", NOW_MS)
        )
        wanted = receipt["projection"]["fingerprint"]
        until(lambda: fingerprint_shown(installation, "p-1") == wanted, 5, "p-1 is shown")
        pids = everybody(installation)
        took_s = installation.stop()

    assert status == 201
    assert installation.process.returncode == 0
    assert took_s < 10
    assert not any(map(lives, pids))
    assert len(set(pids)) == 5


def test_stdout_is_one_line_and_a_second_start_finds_the_data(install):
    with install() as first:
        first.request("POST", "/v1/signal-packets", a_packet("p-1", NOW_MS))
        first.stop(signal.SIGINT)
    with install() as second:
        status, snapshot = second.request("GET", "/v1/subjects/p-1/snapshot")
        found = second.verified()

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


def test_a_port_in_use_is_left_to_whoever_has_it(running, tmp_path):
    port = running.ready["apiUrl"].rpartition(":")[2]

    second = running.run("up", "--data-dir", tmp_path, "--port", port)

    assert (second.returncode, second.stdout) == (3, "")
    assert f"port {port}" in second.stderr


@pytest.mark.parametrize("role", ["api", "relay", "redis", "postgres"])
def test_what_is_killed_is_back_by_itself_and_nothing_is_lost(running, role):
    running.request("POST", "/v1/signal-packets", a_packet(f"before-{role}", NOW_MS))

    killed = running.kill(role)
    until(lambda: running.replaced(role, killed), BACK_WITHIN_S, f"another {role}")
    until(running.answers, BACK_WITHIN_S, "ready")
    status, _ = running.request("POST", "/v1/signal-packets", a_packet(f"after-{role}", NOW_MS))
    until(lambda: running.verified()["ok"], BACK_WITHIN_S, "verified")

    assert status == 201
    assert running.request("GET", f"/v1/subjects/before-{role}/snapshot")[0] == 200
    assert restarts(running)[-1]["role"] == role
    assert restarts(running)[-1]["previousPid"] == killed


def restarts(installation):
    events = [json.loads(line) for line in installation.words.read_text().splitlines() if line[0] == "{"]
    return [event for event in events if event["event"] == "process-restarted"]


def test_nothing_outlives_a_supervisor_that_is_killed(install):
    with install() as installation:
        pids = everybody(installation)
        installation.process.kill()
        until(lambda: not any(map(lives, pids)), 15, "everybody is gone")


def test_several_api_processes_count_together(install):
    with install("--api-workers", "2") as installation:
        for beat in range(20):
            installation.request("POST", "/v1/signal-packets", a_packet("p-1", NOW_MS + beat))
        metrics = subprocess.run(
            ["curl", "-s", installation.ready["apiUrl"] + "/metrics"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert 'vitalrelay_packets_total{outcome="stored"} 20.0' in metrics
