"""What PostgreSQL keeps is itself held against what it says."""

from sqlalchemy import text

from tests.integration.house import house, settings_for
from tests.support import MINUTE_MS, NOW_MS
from tests.worlds import a_reading, an_alarming_reading

CHANGED = text("""
    update patient_monitoring_snapshot_projections
    set payload = jsonb_set(payload, '{alarms,0,sinceMs}', '1')
    where demo_subject_id = 'p-1'
""")

GUARD = "trigger patient_alarm_audit_events_append_only"
WITHOUT_SITE_A = (
    f"alter table patient_alarm_audit_events disable {GUARD}",
    "delete from patient_alarm_audit_events where site_id = 'a'",
    "delete from patient_alarm_audit_chains where site_id = 'a'",
    f"alter table patient_alarm_audit_events enable always {GUARD}",
)


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


async def test_a_patient_heard_of_at_two_sites_has_one_story_in_two_chains(
    engine, database_url, redis_url, key_prefix
):
    settings = settings_for(database_url, redis_url, key_prefix=key_prefix)
    async with house(settings) as here:
        for minute, (site, spo2) in enumerate([("a", 85), ("b", 97), ("a", 85), ("b", 97)]):
            at_ms = NOW_MS + 2 * minute * MINUTE_MS
            await here.takes_in(a_reading("p-1", at_ms, site=site, spo2=spo2))
        found = await here.verified()

    assert (found.ok, found.audit_broken, found.audit_events) == (True, 0, 4)


async def test_a_story_in_two_chains_that_does_not_join_up_is_found(
    engine, database_url, redis_url, key_prefix
):
    settings = settings_for(database_url, redis_url, key_prefix=key_prefix)
    async with house(settings) as here:
        await here.takes_in(a_reading("p-1", NOW_MS, site="a", spo2=85))
        await here.takes_in(a_reading("p-1", NOW_MS + 2 * MINUTE_MS, site="b", spo2=97))
        async with engine.begin() as connection:
            for statement in WITHOUT_SITE_A:
                await connection.execute(text(statement))
        found = await here.verified()

    assert (found.ok, found.audit_broken) == (False, 1)
