"""A drain by a relay peer, in the peers' environment, on a database and a Redis of its own."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import redis

from bench.ground import ROOT, Ground, elsewhere, run_sql
from bench.peers.order import Order

PYTHON = ROOT / ".venv-peers" / "bin" / "python"


@dataclass(slots=True)
class PeerDrain:
    """``order`` is completed with addresses; ``version`` is known after the first drain."""

    ground: Ground
    order: Order
    python: Path = PYTHON
    version: str = field(default="", init=False)

    def __call__(self) -> float:
        """Documents a second."""
        assert self.python.exists(), "make bench makes the peers' environment"
        name = f"drain_{self.order.peer}"
        order = replace(
            self.order,
            database_url=self.ground.empty_database(name),
            redis_url=self._emptied(1),
            queue_url=self._emptied(2),
        )
        moved = elsewhere("bench.peers.run", order, str(self.python))
        self.version = moved["version"]
        run_sql(self.ground.postgres_url, f'drop database "{name}" with (force)')
        self._emptied(1)
        return order.documents / float(moved["seconds"])

    def _emptied(self, number: int) -> str:
        """Another database of the same Redis: ours is number 0."""
        url = self.ground.redis_url.removesuffix("/0") + f"/{number}"
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url
