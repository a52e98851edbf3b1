"""What PostgreSQL has of one patient in the end: packets, audit trail, and the wanted document."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from vitalrelay.adapters.outbound.postgres.packet_rows import received_from
from vitalrelay.domain.audit import Link
from vitalrelay.domain.chain_check import StoredEvent
from vitalrelay.domain.document import Document, parse_document
from vitalrelay.domain.packet import Received

# One transaction has one now(), and those of packets follow each other, one at a time. Within one
# they are folded as they stood in line: from one gateway, on one stream, by their sequence.
PACKETS = """
    select packet_id, payload::text as payload, created_at,
        floor(extract(epoch from received_at) * 1000)::bigint as received_ms
    from patient_signal_packets
    where demo_subject_id = $1
    order by created_at, (payload ->> 'sequence')::bigint
"""
EVENTS = """
    select seq, previous_hash, hash, payload::text as payload
    from patient_alarm_audit_events
    where site_id = $1
    order by seq
"""
HEAD = "select seq, hash from patient_alarm_audit_chains where site_id = $1"
WANTED = """
    select version, payload::text as document
    from patient_monitoring_snapshot_projections
    where demo_subject_id = $1
"""


@dataclass(frozen=True, slots=True)
class Written:
    """``commits``: packets by the transaction that stored them, and as they stood in line."""

    commits: Sequence[Sequence[Received]]
    events: Sequence[StoredEvent]
    head: Link
    version: int
    document: Document

    @property
    def records(self) -> list[Document]:
        return [event.record for event in self.events]

    def told(self) -> Mapping[int, Sequence[Document]]:
        """The records by the version of the snapshot that they came with."""
        told = defaultdict(list)
        for record in self.records:
            told[version_of(record)].append(record)
        return told


def version_of(record: Document) -> int:
    ordinal = record["eventId"].split(":")[1]
    return int(ordinal.split(".")[0])


async def read_written(database_url: str, subject: str, site: str) -> Written:
    connection = await asyncpg.connect(database_url)
    try:
        commits = defaultdict(list)
        for row in await connection.fetch(PACKETS, subject):
            commits[row["created_at"]].append(received_from(row))
        events = [
            StoredEvent(seq, previous, digest, parse_document(payload))
            for seq, previous, digest, payload in await connection.fetch(EVENTS, site)
        ]
        head = Link(*await connection.fetchrow(HEAD, site))
        version, document = await connection.fetchrow(WANTED, subject)
    finally:
        await connection.close()
    return Written(list(commits.values()), events, head, version, parse_document(document))
