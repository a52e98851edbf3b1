"""
A gigabyte of NDJSON in one request to one API process: how much memory that takes above idle.

Idle is the process after a small batch. From there on the kernel keeps its highest resident memory
(``VmHWM``, begun anew through ``clear_refs``), so that nothing in between is missed.
"""

from pathlib import Path

from bench.bulk import Bulk, send
from bench.figures.stream import highest_memory_mb, one_api
from bench.ground import Ground, run_sql
from bench.load import packets
from bench.report import Figure

ASKED_MB, BYTES = 64, 1_000_000_000
FIRST, PATIENTS = 1_000, 400
COUNT = "select count(*) from patient_signal_packets"


def measure(ground: Ground, processes: int) -> list[Figure]:
    """``processes`` is for the other figures: here it is the one that is asked about."""
    database_url = ground.database("gigabyte")
    lines = BYTES // len(next(packets(0))) * 102 // 100
    with one_api(ground, database_url) as (url, pid):
        send(Bulk(url=url, packets=FIRST, patients=PATIENTS, streams=1))
        forget_the_highest(pid)
        idle_mb = highest_memory_mb(pid)
        sent = send(Bulk(url=url, packets=lines, patients=PATIENTS, streams=1))
        highest_mb = highest_memory_mb(pid)
    assert sent.body_bytes >= BYTES, sent.body_bytes
    assert run_sql(database_url, COUNT) == [(FIRST + lines,)]
    above_mb = highest_mb - idle_mb
    details = {
        "idle": f"{idle_mb:.0f} MB",
        "highest": f"{highest_mb:.0f} MB",
        "sent": f"{sent.body_bytes:,} bytes, {lines:,} packets, all of them stored",
        "took": f"{sent.seconds:.0f} s, {lines / sent.seconds:,.0f} packets/s",
    }
    name = "a gigabyte in one request, memory above idle, MB"
    return [Figure(name, round(above_mb, 1), f"≤ {ASKED_MB} MB", above_mb <= ASKED_MB, details)]


def forget_the_highest(pid: int) -> None:
    """What is resident now is the highest so far."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
