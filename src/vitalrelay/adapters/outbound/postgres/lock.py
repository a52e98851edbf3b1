"""
Locking, in id order, as everybody does who takes more than one of these rows.

The row of a new patient was made while its packet was recorded; version 0 is an empty chart.
"""

from collections.abc import Mapping, Sequence

from asyncpg import Record
from msgspec.structs import replace
from sqlalchemy import TextClause, text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.adapters.outbound.postgres.packet_rows import received_from
from vitalrelay.adapters.outbound.postgres.recent import NOTHING, Known, RecentSnapshots
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import parse_document, snapshot_from
from vitalrelay.domain.hearing import Hearing
from vitalrelay.domain.packet import EncounterId, Received, SubjectId
from vitalrelay.domain.projection import projection_id
from vitalrelay.domain.snapshot import Encounter, Snapshot, folded

# What a chart is made of. Nobody spells out or sends a document that is known here.
OF_A_CHART = """
    demo_subject_id as subject, version, payload_fingerprint as fingerprint,
    case
        when payload_fingerprint in (select unnest(cast(:known as text[]))) then null
        else payload::text
    end as document,
    cadence_ms,
    floor(extract(epoch from heard_at) * 1000)::bigint as heard_ms,
    floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms
"""

LOCK = text(f"""
    select {OF_A_CHART}
    from patient_monitoring_snapshot_projections
    where projection_id = any(cast(:projection_ids as text[]))
    order by projection_id
    for update
""")  # noqa: S608  # the columns above

# Nobody is waited for: whoever holds one of these brings the patient up to date anyway.
LOCK_DUE = text(f"""
    select {OF_A_CHART}
    from patient_monitoring_snapshot_projections
    where look_at <= now()
    order by look_at
    limit :limit
    for update skip locked
""")  # noqa: S608  # the columns above

RECALL = text("""
    select p.packet_id, p.payload::text as payload,
        floor(extract(epoch from p.received_at) * 1000)::bigint as received_ms
    from patient_signal_packets p
    join unnest(cast(:subjects as text[]), cast(:encounters as text[]))
        as stay(subject_id, encounter_id)
        on p.demo_subject_id = stay.subject_id and p.encounter_id = stay.encounter_id
    where p.packet_id <> all(cast(:new as text[]))
""")

Stay = tuple[SubjectId, EncounterId]


async def lock(
    transaction: Transaction, new: Sequence[Received], recent: RecentSnapshots
) -> list[Chart]:
    if not new:
        return []
    subjects = {received.packet.subject for received in new}
    ids = [projection_id(subject) for subject in subjects]
    known = recent.of(subjects)
    charts = await charts_of(transaction, LOCK, {"projection_ids": ids}, known)
    stays = await _recall(transaction, _not_current(charts, new), new)
    for chart in charts:
        chart.recall(stays.get(chart.subject, {}))
    return charts


async def lock_patient(
    transaction: Transaction, subject: SubjectId, recent: RecentSnapshots
) -> Chart:
    ids = [projection_id(subject)]
    [chart] = await charts_of(transaction, LOCK, {"projection_ids": ids}, recent.of([subject]))
    return chart


async def lock_due(transaction: Transaction, limit: int) -> list[Chart]:
    return await charts_of(transaction, LOCK_DUE, {"limit": limit}, NOTHING)


async def charts_of(
    transaction: Transaction,
    statement: TextClause,
    parameters: Mapping[str, object],
    known: Known,
) -> list[Chart]:
    rows = await transaction.fetch(statement, {**parameters, "known": list(known)})
    return [_chart_from(row, known) for row in rows]


def _chart_from(row: Record, known: Known) -> Chart:
    subject, version, fingerprint, document, cadence_ms, heard_ms, now_ms = row
    if not version:
        snapshot = Snapshot(subject=subject)
    elif document is None:
        snapshot = replace(known[fingerprint], version=version)
    else:
        snapshot = snapshot_from(parse_document(document), version)
    return Chart(snapshot, Hearing(heard_ms, cadence_ms), now_ms)


def _not_current(charts: Sequence[Chart], new: Sequence[Received]) -> set[Stay]:
    """The encounters that packets belong to and that are not the ones shown."""
    snapshots = [chart.snapshot for chart in charts]
    current = {s.subject: s.encounter.id for s in snapshots if s.encounter is not None}
    return {
        (packet.subject, packet.encounter)
        for packet in (received.packet for received in new)
        if current.get(packet.subject, packet.encounter) != packet.encounter
    }


async def _recall(
    transaction: Transaction, wanted: set[Stay], new: Sequence[Received]
) -> Mapping[SubjectId, Mapping[EncounterId, Encounter]]:
    if not wanted:
        return {}
    parameters = {
        "subjects": [subject for subject, _ in wanted],
        "encounters": [encounter for _, encounter in wanted],
        "new": [received.packet.id for received in new],
    }
    packets: dict[Stay, list[Received]] = {}
    for row in await transaction.fetch(RECALL, parameters):
        received = received_from(row)
        packets.setdefault((received.packet.subject, received.packet.encounter), []).append(
            received
        )
    stays: dict[SubjectId, dict[EncounterId, Encounter]] = {}
    for (subject, encounter), history in packets.items():
        stays.setdefault(subject, {})[encounter] = folded(history)
    return stays
