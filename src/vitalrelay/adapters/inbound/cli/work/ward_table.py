"""A ward as a table: risk as word, shape and colour; what is old or missing is said aloud."""

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from vitalrelay.adapters.inbound.cli.work.ward_feed import Look, Snapshot

OLD_S: Final = 60.0
FRESH_S: Final = 10.0

RISKS: Final = {
    "high": ("▲ high", "bold white on red"),
    "medium": ("◆ medium", "bold black on yellow"),
    "low-medium": ("◇ low-medium", "yellow"),
    "low": ("● low", "green"),
    "unknown": ("? unknown", "bold magenta"),
}
VITALS: Final = {
    "heart_rate": "HR /min",
    "respiratory_rate": "RR /min",
    "spo2": "SpO₂ %",
    "supplemental_oxygen": "O₂",
    "systolic_bp": "BP mmHg",
    "temperature": "T °C",
    "consciousness": "ACVPU",
}
ALARM_SHAPES: Final = {"high": "▲", "medium": "◆", "low": "◇"}


def ward_table(look: Look, rows: int) -> Table:
    """The first ``rows`` patients, and how many are left out."""
    left_out = len(look.patients) - rows
    caption = f"and {left_out} more, less urgent" if left_out > 0 else None
    table = Table("patient", "risk", "score", box=None, pad_edge=False, caption=caption)
    for name in VITALS.values():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("alarms")
    table.add_column("version", justify="right")
    for snapshot in look.patients[:rows]:
        vitals = (vital(snapshot, code, look.at_ms) for code in VITALS)
        patient, version = snapshot["subjectId"], str(snapshot["version"])
        table.add_row(patient, risk(snapshot), score(snapshot), *vitals, alarms(snapshot), version)
    return table


def risk(snapshot: Snapshot) -> Text:
    word, style = RISKS[(snapshot["assessment"] or {}).get("riskLevel", "unknown")]
    return Text(word, style)


def score(snapshot: Snapshot) -> Text:
    """``7``; or ``5-8``, and what would have to be known to be sure."""
    assessment: Mapping[str, Any] = snapshot["assessment"] or {}
    if assessment.get("score") is None:
        return Text("nothing known", "magenta")
    if assessment["completeness"] == "complete":
        return Text(f"{assessment['score']}")
    missing = ", ".join(name.replace("_", " ") for name in assessment["missing"])
    return Text(f"{assessment['score']}-{assessment['scoreUpperBound']} no {missing}", "magenta")


def vital(snapshot: Snapshot, code: str, now_ms: int) -> Text:
    """The value; with its age once that is worth a thought, and louder when it is old."""
    found = snapshot["vitals"].get(code)
    if found is None:
        return Text("-", "dim")
    text = in_words(found["value"]) + ("" if found["quality"] == "good" else "?")
    age_s = max(now_ms - found["measuredAtMs"], 0) / 1000
    if age_s < FRESH_S:
        return Text(text)
    return Text(f"{text} ({spoken(age_s)})", "dim" if age_s < OLD_S else "bold magenta")


def in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def alarms(snapshot: Snapshot) -> Text:
    words = [
        f"{ALARM_SHAPES[alarm['priority']]} {alarm['condition']}"
        + ("" if alarm["state"] == "active" else f" ({alarm['state'].replace('_', ' ')})")
        for alarm in snapshot["alarms"]
    ]
    return Text(", ".join(words))


def spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
