"""Publishing, in one round trip for the whole batch; so many patients in each atomic step."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.domain.document import with_envelope
from vitalrelay.domain.projection import Claim, Landed, Outcome, Refused, Unreachable

PUBLISH_SNAPSHOT = files(__package__).joinpath("publish_snapshot.lua").read_text()
PUBLISH_SHA = hashlib.sha1(PUBLISH_SNAPSHOT.encode(), usedforsecurity=False).hexdigest()

# A step of one millisecond: for no longer has anybody else to wait.
AT_ONCE = 32

# What would strike every patient alike is about Redis, not about a document.
OUTAGES = (
    ConnectionError,
    TimeoutError,
    OSError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
    NoPermissionError,
    AuthenticationError,
    AuthorizationError,
    NoScriptError,
)
OUTAGE_CODES = frozenset(
    ("BUSY", "CLUSTERDOWN", "MASTERDOWN", "MISCONF", "NOEVENTS", "NOREPLICAS", "UNBLOCKED")
)


class RedisSnapshotPublisher:
    def __init__(self, redis: Redis, keys: Keys, events_kept: int) -> None:
        self._redis = redis
        self._keys = keys
        self._events_kept = events_kept

    async def publish(self, claims: Sequence[Claim]) -> list[Outcome]:
        calls = [claims[n : n + AT_ONCE] for n in range(0, len(claims), AT_ONCE)]
        replies = await self._evaluate(calls)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            # A restart or SCRIPT FLUSH: nothing of it was done, all of it may be repeated.
            replies = await self._evaluate(calls, load=True)
        return [
            outcome_of(reply)
            for call, said in zip(calls, replies, strict=True)
            for reply in (said if isinstance(said, list) else [said] * len(call))
        ]

    async def _evaluate(
        self, calls: Sequence[Sequence[Claim]], load: bool = False
    ) -> Sequence[object]:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                if load:
                    pipeline.script_load(PUBLISH_SNAPSHOT)
                for claims in calls:
                    pipeline.evalsha(PUBLISH_SHA, 2 + len(claims), *self._arguments(claims))
                replies = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            return [error] * len(calls)
        return replies[1:] if load else replies

    def _arguments(self, claims: Sequence[Claim]) -> list[str]:
        keys = self._keys
        arguments = [keys.events, keys.latest, *[keys.document(claim.subject) for claim in claims]]
        arguments += [str(self._events_kept), keys.documents]
        for claim in claims:
            envelope = claim.incarnation, claim.version, claim.fingerprint
            document = with_envelope(claim.document, *envelope)
            arguments += [claim.subject, *map(str, envelope), document]
        return arguments


def outcome_of(reply: object) -> Outcome:
    """
    What a reply says of one publish.

    The reason names the kind of error and no more: its text may quote what was sent.
    """
    if isinstance(reply, bytes):
        return Landed(reply.decode())
    kind = type(reply).__name__
    if isinstance(reply, OUTAGES):
        return Unreachable(kind)
    code = str(reply).partition(" ")[0]
    if code in OUTAGE_CODES:
        return Unreachable(code)
    return Refused(code if code.isupper() else kind)
