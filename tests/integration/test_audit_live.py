"""A trail to which others add while it is verified is intact."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from tests.fixtures import migrate
from tests.integration.house import PACKETS, House, house, settings_for
from vitalrelay.adapters.outbound.postgres.records import PostgresEvidence
from vitalrelay.bootstrap import verify_of
from vitalrelay.domain.actions import Mute
from vitalrelay.domain.audit import Link


class Busy(PostgresEvidence):
    """Somebody acts between two questions."""

    def __init__(self, here: House) -> None:
        super().__init__(here.storage.engine)
        self._here = here

    async def audit_heads(self) -> dict[str, Link]:
        heads = await super().audit_heads()
        await self._here.does(Mute(about="p-1:news2-high", reason="again", for_ms=60_000))
        return heads


async def test_what_is_added_meanwhile_breaks_nothing(
    new_database: Callable[[], AbstractContextManager[str]], redis_url: str, key_prefix: str
) -> None:
    with new_database() as url:
        migrate(url)
        async with house(settings_for(url, redis_url, key_prefix=key_prefix)) as here:
            await here.takes_in(*PACKETS)

            found = await replace(verify_of(here.settings, here.storage), evidence=Busy(here))()

    assert found.audit_broken == 0
