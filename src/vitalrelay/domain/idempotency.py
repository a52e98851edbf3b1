"""One action, however often it is sent: what an Idempotency-Key stands for."""

import hashlib
from collections.abc import Mapping

from msgspec import Struct

from vitalrelay.domain.fingerprint import canonical_json, fingerprint


class ActionKey(Struct, frozen=True):
    """``digest`` names the action, ``request`` is the fingerprint of all that was asked for."""

    digest: str
    request: str

    @classmethod
    def of(cls, key: str, scope: str, request: Mapping[str, object]) -> "ActionKey":
        """A key is worth something within its scope only: here the method and the address."""
        digest = hashlib.sha256(f"{scope}\n{key}".encode()).hexdigest()
        return cls(f"key-{digest[:40]}", fingerprint(canonical_json(request)))
