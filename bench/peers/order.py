"""What a peer is asked to do, and what each of its workers does for one job."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool, Redis

CONNECTIONS = 4  # to Redis, of one process; 1, 16 and 50 were no faster
KEY = "snapshot:"

Released = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    ``documents``: how many, each of a patient of its own. ``like``: a document, of ``subject``.

    ``redis_url``: where nothing is but the documents; ``queue_url``: where arq keeps its jobs.
    What is empty is filled in by whoever knows it.
    """

    processes: int
    like: str
    subject: str
    peer: str = ""
    documents: int = 0
    database_url: str = ""
    redis_url: str = ""
    queue_url: str = ""

    def each(self) -> Iterator[tuple[str, str]]:
        """Every patient and the document; all of the same size."""
        for number in range(self.documents):
            subject = f"patient-{number:05}"
            yield subject, self.like.replace(self.subject, subject)


def jobs(order: Order) -> Iterator[bytes]:
    """For a library that moves bytes: the patient on the first line, then the document."""
    for subject, document in order.each():
        yield f"{subject}\n{document}".encode()


class Documents:
    """One SET for one job: no peer hands several of them to its handler."""

    def __init__(self, order: Order) -> None:
        pool = BlockingConnectionPool.from_url(order.redis_url, max_connections=CONNECTIONS)
        self._redis = Redis.from_pool(pool)

    async def move(self, job: bytes) -> None:
        subject, _, document = job.partition(b"\n")
        await self._redis.set(KEY.encode() + subject, document)

    async def show(self, subject: str, document: str) -> None:
        await self._redis.set(KEY + subject, document)
