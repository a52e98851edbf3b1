"""``vitalrelay up`` as a process, seen only from outside: HTTP, its commands, its process ids."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

COMMAND = (sys.executable, "-m", "vitalrelay")
OURS = ("DATABASE_URL", "REDIS_URL", "VITALRELAY_")
READY_WITHIN_S = 60.0
POLL_S = 0.05


def clean_environment() -> dict[str, str]:
    """Without settings of ours: what is started here has servers of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


class Installation:
    """``directory`` is its own; what it says on stderr is in the file ``words``."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.words = directory / "words"
        self._options = ("--data-dir", str(directory / "data"), "--port", "0", *options)
        self.ready: dict = {}

    def __enter__(self) -> "Installation":
        self.directory.mkdir(exist_ok=True)
        with self.words.open("ab") as words:
            self.process = subprocess.Popen(
                [*COMMAND, "up", *self._options],
                stdout=subprocess.PIPE,
                stderr=words,
                env=clean_environment(),
                cwd=self.directory,
            )
        self.first_line = self.process.stdout.readline()
        assert self.first_line, self.words.read_text()
        self.ready = json.loads(self.first_line)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.rest_of_stdout = self.process.stdout.read()
        self.process.wait()
        self.process.stdout.close()

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> float:
        """The seconds it took."""
        began = time.monotonic()
        self.process.send_signal(with_signal)
        self.process.wait(30)
        return time.monotonic() - began

    def pids(self) -> dict:
        return json.loads((self.directory / "data" / "pids.json").read_text())

    def kill(self, role: str) -> int:
        """SIGKILL to the first process of that role; its id."""
        pid = self._pid(role)
        os.kill(pid, signal.SIGKILL)
        return pid

    def replaced(self, role: str, pid: int) -> bool:
        return self._pid(role) not in (pid, None)

    def _pid(self, role: str) -> int | None:
        found = self.pids()[role]
        return (found or [None])[0] if isinstance(found, list) else found

    def answers(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def request(self, method: str, path: str, content: object = None) -> tuple[int, dict]:
        status, body = self._exchange(method, path, content)
        return status, json.loads(body)

    def text(self, path: str) -> str:
        return self._exchange("GET", path)[1].decode()

    def _exchange(self, method: str, path: str, content: object = None) -> tuple[int, bytes]:
        place = urlsplit(self.ready["apiUrl"])
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=2)
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def store(self, packet: dict) -> dict:
        """The receipt, from a client that repeats until it has one, as clients do."""
        receipts = []

        def stored() -> bool:
            try:
                status, receipt = self.request("POST", "/v1/signal-packets", packet)
            except (OSError, http.client.HTTPException):
                return False
            receipts.append(receipt)
            return status in (200, 201)

        until(stored, 20, "an acknowledgement")
        return receipts[-1]

    def shows(self, subject: str, receipt: dict) -> bool:
        """Whether Redis has what that receipt promised."""
        where = f"/v1/subjects/{subject}/snapshot"
        _, snapshot = self.request("GET", where)
        return snapshot.get("fingerprint") == receipt["projection"]["fingerprint"]

    def environment(self) -> dict[str, str]:
        """With which the other commands find it."""
        servers = {"DATABASE_URL": "databaseUrl", "REDIS_URL": "redisUrl"}
        return clean_environment() | {name: self.ready[key] for name, key in servers.items()}

    def command(self, *arguments: object) -> list[str]:
        return [*COMMAND, *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def verified(self, within_s: float, *options: object) -> dict:
        """What verify found once all was well; fails with the last it found, if that takes long."""
        deadline = time.monotonic() + within_s
        found = json.loads(self.run("verify", "--json", *options).stdout)
        while not found["ok"]:
            assert time.monotonic() < deadline, found
            found = json.loads(self.run("verify", "--json", *options).stdout)
        return found


def a_packet(subject: str, at_ms: int, **values: object) -> dict:
    return {
        "siteId": "site",
        "deviceId": f"bed-{subject}",
        "subjectId": subject,
        "timestampMs": at_ms,
        "signals": [
            {"code": code, "value": value} for code, value in (values or {"heart_rate": 81}).items()
        ],
    }


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat")
        os.kill(pid, 0)
        return not stat.exists() or ") Z " not in stat.read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def until(happened: Callable[[], object], within_s: float, what: str) -> float:
    """The seconds it took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {what}"
        time.sleep(POLL_S)
    return time.monotonic() - began
