"""One schema, told three times: by the migrations, by the tables in the code, by the reference."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from alembic import command
from persistence.engine import PoolPolicy, create_engine
from tests.fixtures import migrate
from vitalrelay.adapters.outbound.postgres.schema import REVISIONS, create_missing_tables
from vitalrelay.adapters.outbound.postgres.tables import metadata
from vitalrelay.embedded.loopback import a_free_port

ROOT = Path(__file__).parents[2]
HEAD = REVISIONS[-1]

NewDatabase = Callable[[], AbstractContextManager[str]]
Facts = Mapping[str, list[tuple[Any, ...]]]

# What PostgreSQL says of itself. alembic_version is Alembic's, and nobody's schema.
CATALOGUE = {
    "relations": """
        select c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relreplident,
            array(select unnest(c.reloptions) order by 1),
            array(select unnest(t.reloptions) order by 1)
        from pg_class c left join pg_class t on t.oid = c.reltoastrelid
        where c.relnamespace = 'public'::regnamespace and c.relname !~ '^alembic_version'
        order by 1
    """,
    "columns": """
        select c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod),
            l.collname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity,
            a.attgenerated, a.attstorage, a.attcompression, a.attstattarget
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
        left join pg_collation l on l.oid = a.attcollation
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace and c.relname <> 'alembic_version'
            and a.attnum > 0 and not a.attisdropped
        order by 1, 3
    """,
    "constraints": """
        select conrelid::regclass::text, conname, contype, convalidated,
            pg_get_constraintdef(oid)
        from pg_constraint
        where connamespace = 'public'::regnamespace
            and conrelid <> coalesce(to_regclass('alembic_version'), 0)
        order by 1, 2
    """,
    "indexes": """
        select i.indrelid::regclass::text, i.indexrelid::regclass::text, i.indisunique,
            i.indisvalid, i.indnullsnotdistinct, pg_get_indexdef(i.indexrelid)
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where c.relnamespace = 'public'::regnamespace
            and i.indrelid <> coalesce(to_regclass('alembic_version'), 0)
        order by 1, 2
    """,
    "everything else": """
        select 'function', proname from pg_proc where pronamespace = 'public'::regnamespace
        union all select 'trigger', tgname from pg_trigger where not tgisinternal
        union all select 'policy', policyname from pg_policies
        union all select 'rule', rulename from pg_rules where schemaname = 'public'
        union all select 'schema', nspname from pg_namespace
            where nspname !~ '^pg_' and nspname <> 'information_schema'
        union all select 'extension', extname from pg_extension
        order by 1, 2
    """,
}

# In a schema that is right, each of these makes it wrong.
DIFFERENCES = [
    'alter table patient_signal_packets alter site_id type text collate "default"',
    "alter table patient_signal_packets alter timestamp_ms type integer",
    "alter table patient_signal_packets alter received_at set default now()",
    "alter table patient_signal_packets alter clock_suspect drop not null",
    "alter table patient_signal_packets alter payload set storage external",
    "alter table patient_signal_packets add surname text",
    "alter table patient_risk_assessments drop constraint"
    " patient_risk_assessments_risk_level_check",
    "alter table patient_alarm_audit_events drop constraint"
    " patient_alarm_audit_events_site_id_seq_key",
    "alter table patient_monitoring_snapshot_projections reset (fillfactor)",
    "drop index patient_monitoring_snapshot_projections_relay_idx;"
    " create index patient_monitoring_snapshot_projections_relay_idx"
    " on patient_monitoring_snapshot_projections (urgency desc, relay_at)",
    "alter table patient_monitoring_snapshot_projections drop constraint"
    " patient_monitoring_snapshot_projections_relay_check",
    "drop index patient_signal_packets_subject_time_idx;"
    " create index patient_signal_packets_subject_time_idx"
    " on patient_signal_packets (demo_subject_id, timestamp_ms)",
    "create table surprise (id bigint)",
    "create function surprise() returns integer language sql as 'select 1'",
]

# The storage reference: what is named there keeps its name and its type.
REFERENCE = {
    "patient_signal_packets": {
        "packet_id": "text",
        "site_id": "text",
        "device_id": "text",
        "demo_subject_id": "text",
        "timestamp_ms": "bigint",
        "payload": "jsonb",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    "patient_risk_assessments": {
        "assessment_key": "text",
        "encounter_id": "text",
        "model_name": "text",
        "horizon": "text",
        "risk_level": "text",
        "clinician_review_required": "boolean",
        "payload": "jsonb",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    "patient_review_queue": {
        "review_item_id": "text",
        "demo_subject_id": "text",
        "priority": "text",
        "last_updated_ms": "bigint",
        "payload": "jsonb",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    "patient_alarm_audit_events": {
        "event_id": "text",
        "alarm_id": "text",
        "demo_subject_id": "text",
        "action": "text",
        "actor_ref": "text",
        "occurred_at_ms": "bigint",
        "payload": "jsonb",
        "created_at": "timestamptz",
    },
    "patient_monitoring_snapshot_projections": {
        "projection_id": "text",
        "demo_subject_id": "text",
        "snapshot_key": "text",
        "latest_key": "text",
        "payload_fingerprint": "text",
        "payload": "jsonb",
        "status": "text",
        "attempt_count": "integer",
        "last_error": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
}

REFERENCE_INDEXES = {
    "patient_signal_packets_subject_time_idx": "(demo_subject_id, timestamp_ms DESC)",
    "patient_risk_assessments_encounter_idx": "(encounter_id, updated_at DESC)",
    "patient_review_queue_priority_time_idx": "(priority, last_updated_ms DESC)",
    "patient_alarm_audit_events_alarm_time_idx": "(alarm_id, occurred_at_ms DESC)",
}

ADDED = {
    "patient_signal_packets": {
        "encounter_id": "text",
        "received_at": "timestamptz",
        "content_fingerprint": "text",
        "clock_suspect": "boolean",
    },
    "patient_risk_assessments": {
        "model_version": "text",
        "packet_id": "text",
        "score": "integer",
        "completeness": "text",
        "assessed_at": "timestamptz",
    },
    "patient_review_queue": {"state": "text", "resolved_by": "text"},
    "patient_alarm_audit_events": {
        "reason": "text",
        "seq": "bigint",
        "previous_hash": "text",
        "hash": "text",
    },
    "patient_monitoring_snapshot_projections": {
        "version": "bigint",
        "published_version": "bigint",
        "due_at": "timestamptz",
        "lease_token": "uuid",
        "urgency": "smallint",
        "pending_since": "timestamptz",
        "published_at": "timestamptz",
    },
    "relay_state": {
        "incarnation": "bigint",
        "sentinel": "bigint",
        "last_sweep_at": "timestamptz",
    },
}

ALIASES = {"timestamp with time zone": "timestamptz"}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(url, PoolPolicy(size=1), "vitalrelay-schema-tests")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def facts_of(connection: AsyncConnection) -> Facts:
    return {
        name: [tuple(row) for row in await connection.execute(text(query))]
        for name, query in CATALOGUE.items()
    }


def alembic(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


async def downgrade(url: str) -> None:
    await asyncio.to_thread(command.downgrade, alembic(url), "base")


async def execute(url: str, *statements: str) -> None:
    async with connected(url) as connection:
        for statement in statements:
            await connection.execute(text(statement))
        await connection.commit()


async def relations(url: str) -> list[str]:
    async with connected(url) as connection:
        rows = await connection.scalars(
            text("select relname from pg_class where relnamespace = 'public'::regnamespace")
        )
        return sorted(rows)


@pytest.fixture(scope="module")
def migrated(new_database: NewDatabase) -> Iterator[str]:
    with new_database() as url:
        migrate(url)
        yield url


@pytest.fixture(scope="module")
async def created(new_database: NewDatabase) -> AsyncIterator[str]:
    """As the demo makes it where nothing is."""
    with new_database() as url:
        engine = create_engine(url, PoolPolicy(size=1), "vitalrelay-schema-tests")
        await create_missing_tables(engine)
        await engine.dispose()
        yield url


class TestOneSchema:
    async def test_migrations_and_tables_make_the_same(self, migrated: str, created: str) -> None:
        async with connected(migrated) as one, connected(created) as other:
            by_migrations, by_tables = await facts_of(one), await facts_of(other)

        for name in CATALOGUE:
            assert by_migrations[name] == by_tables[name]

    @pytest.mark.parametrize("difference", DIFFERENCES)
    async def test_a_difference_would_be_noticed(self, migrated: str, difference: str) -> None:
        async with connected(migrated) as connection:
            before = await facts_of(connection)
            for statement in difference.split("; "):
                await connection.execute(text(statement))

            after = await facts_of(connection)
            await connection.rollback()

        assert after != before

    async def test_alembic_would_change_nothing(self, migrated: str, created: str) -> None:
        def changes(connection: Connection) -> list[Any]:
            compared = {"compare_type": True, "compare_server_default": True}
            context = MigrationContext.configure(connection, opts=compared)
            return compare_metadata(context, metadata)

        for url in (migrated, created):
            async with connected(url) as connection:
                assert await connection.run_sync(changes) == []

    async def test_the_relay_has_its_row(self, migrated: str, created: str) -> None:
        for url in (migrated, created):
            async with connected(url) as connection:
                [row] = await connection.execute(text("select * from relay_state"))
                assert tuple(row) == (1, 1, 0, None)

    async def test_the_relay_has_no_second_row(self, migrated: str) -> None:
        async with connected(migrated) as connection:
            with pytest.raises(Exception, match="relay_state_one_row_check"):
                await connection.execute(text("insert into relay_state (id) values (2)"))

    async def test_making_it_again_changes_nothing(self, created: str) -> None:
        engine = create_engine(created, PoolPolicy(size=1), "vitalrelay-schema-tests")
        async with connected(created) as connection:
            before = await facts_of(connection)

        await create_missing_tables(engine)
        await engine.dispose()

        async with connected(created) as connection:
            assert await facts_of(connection) == before
            versions = await connection.scalars(text("select version_num from alembic_version"))
            assert list(versions) == [HEAD]

    async def test_a_demos_database_can_be_migrated_from_then_on(self, created: str) -> None:
        await asyncio.to_thread(command.upgrade, alembic(created), "head")
        await asyncio.to_thread(command.check, alembic(created))


class TestHistory:
    def test_the_code_knows_every_revision_and_their_order(self) -> None:
        scripts = ScriptDirectory.from_config(alembic("postgresql://nowhere/"))

        history = [script.revision for script in scripts.walk_revisions()]

        assert list(REVISIONS) == history[::-1]

    def test_history_is_one_line(self) -> None:
        scripts = ScriptDirectory.from_config(alembic("postgresql://nowhere/"))

        assert scripts.get_heads() == [HEAD]
        assert len(scripts.get_bases()) == 1

    async def test_down_leaves_nothing_and_up_again_makes_the_same(
        self, new_database: NewDatabase, migrated: str
    ) -> None:
        async with connected(migrated) as connection:
            expected = await facts_of(connection)
        with new_database() as url:
            migrate(url)
            await execute(url, "insert into patient_alarm_audit_chains values ('s', 1, 'h')")

            await downgrade(url)
            left = await relations(url)
            migrate(url)

            assert [name for name in left if not name.startswith("alembic_version")] == []
            async with connected(url) as connection:
                assert await facts_of(connection) == expected

    def test_the_statements_can_be_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        command.upgrade(alembic("postgresql://nowhere/"), "head", sql=True)

        printed = capsys.readouterr().out
        for table in metadata.tables:
            assert f"create table {table} " in printed


class TestReference:
    @pytest.mark.parametrize("named", [REFERENCE, ADDED], ids=["the reference", "the design"])
    async def test_every_column_has_its_name_and_type(
        self, migrated: str, named: Mapping[str, Mapping[str, str]]
    ) -> None:
        async with connected(migrated) as connection:
            columns = (await facts_of(connection))["columns"]

        found: dict[str, dict[str, str]] = {}
        for table, column, _, kind, *_ in columns:
            found.setdefault(table, {})[column] = ALIASES.get(kind, kind)
        for table, expected in named.items():
            assert expected.items() <= found[table].items()

    async def test_what_the_reference_names_is_never_null(self, migrated: str) -> None:
        async with connected(migrated) as connection:
            columns = (await facts_of(connection))["columns"]

        nullable = {(row[0], row[1]) for row in columns if not row[5]}
        named = {(table, column) for table, expected in REFERENCE.items() for column in expected}
        assert nullable & named == set()

    async def test_moments_are_set_by_the_database(self, migrated: str) -> None:
        async with connected(migrated) as connection:
            columns = (await facts_of(connection))["columns"]

        moments = [row for row in columns if row[1] in ("created_at", "updated_at")]
        assert {row[6] for row in moments} == {"now()"}
        assert len(moments) == 10

    async def test_every_index_has_its_name_and_columns(self, migrated: str) -> None:
        async with connected(migrated) as connection:
            indexes = (await facts_of(connection))["indexes"]

        definitions = {name: definition for _, name, *_, definition in indexes}
        for name, columns in REFERENCE_INDEXES.items():
            assert definitions[name].endswith(f"USING btree {columns}")

    async def test_ids_are_ordered_as_code_points(self, migrated: str) -> None:
        """Ties, cursors and the order of locks rest on it, whatever the server's locale."""
        async with connected(migrated) as connection:
            columns = (await facts_of(connection))["columns"]

        ids = [row for row in columns if row[3] == "text" and row[1].endswith("_id")]
        assert {row[4] for row in ids} == {"C"}
        assert len(ids) >= 15

    async def test_no_extension_is_needed_and_only_the_audit_trail_guards_itself(
        self, migrated: str
    ) -> None:
        async with connected(migrated) as connection:
            others = (await facts_of(connection))["everything else"]

        assert others == [
            ("extension", "plpgsql"),
            ("function", "refuse_to_change_audit_events"),
            ("schema", "public"),
            ("trigger", "patient_alarm_audit_events_append_only"),
        ]


@dataclass
class Started:
    """An API in a process of its own, and every line it said so far."""

    process: "subprocess.Popen[str]"
    url: str
    said: list[dict[str, Any]] = field(default_factory=list)

    async def readiness(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """As soon as it is what is waited for."""
        async with asyncio.timeout(30), httpx2.AsyncClient(base_url=self.url) as client:
            while True:
                try:
                    answer = (await client.get("/readyz", params={"for": "ingest"})).json()
                    if until(answer):
                        return dict(answer)
                except httpx2.TransportError:
                    assert self.process.poll() is None, "it ended"
                await asyncio.sleep(0.05)

    async def said_of_schema(self, failure: str) -> None:
        async with asyncio.timeout(10):
            while failure not in self.failures:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.02)

    @property
    def failures(self) -> list[str | None]:
        return [line.get("failureType") for line in self.said]

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))


@contextmanager
def api_on(
    database_url: str, redis_url: str, source: Path = ROOT, **settings: str
) -> Iterator[Started]:
    port = a_free_port()
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PYTHONPATH": os.pathsep.join((str(source / "src"), str(source))),
        **settings,
    }
    command_line = [sys.executable, "-m", "vitalrelay", "api", "--port", str(port)]
    with subprocess.Popen(
        command_line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        api = Started(process, f"http://127.0.0.1:{port}")
        listener = Thread(target=api.listen)
        listener.start()
        try:
            yield api
        finally:
            process.terminate()
            listener.join()


def failed(answer: Mapping[str, Any]) -> bool:
    return answer["status"] == "not-ready"


def failing_with(failure: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda answer: answer.get("failureType") == failure


def ready(answer: Mapping[str, Any]) -> bool:
    return answer["status"] == "ready"


@pytest.fixture
def tomorrows_source(tmp_path: Path) -> Path:
    """This code one release on: it speaks a schema that the database does not have yet."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    schema = tmp_path / "src/vitalrelay/adapters/outbound/postgres/schema.py"
    today, tomorrow = f'"{HEAD}",', f'"{HEAD}", "9999_tomorrow",'
    assert today in schema.read_text()
    schema.write_text(schema.read_text().replace(today, tomorrow))
    return tmp_path


class TestStart:
    async def test_an_api_says_what_is_wrong_with_the_schema_and_makes_nothing(
        self, new_database: NewDatabase, redis_url: str
    ) -> None:
        """Not migrated, then by a newer release, then right: without a start in between."""
        with new_database() as url, api_on(url, redis_url) as api:
            nothing = await api.readiness(failed)
            made = await relations(url)

            # In one statement: between two, the API could find everything right and rest.
            await execute(
                url,
                "create table alembic_version as "
                "select cast('9999_tomorrow' as varchar(32)) as version_num",
            )
            newer = await api.readiness(failing_with("SchemaTooNew"))
            await api.said_of_schema("SchemaTooNew")

            await execute(url, f"update alembic_version set version_num = '{HEAD}'")
            await api.readiness(ready)

        assert made == []
        assert [nothing["failureType"], newer["failureType"]] == [
            "SchemaNotMigrated",
            "SchemaTooNew",
        ]
        assert mismatches(api) == [
            ("SchemaNotMigrated", "run: vitalrelay migrate"),
            ("SchemaTooNew", "run the release that migrated it."),
        ]

    async def test_a_demo_may_ask_for_the_tables(
        self, new_database: NewDatabase, redis_url: str, migrated: str
    ) -> None:
        async with connected(migrated) as connection:
            expected = await facts_of(connection)
        with new_database() as url:
            with api_on(url, redis_url, VITALRELAY_AUTO_CREATE_SCHEMA="true") as api:
                await api.readiness(ready)

            async with connected(url) as connection:
                assert await facts_of(connection) == expected
        assert mismatches(api) == []

    async def test_an_older_schema_is_told_apart_and_what_a_demo_asks_for_is_no_migration(
        self, migrated: str, redis_url: str, tomorrows_source: Path
    ) -> None:
        asked = {"VITALRELAY_AUTO_CREATE_SCHEMA": "true"}

        with api_on(migrated, redis_url, tomorrows_source, **asked) as api:
            answer = await api.readiness(failed)
            await api.said_of_schema("SchemaOutdated")

        async with connected(migrated) as connection:
            versions = await connection.scalars(text("select version_num from alembic_version"))
            assert list(versions) == [HEAD]
        assert answer["failureType"] == "SchemaOutdated"
        assert mismatches(api) == [("SchemaOutdated", "run: vitalrelay migrate")]


def mismatches(api: Started) -> list[tuple[str, str]]:
    """Class and advice of each line about the schema; every line has an end and is JSON."""
    return [
        (line["failureType"], line["reason"].partition("; ")[2])
        for line in api.said
        if line["event"] == "schema-mismatch"
    ]
