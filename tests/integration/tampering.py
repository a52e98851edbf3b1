"""What a superuser may do to the audit trail of Seoul, once its guard is off."""

from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from vitalrelay.domain.audit import chain_hash
from vitalrelay.domain.document import parse_document

Tampering = Callable[[AsyncConnection], Awaitable[None]]

EVENTS, HEADS = "patient_alarm_audit_events", "patient_alarm_audit_chains"
GUARD = "patient_alarm_audit_events_append_only"
SEOUL = "site_id = 'seoul-01'"
LAST = f"(select max(seq) from {EVENTS} where {SEOUL})"


def by(*statements: str) -> Tampering:
    async def tamper(connection: AsyncConnection) -> None:
        for statement in statements:
            changed = await connection.execute(text(statement))
            assert changed.rowcount > 0

    return tamper


def each(*steps: Tampering) -> Tampering:
    async def tamper(connection: AsyncConnection) -> None:
        for step in steps:
            await step(connection)

    return tamper


def hashed(first: int, last: int | None = None) -> Tampering:
    """Give these records the hashes that their content, and the hash before, ask for."""

    async def tamper(connection: AsyncConnection) -> None:
        rows = await connection.execute(
            text(f"select seq, hash, payload::text from {EVENTS} where {SEOUL} order by seq")
        )
        before = "0" * 64
        for seq, known, payload in rows.all():
            new = known
            if first <= seq <= (last or seq):
                new = chain_hash(before, parse_document(payload))
                await connection.execute(
                    text(f"""
                        update {EVENTS} set previous_hash = :before, hash = :hash
                        where {SEOUL} and seq = :seq
                    """),
                    {"before": before, "hash": new, "seq": seq},
                )
            before = new

    return tamper


def column(name: str, value: str) -> Tampering:
    return by(f"update {EVENTS} set {name} = {value} where {SEOUL} and seq = 2")


def record(path: str, value: str, seq: str = "2") -> Tampering:
    """``value`` is JSON; what stands beside the record follows it."""
    return by(
        f"""
        update {EVENTS} set payload = jsonb_set(payload, '{path}', '{value}')
        where {SEOUL} and seq = {seq}
        """,
        f"update {EVENTS} set event_id = event_id || '-'",
        f"""
        update {EVENTS} set event_id = payload ->> 'eventId', action = payload ->> 'action',
            alarm_id = coalesce(payload ->> 'alarmId', payload ->> 'reviewItemId'),
            actor_ref = payload ->> 'actorRef', reason = payload ->> 'reason',
            occurred_at_ms = (payload ->> 'occurredAtMs')::bigint
        """,
    )


def removed(which: str) -> Tampering:
    return by(f"delete from {EVENTS} where {SEOUL} and {which}")


HEAD_ON_THE_LAST = by(
    f"""
    update {HEADS} head set seq = last.seq, hash = last.hash
    from {EVENTS} last
    where head.{SEOUL} and last.{SEOUL} and last.seq = {LAST}
    """
)
REVIEW_NOT_RESOLVED = by(
    "update patient_review_queue set resolved_by = null where encounter_id = 'e-1'"
)


def swapped(*columns: str) -> Tampering:
    """Between the second record and the third."""
    changes = ", ".join(f"{name} = other.{name}" for name in columns)
    return by(
        f"""
        update {EVENTS} one set {changes}
        from {EVENTS} other
        where one.{SEOUL} and other.{SEOUL} and one.seq in (2, 3) and other.seq = 5 - one.seq
        """
    )


SWAPPED_PLACES = by(
    f"update {EVENTS} set seq = -1 where {SEOUL} and seq = 2",
    f"update {EVENTS} set seq = 2 where {SEOUL} and seq = 3",
    f"update {EVENTS} set seq = 3 where {SEOUL} and seq = -1",
)


def again(of: str, at: str, site: str = "seoul-01") -> Tampering:
    """A record of Seoul once more, under another id and in another place."""
    return by(
        f"""
        insert into {EVENTS} (
            event_id, alarm_id, demo_subject_id, site_id, action, actor_ref, reason,
            occurred_at_ms, payload, seq, previous_hash, hash
        )
        select 'p-1:1.99', alarm_id, demo_subject_id, '{site}', action, actor_ref, reason,
            occurred_at_ms, jsonb_set(payload, '{{eventId}}', '"p-1:1.99"'), {at}, previous_hash,
            hash
        from {EVENTS}
        where {SEOUL} and seq = {of}
        """
    )


ROOM_AFTER_THE_SECOND = by(
    f"update {EVENTS} set seq = seq + 1000 where {SEOUL} and seq > 2",
    f"update {EVENTS} set seq = seq - 999 where {SEOUL} and seq > 2",
)
INSERTED = each(ROOM_AFTER_THE_SECOND, again(of="2", at="3"))


async def told_in_busan(connection: AsyncConnection) -> None:
    """A record of Seoul, chained in Busan as it should be, head and all."""
    of_busan = text(f"select seq, hash from {HEADS} where site_id = 'busan-01'")
    head = (await connection.execute(of_busan)).one()
    await again(of="1", at=f"{head.seq} + 1", site="busan-01")(connection)
    of_event = text(f"select payload::text from {EVENTS} where event_id = 'p-1:1.99'")
    payload = (await connection.execute(of_event)).scalar_one()
    new = {"before": head.hash, "hash": chain_hash(head.hash, parse_document(payload))}
    await connection.execute(
        text(f"""
            update {EVENTS} set previous_hash = :before, hash = :hash
            where event_id = 'p-1:1.99'
        """),
        new,
    )
    await connection.execute(
        text(f"update {HEADS} set seq = seq + 1, hash = :hash where site_id = 'busan-01'"),
        new,
    )


EDITS: dict[str, Tampering] = {
    "another reason": record("{reason}", '"another"'),
    "another actor": record("{actorRef}", '"nurse-9"', LAST),
    "another state, deep within": record("{current,state}", '"acknowledged"'),
    "a field more": record("{more}", "1"),
    "a number that no record has": record("{more}", "1e400"),
    "no record at all": column("payload", "'[]'"),
    "a word for a record": column("payload", "'\"word\"'"),
    "a list for an id": column("payload", "jsonb_set(payload, '{alarmId}', '[]')"),
    "another hash": column("hash", "repeat('0', 64)"),
    "another hash before": column("previous_hash", "repeat('1', 64)"),
    "edited, with its hash": each(record("{reason}", '"another"'), hashed(2, 2)),
    "the last edited, with its hash": each(record("{reason}", '"another"', LAST), hashed(2)),
    "edited, with all hashes but the head's": each(record("{reason}", '"another"'), hashed(2)),
    "a state that none came before, with all hashes": each(
        record("{previous}", '{"state":"active"}', "1"), hashed(1), HEAD_ON_THE_LAST
    ),
    "a gap between numbers": each(ROOM_AFTER_THE_SECOND, HEAD_ON_THE_LAST),
    "another head": by(f"update {HEADS} set hash = repeat('0', 64) where {SEOUL}"),
    "a head further on": by(f"update {HEADS} set seq = seq + 1 where {SEOUL}"),
    "a head further back": by(f"update {HEADS} set seq = seq - 1 where {SEOUL}"),
}
BESIDE_THE_RECORD: dict[str, Tampering] = {
    "event_id": column("event_id", "'p-1:1.99'"),
    "alarm_id": column("alarm_id", "'p-1:news2-medium'"),
    "demo_subject_id": column("demo_subject_id", "'p-2'"),
    "action": column("action", "'muted'"),
    "actor_ref": column("actor_ref", "'nurse-9'"),
    "reason": column("reason", "'another'"),
    "occurred_at_ms": column("occurred_at_ms", "occurred_at_ms + 1"),
    "site_id": by(f"update {EVENTS} set site_id = 'nowhere' where {SEOUL} and seq = 1"),
}
REMOVALS: dict[str, Tampering] = {
    "the first": removed("seq = 1"),
    "one in the middle": removed("seq = 3"),
    "the last": removed(f"seq = {LAST}"),
    "the last, and the head put back": each(removed(f"seq = {LAST}"), HEAD_ON_THE_LAST),
    "all a nurse did, and the head put back": each(
        removed("actor_ref = 'nurse-7'"), HEAD_ON_THE_LAST, REVIEW_NOT_RESOLVED
    ),
    "the head": by(f"delete from {HEADS} where {SEOUL}"),
    "all but the head": removed("true"),
    "a whole site": each(removed("true"), by(f"delete from {HEADS} where {SEOUL}")),
    "everything": by(f"delete from {EVENTS}", f"delete from {HEADS}"),
}
SWAPS: dict[str, Tampering] = {
    "records": swapped("payload", "alarm_id", "action", "actor_ref", "reason"),
    "places": SWAPPED_PLACES,
    "hashes": swapped("previous_hash", "hash"),
    "places, with all hashes but the head's": each(SWAPPED_PLACES, hashed(2)),
}
INSERTIONS: dict[str, Tampering] = {
    "in the middle": INSERTED,
    "in the middle, with its hash": each(INSERTED, hashed(3, 3)),
    "in the middle, with all hashes but the head's": each(INSERTED, hashed(3)),
    "at the end, with its hash": each(again(of=LAST, at=f"{LAST} + 1"), hashed(2)),
    "at the start": again(of="1", at="0"),
    "in another site": told_in_busan,
    "in a site of its own": again(of="1", at="1", site="nowhere"),
}
