"""``vitalrelay projections``: on-call's questions, and owing anew with the number said first."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from vitalrelay.adapters.inbound.cli.errors import NotFine, WrongUsage
from vitalrelay.adapters.inbound.cli.terminal import (
    answer,
    answer_json,
    confirm,
    counted,
    say,
)
from vitalrelay.adapters.inbound.cli.tools import Operations, Tools
from vitalrelay.adapters.inbound.cli.work.projection_table import document, table
from vitalrelay.domain.errors import CountChanged, NotFound
from vitalrelay.domain.on_call import ProjectionFilter, ProjectionState
from vitalrelay.domain.packet import ID, SubjectId
from vitalrelay.domain.projection import ProjectionId, ProjectionStatus, projection_id

log = structlog.get_logger()

T = TypeVar("T")

PREFIX = projection_id(SubjectId(""))
PAGE = 500
LONGEST_DAYS = 36_500
DURATION = re.compile(r"(\d{1,9})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Consent:
    """How sure whoever calls is, and why."""

    yes: bool
    dry_run: bool
    expect: int | None
    reason: str
    as_json: bool


def filter_of(
    status: str | None, older_than: str | None, subject: str | None, projection: str | None = None
) -> ProjectionFilter:
    """Raises WrongUsage."""
    if projection is not None and subject is not None:
        raise WrongUsage("a projection and --subject exclude each other")
    named = projection if subject is None else subject
    return ProjectionFilter(
        status=None if status is None else ProjectionStatus(status),
        older_than=None if older_than is None else _duration(older_than),
        subject=None if named is None else _subject(named),
    )


def list_them(tools: Tools, which: ProjectionFilter, limit: int, *, as_json: bool) -> None:
    async def ask(operations: Operations) -> list[ProjectionState]:
        found: list[ProjectionState] = []
        page = await operations.projections.some(which, min(PAGE, limit + 1))
        while page and len(found) <= limit:
            found += page
            after = page[-1].projection_id
            page = await operations.projections.some(which, min(PAGE, limit + 1), after)
        return found

    found = _asked(tools, ask)
    more, found = len(found) > limit, found[:limit]
    found.sort(key=_owed_longest_first)
    if as_json:
        answer_json("projections", {"items": [document(one) for one in found], "more": more})
    else:
        answer(table(found))
    if more:
        say(f"there are more than {limit}; --limit shows more of them")


def show_one(tools: Tools, projection: str, *, as_json: bool) -> None:
    name = projection_id(_subject(projection))
    try:
        found = _asked(tools, lambda of: of.projections.one(name))
    except NotFound:
        raise NotFine(f"there is no projection {name}") from None
    if as_json:
        answer_json("projection", document(found))
    else:
        answer("\n".join(f"{name:17} {value}" for name, value in document(found).items()))


def retry_them(tools: Tools, which: ProjectionFilter, consent: Consent) -> None:
    matching = _asked(tools, lambda of: of.projections.count(which))
    _agree(matching, "owed anew, as their next version", consent)
    changed = 0
    if not consent.dry_run:
        try:
            changed = _asked(tools, lambda of: of.projections.retry_all(which, matching))
        except CountChanged as error:
            raise NotFine(f"{matching} matched and now {error.matching} do: {error}") from None
    _report("projections-retry", matching, changed, consent)


def rebuild_all(tools: Tools, consent: Consent) -> None:
    summary = _asked(tools, lambda of: of.projections.summary())
    _agree(summary.published, "owed again", consent)
    owed = 0 if consent.dry_run else _asked(tools, lambda of: of.reconcile.rebuild())
    _report("projections-rebuild", summary.published, owed, consent)


def _asked(tools: Tools, ask: Callable[[Operations], Awaitable[T]]) -> T:
    async def session() -> T:
        async with tools.operations() as operations:
            return await ask(operations)

    return asyncio.run(session())


def _agree(matching: int, what: str, consent: Consent) -> None:
    """Says how many, and returns if that is agreed upon. Raises NotFine and WrongUsage."""
    say(f"this concerns {counted(matching, 'projection')}, to be {what}")
    if consent.expect is not None and consent.expect != matching:
        raise NotFine(f"{consent.expect:,} were expected; nothing was changed")
    if not consent.dry_run:
        confirm("Go on?", yes=consent.yes, silent=consent.as_json)


def _report(schema: str, matching: int, changed: int, consent: Consent) -> None:
    if changed:
        log.info("projections-owed", count=changed, reason=consent.reason)
    if consent.as_json:
        document = {"matched": matching, "changed": changed, "skipped": matching - changed}
        answer_json(schema, {**document, "dryRun": consent.dry_run, "reason": consent.reason})
    elif not consent.dry_run:
        answer(f"{counted(changed, 'projection')} owed")


def _subject(text: str) -> SubjectId:
    """Of a patient's id, or of a projection's."""
    subject = text.removeprefix(PREFIX)
    if not ID.fullmatch(subject):
        raise WrongUsage(f"{text}: this cannot be a patient")
    return SubjectId(subject)


def _duration(text: str) -> timedelta:
    match = DURATION.fullmatch(text)
    if match is None:
        raise WrongUsage(f"--older-than {text}: a duration is like 60s, 5m, 2h or 1d")
    try:
        duration = timedelta(**{UNITS[match[2]]: int(match[1])})
    except OverflowError:
        duration = timedelta.max
    return min(duration, timedelta(days=LONGEST_DAYS))


def _owed_longest_first(state: ProjectionState) -> tuple[int, ProjectionId]:
    return state.pending_since_ms or sys.maxsize, state.projection_id
