"""What the supervisor says: one JSON object a line, on stderr."""

import json
import sys
from datetime import UTC, datetime


def tell(event: str, level: str = "info", **fields: object) -> None:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"ts": moment, "level": level, "event": event, "service": "vitalrelay", **fields}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
