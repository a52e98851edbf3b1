"""A replay as a command: what is said where, which signals end it, and the exit status."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from vitalrelay.replay.console import Onlooker, show
from vitalrelay.replay.errors import CannotReplay
from vitalrelay.replay.order import Order
from vitalrelay.replay.plan import Plan
from vitalrelay.replay.report import html_report
from vitalrelay.replay.run import replay
from vitalrelay.replay.summary import Summary
from vitalrelay.runtime import new_event_loop


def obey(options: Mapping[str, Any]) -> int:
    """Do what the options of an Order say. Returns the exit status, and never raises for usage."""
    try:
        return _carry_out(Order(**options))
    except CannotReplay as error:
        _say(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        _say("interrupted")
        return 128 + signal.SIGINT


def _carry_out(order: Order) -> int:
    plan = order.plan()
    _say(
        f"{plan.source.name} ({plan.source.format}) to {plan.target.url},"
        f" {plan.pace_in_words()}, {plan.connections} connections"
    )
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        summary, signalled = runner.run(_until_signalled(plan))
    _report(summary, order)
    if signalled:
        return 128 + signalled
    return 0 if summary.ok else 1


async def _until_signalled(plan: Plan) -> tuple[Summary, int]:
    """The summary, and the signal that ended it early or 0; a second signal ends it at once."""
    loop, stop, caught = asyncio.get_running_loop(), asyncio.Event(), [0]

    def on(number: int) -> None:
        caught[0] = number
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on, int(number))
    with Onlooker(Console(stderr=True)) as onlooker:
        return await replay(plan, onlooker.look, stop), caught[0]


def _report(summary: Summary, order: Order) -> None:
    if order.json:
        sys.stdout.write(json.dumps(summary.document()) + "\n")
    else:
        show(summary, Console())
    if order.report is not None:
        _write(html_report(summary), order.report)


def _write(text: str, path: Path) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CannotReplay(f"{path}: {error.strerror}") from None


def _say(line: str) -> None:
    """On stderr: stdout is for the result."""
    sys.stderr.write(f"vitalrelay replay: {line}\n")
