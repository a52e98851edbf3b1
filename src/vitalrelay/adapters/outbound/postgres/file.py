"""Filing what came of the packets: assessments, review items, audit records. One statement each."""

from collections.abc import Sequence

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.domain.audit import CHAIN_START, AuditEvent, Link, by_site, chain
from vitalrelay.domain.chart import Assessed, Chart
from vitalrelay.domain.document import assessment_document, review_document
from vitalrelay.domain.errors import EncounterOfAnother
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.review import ReviewItem

# An encounter that is another patient's already matches no row to update, and so is not returned.
ASSESSMENTS = text("""
    insert into patient_risk_assessments as known (
        assessment_key, encounter_id, demo_subject_id, model_name, model_version, horizon,
        risk_level, clinician_review_required, score, completeness, packet_id, assessed_at, payload
    )
    select encounter_id || ':' || model_name || ':' || horizon, encounter_id, subject_id,
        model_name, model_version, horizon, risk_level, review_required, score, completeness,
        packet_id, to_timestamp(assessed_ms / 1000.0), payload::jsonb
    from unnest(
        cast(:subjects as text[]), cast(:encounters as text[]), cast(:models as text[]),
        cast(:model_versions as text[]), cast(:horizons as text[]), cast(:levels as text[]),
        cast(:reviews as boolean[]), cast(:scores as integer[]), cast(:completeness as text[]),
        cast(:packets as text[]), cast(:assessed as bigint[]), cast(:payloads as text[])
    ) as assessed(subject_id, encounter_id, model_name, model_version, horizon, risk_level,
        review_required, score, completeness, packet_id, assessed_ms, payload)
    order by encounter_id
    on conflict (assessment_key) do update
    set model_version = excluded.model_version, risk_level = excluded.risk_level,
        clinician_review_required = excluded.clinician_review_required, score = excluded.score,
        completeness = excluded.completeness, packet_id = excluded.packet_id,
        assessed_at = excluded.assessed_at, payload = excluded.payload, updated_at = now()
    where known.demo_subject_id = excluded.demo_subject_id
    returning assessment_key
""")

REVIEWS = text("""
    insert into patient_review_queue as known (
        review_item_id, demo_subject_id, encounter_id, site_id, priority, last_updated_ms, state,
        resolved_by, payload
    )
    select payload ->> 'reviewItemId', subject_id, payload ->> 'encounterId', site_id,
        payload ->> 'priority', (payload ->> 'updatedMs')::bigint, payload ->> 'state',
        payload ->> 'resolvedBy', payload
    from (
        select subject_id, site_id, payload::jsonb as payload
        from unnest(cast(:subjects as text[]), cast(:sites as text[]), cast(:payloads as text[]))
            as moved(subject_id, site_id, payload)
    ) moved
    order by 1
    on conflict (review_item_id) do update
    set priority = excluded.priority, last_updated_ms = excluded.last_updated_ms,
        state = excluded.state, resolved_by = excluded.resolved_by, payload = excluded.payload,
        updated_at = now()
""")

# Whoever adds to a site's chain holds its head until the end, so that the chain cannot fork.
CHAIN_HEAD = text("""
    insert into patient_alarm_audit_chains as head (site_id, seq, hash)
    values (:site, :seq, :hash)
    on conflict (site_id) do update set seq = head.seq
    returning seq, hash
""")

AUDIT = text("""
    with linked as (
        insert into patient_alarm_audit_events (
            event_id, alarm_id, demo_subject_id, site_id, action, actor_ref, reason,
            occurred_at_ms, payload, seq, previous_hash, hash
        )
        select payload ->> 'eventId', coalesce(payload ->> 'alarmId', payload ->> 'reviewItemId'),
            payload ->> 'subjectId', payload ->> 'siteId', payload ->> 'action',
            payload ->> 'actorRef', payload ->> 'reason', (payload ->> 'occurredAtMs')::bigint,
            payload, seq, previous_hash, hash
        from (
            select payload::jsonb as payload, seq, previous_hash, hash
            from unnest(cast(:payloads as text[]), cast(:seqs as bigint[]),
                cast(:previous as text[]), cast(:hashes as text[])
            ) as event(payload, seq, previous_hash, hash)
        ) event
        order by seq
    )
    update patient_alarm_audit_chains
    set seq = :last_seq, hash = :last_hash
    where site_id = :site
""")


async def file(transaction: Transaction, charts: Sequence[Chart]) -> None:
    await _file_assessments(
        transaction, [(chart.subject, of) for chart in charts for of in chart.assessed.values()]
    )
    await _file_reviews(
        transaction, [(chart, item) for chart in charts for item in chart.reviews.values()]
    )
    await _file_audit(transaction, [event for chart in charts for event in chart.audit])


async def _file_assessments(
    transaction: Transaction, assessed: Sequence[tuple[SubjectId, Assessed]]
) -> None:
    if not assessed:
        return
    found = [of.assessment for _, of in assessed]
    parameters = {
        "subjects": [subject for subject, _ in assessed],
        "encounters": [of.encounter.id for _, of in assessed],
        "models": [assessment.model_name for assessment in found],
        "model_versions": [assessment.model_version for assessment in found],
        "horizons": [assessment.horizon for assessment in found],
        "levels": [assessment.risk_level for assessment in found],
        "reviews": [assessment.review_required for assessment in found],
        "scores": [assessment.score for assessment in found],
        "completeness": [assessment.completeness for assessment in found],
        "packets": [of.encounter.as_of.packet for _, of in assessed],
        "assessed": [of.at_ms for _, of in assessed],
        "payloads": [_assessment_payload(subject, of) for subject, of in assessed],
    }
    kept = await transaction.fetch(ASSESSMENTS, parameters)
    if len(kept) < len(assessed):
        raise EncounterOfAnother


def _assessment_payload(subject: SubjectId, assessed: Assessed) -> str:
    as_of = assessed.encounter.as_of
    payload = {
        **assessment_document(assessed.assessment),
        "subjectId": subject,
        "encounterId": assessed.encounter.id,
        "asOfMs": as_of.at_ms,
        "lastPacketId": as_of.packet,
    }
    return canonical_json(payload)


async def _file_reviews(
    transaction: Transaction, moved: Sequence[tuple[Chart, ReviewItem]]
) -> None:
    if not moved:
        return
    parameters = {
        "subjects": [chart.subject for chart, _ in moved],
        "sites": [chart.site for chart, _ in moved],
        "payloads": [canonical_json(review_document(item)) for _, item in moved],
    }
    await transaction.run(REVIEWS, parameters)


async def _file_audit(transaction: Transaction, events: Sequence[AuditEvent]) -> None:
    for site, of_site in by_site(events).items():
        start = {"site": site, "seq": CHAIN_START.seq, "hash": CHAIN_START.hash}
        [(seq, last_hash)] = await transaction.fetch(CHAIN_HEAD, start)
        head = Link(seq, last_hash)
        links = chain(head, of_site)
        parameters = {
            "payloads": [canonical_json(event.record()) for event in of_site],
            "seqs": [link.seq for link in links],
            "previous": [link.hash for link in [head, *links[:-1]]],
            "hashes": [link.hash for link in links],
            "site": site,
            "last_seq": links[-1].seq,
            "last_hash": links[-1].hash,
        }
        await transaction.run(AUDIT, parameters)
