"""Processes are killed while a real stream comes in: every promise still holds afterwards."""

import json
import subprocess
import time

import pytest
from redis import Redis

from tests.acceptance.installation import Installation, a_packet, until

NOW_MS = round(time.time() * 1000)
STREAM = ("--as-fast-as-possible", "--connections", 32, "--duplicates", 0.05, "--shuffle", 7200)
ROWS = 4798


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
        for role, share in (("api", 0.15), ("relay", 0.35), ("redis", 0.55), ("postgres", 0.75)):
            until(lambda share=share: acknowledged(log) > share * ROWS, 60, f"{share} is in")
            killed = running.kill(role)
            until(lambda role=role: running.replaced(role, killed), 20, f"another {role}")
        told = json.loads(replay.stdout.read())
    took_s = until(lambda: running.verified("--ack-log", log)["ok"], 15, "verified")
    found = running.verified("--ack-log", log)

    print(told["durationS"], told["outcomes"], told["attempts"], took_s, found)
    assert replay.returncode == 0, told["problems"]
    assert told["acknowledged"] == told["planned"]["total"]
    assert found["acknowledged"] == told["planned"]["original"]
    assert found["lost"] == found["duplicated"] == found["different"] == 0


def acknowledged(log):
    try:
        return log.read_bytes().count(b'"status":201')
    except FileNotFoundError:
        return 0


def test_a_redis_that_is_emptied_is_filled_again_without_anybody(running):
    receipts = {name: running.store(a_packet(name, NOW_MS)) for name in ("p-1", "p-2", "p-3")}
    for name, receipt in receipts.items():
        until(lambda name=name, receipt=receipt: running.shows(name, receipt), 10, name)

    with Redis.from_url(running.ready["redisUrl"]) as redis:
        redis.flushall()
        key = "patient-risk:monitoring-snapshots:{}".format
        took_s = until(lambda: redis.exists(*map(key, receipts)) == len(receipts), 10, "all back")
    until(lambda: running.verified()["ok"], 10, "verified")
    print(took_s)
