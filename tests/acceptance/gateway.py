"""A bedside gateway: one stream of packets on a schedule, each repeated until it is answered."""

import http.client
import json
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

SAFE = (200, 201)
PATH = "/v1/signal-packets/batch"
ANSWERS_WITHIN_S = 10.0
PAUSE_S = 0.05


class Gateway:
    """
    Packets go out in their order, after a break as well: from the first without an answer on. It
    is one stream, so they stand in line for a commit in that order, too.

    What was promised is in ``log``, in the words of an acknowledgement log.
    """

    def __init__(self, api_url: str, packets: Sequence[dict], per_second: float, log: Path) -> None:
        self._host = urlsplit(api_url).netloc
        self._packets = {_id(packet): json.dumps(packet).encode() + b"\n" for packet in packets}
        self._apart_s = 1 / per_second
        self._log = log
        self._answered: set[str] = set()
        self._last_answer = 0.0
        self.streams = 0

    @property
    def acknowledged(self) -> int:
        return len(self._answered)

    @property
    def part_acknowledged(self) -> float:
        return self.acknowledged / len(self._packets)

    @property
    def per_second(self) -> float:
        """What was acknowledged in the end, over the time from the first packet to the last."""
        return self.acknowledged / (self._last_answer - self._began)

    def deliver(self, give_up_after_s: float) -> None:
        self._began = time.monotonic()
        while self.acknowledged < len(self._packets):
            assert time.monotonic() - self._began < give_up_after_s, self.acknowledged
            stream = http.client.HTTPConnection(self._host, timeout=ANSWERS_WITHIN_S)
            try:
                self._stream(stream)
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE_S)
            finally:
                stream.close()

    def _stream(self, stream: http.client.HTTPConnection) -> None:
        stream.putrequest("POST", PATH)
        stream.putheader("Content-Type", "application/x-ndjson")
        stream.putheader("Transfer-Encoding", "chunked")
        stream.endheaders()
        stream.auto_open = 0  # what was cut is not continued on another connection
        self.streams += 1
        over = Event()
        listener = Thread(target=self._listen, args=(stream, over))
        listener.start()
        try:
            self._send(stream, over)
        finally:
            listener.join()

    def _send(self, stream: http.client.HTTPConnection, over: Event) -> None:
        for number, (packet, line) in enumerate(self._packets.items()):
            if packet in self._answered:
                continue
            due_s = self._began + number * self._apart_s - time.monotonic()
            if over.wait(max(0, due_s)):
                return
            stream.send(b"%x\r\n%b\r\n" % (len(line), line))
        stream.send(b"0\r\n\r\n")

    def _listen(self, stream: http.client.HTTPConnection, over: Event) -> None:
        try:
            answer = stream.getresponse()
            with self._log.open("a") as log:
                while line := answer.readline():
                    self._hear(json.loads(line), log)
        except (OSError, ValueError, http.client.HTTPException):
            pass  # cut: what was not heard is sent again
        finally:
            over.set()

    def _hear(self, said: dict, log: object) -> None:
        if said.get("status") not in SAFE:
            return  # the summary, or not stored yet
        log.write(json.dumps(said) + "\n")
        self._answered.add(said["packetId"])
        self._last_answer = time.monotonic()


def _id(packet: dict) -> str:
    parts = (packet["siteId"], packet["deviceId"], packet["timestampMs"], packet["sequence"])
    return ":".join(map(str, parts))
