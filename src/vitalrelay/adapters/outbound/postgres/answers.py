"""
Actions that came before, and what they were answered, in the transaction of the action itself.

Two requests with one key meet on its row: the second waits, and then reads the answer of the
first, or finds that the first left nothing.
"""

from datetime import timedelta

from sqlalchemy import text

from vitalrelay.adapters.outbound.postgres.driver import Transaction
from vitalrelay.domain.document import Document, parse_document
from vitalrelay.domain.errors import KeyReused
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.idempotency import ActionKey

# The row is locked either way, so that it is not forgotten between two looks; nothing changes
# in one that was there.
ANSWERED = text("""
    insert into patient_action_keys as known (action_key, request_fingerprint)
    values (:key, :request)
    on conflict (action_key) do update set answer = known.answer
    returning request_fingerprint, answer
""")

ANSWER = text("update patient_action_keys set answer = :answer where action_key = :key")

# A page at a time: a long holiday must not end in one long transaction.
FORGET = text("""
    delete from patient_action_keys
    where action_key = any(array(
        select action_key
        from patient_action_keys
        where created_at < now() - cast(:older_than as interval)
        order by created_at
        limit 10000
        for update skip locked
    ))
""")


async def answered(transaction: Transaction, key: ActionKey) -> Document | None:
    parameters = {"key": key.digest, "request": key.request}
    [(request, answer)] = await transaction.fetch(ANSWERED, parameters)
    if request != key.request:
        raise KeyReused
    return None if answer is None else parse_document(answer)


async def answer(transaction: Transaction, key: ActionKey, document: Document) -> None:
    parameters = {"key": key.digest, "answer": canonical_json(document)}
    await transaction.run(ANSWER, parameters)


async def forget(transaction: Transaction, older_than: timedelta) -> int:
    return await transaction.run(FORGET, {"older_than": older_than})
