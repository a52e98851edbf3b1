"""Processes are killed while a real stream comes in: every promise still holds afterwards."""

import json
import subprocess
import time

import pytest
from redis import Redis

from tests.acceptance.installation import Installation, a_packet, until

NOW_MS = round(time.time() * 1000)
STREAM = ("--as-fast-as-possible", "--connections", 32, "--duplicates", 0.05, "--shuffle", 7200)
DOCUMENT = "patient-risk:monitoring-snapshots:{}".format


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    directory = tmp_path_factory.mktemp("failures") / "installation"
    with Installation(directory, "--api-workers", "2") as installation:
        yield installation


def test_no_acknowledged_packet_is_lost_whoever_is_killed_meanwhile(
    running, clinical_data, tmp_path
):
    log = tmp_path / "acknowledged.ndjson"
    source, target = clinical_data / "physionet2019", running.ready["apiUrl"]
    order = ("replay", source, "--url", target, *STREAM, "--seed", 7, "--ack-log", log, "--json")

    with subprocess.Popen(
        running.command(*order),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=running.environment(),
    ) as replay:
        for role, after in (("api", 500), ("relay", 1000), ("redis", 1800), ("postgres", 2700)):
            kill_when(stored_in(log, after), running, role)
        told = json.loads(replay.stdout.read())
    found = running.verified(15, "--ack-log", log)

    assert replay.returncode == 0, told["problems"]
    assert told["acknowledged"] == told["planned"]["total"]
    assert told["attempts"]["outcomes"]["no-answer"] > 0
    assert found["acknowledged"] == told["planned"]["original"]


def kill_when(happened, installation, role):
    until(happened, 60, f"the moment to kill {role}")
    killed = installation.kill(role)
    until(lambda: installation.replaced(role, killed), 20, f"another {role}")


def stored_in(log, number):
    return lambda: log.exists() and log.read_bytes().count(b'"status":201') >= number


def test_a_redis_that_is_emptied_is_filled_again_without_anybody(running):
    receipts = {name: running.store(a_packet(name, NOW_MS)) for name in ("p-1", "p-2", "p-3")}
    until(lambda: all(running.shows(*one) for one in receipts.items()), 10, "they are shown")

    with Redis.from_url(running.ready["redisUrl"]) as redis:
        redis.flushall()
        until(lambda: redis.exists(*map(DOCUMENT, receipts)) == 3, 10, "all documents are back")

    running.verified(10)
