"""``vitalrelay doctor``: the findings in words or as JSON."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from vitalrelay.adapters.inbound.cli.terminal import answer, answer_json
from vitalrelay.adapters.inbound.cli.tools import Finding, Tools


def examine(tools: Tools, data_dir: Path, *, only_ingest: bool, quiet: bool, as_json: bool) -> int:
    """The exit status."""

    async def findings() -> Sequence[Finding]:
        return await tools.diagnose(only_ingest, data_dir)

    found = asyncio.run(findings())
    ok = all(finding.status != "fail" for finding in found)
    if as_json:
        answer_json("doctor", {"ok": ok, "checks": [_document(finding) for finding in found]})
    elif not quiet:
        for finding in found:
            answer(_words(finding))
        answer("able to work" if ok else "NOT able to work")
    return 0 if ok else 1


def _document(finding: Finding) -> dict[str, str]:
    return {
        "name": finding.name,
        "status": finding.status,
        "detail": finding.detail,
        "fix": finding.fix,
    }


def _words(finding: Finding) -> str:
    line = f"{finding.status:4}  {finding.name:24}  {finding.detail}"
    return f"{line}\n{'':32}to do: {finding.fix}" if finding.fix else line
