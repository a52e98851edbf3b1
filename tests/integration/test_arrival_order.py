"""Real vital signs, two databases, two orders of arrival: one and the same result."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from persistence.engine import PoolPolicy, create_engine
from tests.fixtures import migrate
from vitalrelay.adapters.inbound.http.packet_in import read_packet
from vitalrelay.adapters.outbound.postgres.record import Names
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.domain.document import Document, parse_document
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet
from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.sources.catalogue import Format, Wanted, open_source
from vitalrelay.usecases.ingest_packets import IngestPackets

SEED = 7
SHOWN = ("vitals", "assessment", "asOfMs", "lastPacketId", "encounterId")
SNAPSHOTS = text("select payload::text from patient_monitoring_snapshot_projections")

NewDatabase = Callable[[], AbstractContextManager[str]]


@pytest.mark.clinical_data
async def test_the_order_of_arrival_cannot_be_told_from_vitals_and_assessment(
    clinical_data: Path, new_database: NewDatabase
) -> None:
    in_file_order = packets_of(clinical_data / "physionet2019")
    shuffled = random.Random(SEED).sample(in_file_order, len(in_file_order))

    with new_database() as one, new_database() as other:
        as_written = await snapshots_after(one, in_file_order, most=200)
        as_it_came = await snapshots_after(other, shuffled, most=64)

    assert len(as_written) == 60
    assert as_it_came == as_written


def packets_of(directory: Path) -> list[Packet]:
    wanted = Wanted(name=str(directory), format=Format("physionet2019"))
    source = open_source(wanted, Disturbance())
    return [read_packet(packet.body) for packet in source.packets]


async def snapshots_after(url: str, packets: Sequence[Packet], most: int) -> Mapping[str, Document]:
    migrate(url)
    engine = create_engine(url, PoolPolicy(size=2, command_timeout_s=30), "arrival-order")
    ingest = IngestPackets(
        begin=PostgresWork(engine, Names("x:", "x:latest")),
        assess=News2(),
        lease_for=timedelta(seconds=5),
    )
    try:
        for group in groups_of(packets, most):
            await ingest(group)
        async with engine.connect() as connection:
            payloads = (await connection.scalars(SNAPSHOTS)).all()
    finally:
        await engine.dispose()
    documents = [parse_document(payload) for payload in payloads]
    return {one["subjectId"]: {name: one[name] for name in SHOWN} for one in documents}


def groups_of(packets: Sequence[Packet], most: int) -> Iterator[Sequence[Packet]]:
    for start in range(0, len(packets), most):
        yield packets[start : start + most]
