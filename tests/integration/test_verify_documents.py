"""What PostgreSQL wants shown is itself held against its fingerprint."""

from sqlalchemy import text

from tests.integration.house import house, settings_for
from tests.worlds import an_alarming_reading

CHANGED = text("""
    update patient_monitoring_snapshot_projections
    set payload = jsonb_set(payload, '{alarms,0,sinceMs}', '1')
    where demo_subject_id = 'p-1'
""")


async def test_a_wanted_document_that_was_changed_behind_our_back_is_found(
    engine, database_url, redis_url, key_prefix
):
    settings = settings_for(database_url, redis_url, key_prefix=key_prefix)
    async with house(settings) as here:
        await here.takes_in(an_alarming_reading("p-1"), an_alarming_reading("p-2"))
        before = await here.verified()

        async with engine.begin() as connection:
            changed = await connection.execute(CHANGED)
        after = await here.verified()

    assert (before.ok, changed.rowcount) == (True, 1)
    assert (after.ok, after.different) == (False, 1)
