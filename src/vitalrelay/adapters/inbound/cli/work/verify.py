"""``vitalrelay verify``: the question put, and its answer in words or as JSON."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from vitalrelay.adapters.inbound.cli.terminal import answer, answer_json, say
from vitalrelay.adapters.inbound.cli.tools import Tools
from vitalrelay.adapters.inbound.cli.work.acknowledged import acknowledged_in
from vitalrelay.domain.packet import PacketId
from vitalrelay.usecases.verify import Verification


def verify(tools: Tools, logs: Sequence[Path], *, repair: bool, as_json: bool) -> int:
    """The exit status."""
    acknowledged: set[PacketId] = set()
    for log in logs:
        torn = acknowledged_in(log, acknowledged)
        if torn:
            say(f"{log}: the last line is torn and was left out")
    found = asyncio.run(_verify(tools, sorted(acknowledged), repair))
    if as_json:
        answer_json("verify", document(found))
    else:
        answer(words(found))
    return 0 if found.ok else 1


async def _verify(tools: Tools, acknowledged: Sequence[PacketId], repair: bool) -> Verification:
    async with tools.operations() as operations:
        return await operations.verify(acknowledged, repair)


def document(found: Verification) -> dict[str, object]:
    return {
        "ok": found.ok,
        "acknowledged": found.acknowledged,
        "lost": found.lost,
        "duplicated": found.duplicated,
        "patients": found.patients,
        "unpublished": found.unpublished,
        "different": found.different,
        "orphans": found.orphans,
        "assessmentsRecomputed": found.assessments_recomputed,
        "assessmentsDifferent": found.assessments_different,
        "auditEvents": found.audit_events,
        "auditBroken": found.audit_broken,
    }


def words(found: Verification) -> str:
    return "\n".join(
        (
            "all is well" if found.ok else "NOT as it should be",
            f"  packets     {found.acknowledged:,} acknowledged, {found.lost:,} lost,"
            f" {found.duplicated:,} stored twice",
            f"  screens     {found.patients:,} patients, {found.unpublished:,} unpublished,"
            f" {found.different:,} different, {found.orphans:,} documents of nobody",
            f"  assessments {found.assessments_recomputed:,} recomputed,"
            f" {found.assessments_different:,} different",
            f"  audit       {found.audit_events:,} events, {found.audit_broken:,} broken",
        )
    )
