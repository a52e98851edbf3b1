"""Two who migrate at once: one does it, the other finds it done."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.engine import PoolPolicy, create_engine

ROOT = Path(__file__).parents[2]
SOON_S = 20.0
COMMANDS = {
    "alembic": [sys.executable, "-m", "alembic", "upgrade", "head"],
    "vitalrelay": [sys.executable, "-m", "vitalrelay", "migrate"],
}
WAITING = text("""
    select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
""")


def start(command: list[str], url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def both_wait(engine: AsyncEngine) -> None:
    """Asked in a transaction each time: within one, the answer stays the same."""
    deadline = time.monotonic() + SOON_S
    waiting = 0
    while waiting < 2:
        assert time.monotonic() < deadline, "they never met"
        await asyncio.sleep(0.02)
        async with engine.connect() as connection:
            waiting = (await connection.execute(WAITING)).scalar_one()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
async def test_who_migrates_while_another_does_finds_it_done(
    new_database: Callable[[], AbstractContextManager[str]], command: list[str]
) -> None:
    """A table that is about to be there holds up the first, so that both are under way."""
    with new_database() as url:
        engine = create_engine(url, PoolPolicy(size=2), "migration-tests")
        async with engine.connect() as connection:
            await connection.execute(text("create table alembic_version (id bigint)"))
            both = [start(command, url) for _ in range(2)]
            await both_wait(engine)
            await connection.rollback()
        said = [one.communicate(timeout=SOON_S)[0] for one in both]
        await engine.dispose()

    assert [one.returncode for one in both] == [0, 0], said
