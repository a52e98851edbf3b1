"""Which packets a client was told are safe, according to its acknowledgement log."""

import json
from pathlib import Path

from vitalrelay.adapters.inbound.cli.errors import WrongUsage
from vitalrelay.domain.packet import PacketId

ACKNOWLEDGED = {(201, "stored"), (200, "duplicate")}


def acknowledged_in(path: Path, packets: set[PacketId]) -> bool:
    """
    Add to ``packets`` those with at least one acknowledgement in the log.

    Returns whether its last line is torn, as a client that was killed leaves it. Raises WrongUsage
    for a log that cannot be read, or any other line that is none of such a log.
    """
    try:
        with path.open("rb") as log:
            for number, line in enumerate(log, start=1):
                try:
                    packet = _acknowledged(line)
                except (ValueError, KeyError, TypeError):
                    if not line.endswith(b"\n"):
                        return True
                    reason = "this is no line of an acknowledgement log"
                    raise WrongUsage(f"{path}:{number}: {reason}") from None
                if packet is not None:
                    packets.add(packet)
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}") from None
    return False


def _acknowledged(line: bytes) -> PacketId | None:
    entry = json.loads(line)
    answer, packet = (entry["status"], entry["outcome"]), entry["packetId"]
    if answer not in ACKNOWLEDGED:
        return None
    if not isinstance(packet, str):
        raise TypeError
    return PacketId(packet)
