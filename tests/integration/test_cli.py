"""The commands from outside: what stands on stdout, what on stderr, and how they end."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.support import a_packet
from vitalrelay.adapters.inbound.cli.app import console
from vitalrelay.bootstrap import ingest_of, open_storage, work_of
from vitalrelay.console import tools
from vitalrelay.settings import Settings

COMMAND = [sys.executable, "-m", "vitalrelay"]
NOWHERE = {"DATABASE_URL": "postgresql://vitalrelay:very-secret@127.0.0.1:1/vitalrelay"}
NO_REDIS = {"REDIS_URL": "redis://:very-secret@127.0.0.1:1/0"}
PATIENTS = ("p-1", "p-2")
OURS = ("DATABASE_URL", "REDIS_URL", "VITALRELAY_", "PROMETHEUS_MULTIPROC_DIR")


def run(*arguments, env=None, **more):
    """In a process of its own, as anybody would."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=others | (env or {}),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def call(*arguments, env=None):
    """The same in this process, for commands that change nothing in it."""
    unset = {name: None for name in os.environ if name.startswith(OURS)}
    runner = CliRunner(env=unset | (env or {}))
    result = runner.invoke(console(), map(str, arguments), obj=tools(), prog_name="vitalrelay")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return SimpleNamespace(returncode=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def document(result):
    """Of a stdout that is one JSON document and nothing else."""
    told = json.loads(result.stdout)
    assert told["schema"].startswith("vitalrelay-")
    assert result.stdout.count("\n") == 1
    return told


def the_only_line(result):
    """Of a command that failed as commands may: nothing on stdout, no traceback."""
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("vitalrelay: ")
    return line


@pytest.fixture(scope="module")
def servers(new_database, redis_url):
    """A migrated database and an empty corner of Redis, as the environment names them."""
    with new_database() as url:
        prefix = f"vitalrelay-test-cli-{os.getpid()}"
        env = {"DATABASE_URL": url, "REDIS_URL": redis_url, "VITALRELAY_KEY_PREFIX": prefix}
        assert call("migrate", env=env).returncode == 0
        yield env


@pytest.fixture
def empty(new_database, redis_url):
    with new_database() as url:
        yield {"DATABASE_URL": url, "REDIS_URL": redis_url}


@pytest.fixture(scope="module")
def owed(servers):
    """Two patients nobody publishes: p-1 and p-2, one packet each."""
    names = {"DATABASE_URL", "REDIS_URL"}
    settings = Settings(**{name: servers[name] for name in names})

    async def ingest():
        async with open_storage(settings, "tests") as storage:
            packets = [
                a_packet(subject=name, device=name, heart_rate=81) for name in ("p-1", "p-2")
            ]
            await ingest_of(settings, work_of(settings, storage))(packets)

    asyncio.run(ingest())
    return servers


def test_help_comes_at_once():
    def shortest(*command):
        return min(seconds(command) for _ in range(5))

    def seconds(command):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        return time.perf_counter() - began

    nothing = shortest(sys.executable, "-c", "pass")

    assert shortest(*COMMAND, "--help") < max(0.3, 6 * nothing)


def test_help_needs_nothing_heavy():
    program = "import sys; import vitalrelay.console; print(sorted(sys.modules))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout

    for heavy in (b"asyncio", b"fastapi", b"sqlalchemy", b"redis", b"pydantic", b"rich", b"arq"):
        assert b"'%b'" % heavy not in told


@pytest.mark.parametrize("command", ["", "projections", "config"])
def test_every_command_says_what_it_does(command):
    told = call(*command.split(), "--help").stdout
    names = [line.split()[0] for line in told.partition("Commands:")[2].splitlines() if line]

    assert names
    for name in names:
        help_text = call(*command.split(), name, "--help")
        assert help_text.returncode == 0
        assert "Usage: vitalrelay" in help_text.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("migrate --json", 0),
        ("projections list --status failed --older-than 60s --limit 1 --json", 0),
        ("projections retry --subject p-1 --dry-run --json", 0),
        ("projections rebuild --yes --json", 0),
        ("doctor --json", 0),
    ],
)
def test_json_is_one_document(owed, arguments, status):
    result = run(*arguments.split(), env=owed)

    assert document(result)
    assert result.returncode == status
    assert "Traceback" not in result.stderr


def test_verify_answers_in_the_words_of_the_contract(owed):
    told = document(run("verify", "--json", env=owed))

    assert told == {
        "schema": "vitalrelay-verify/1",
        "ok": False,
        "acknowledged": 0,
        "lost": 0,
        "duplicated": 0,
        "patients": 2,
        "unpublished": 2,
        "different": 0,
        "orphans": 0,
        "assessmentsRecomputed": 2,
        "assessmentsDifferent": 0,
        "auditEvents": told["auditEvents"],
        "auditBroken": 0,
    }


def acknowledged(packet, status, outcome):
    return json.dumps({"packetId": packet, "status": status, "outcome": outcome})


def test_a_packet_is_acknowledged_by_a_201_or_a_duplicate_and_by_nothing_else(owed, tmp_path):
    stored = a_packet(subject="p-1", device="p-1").id
    lines = [
        acknowledged(stored, 201, "stored"),
        acknowledged(stored, 200, "duplicate"),
        acknowledged("gone:bed:1", 200, "duplicate"),
        acknowledged("refused:bed:1", 422, "invalid-packet"),
        acknowledged("unknown:bed:1", 0, "no-answer"),
        acknowledged(None, 400, "malformed-json"),
    ]
    (tmp_path / "log").write_text("\n".join([*lines, '{"packetId":"to']))

    result = run("verify", "--json", "--ack-log", tmp_path / "log", env=owed)

    told = document(result)
    assert (told["acknowledged"], told["lost"]) == (2, 1)
    assert result.returncode == 1
    assert "torn" in result.stderr


@pytest.mark.parametrize("content", ['{"packetId":"to\n', "[]\n", '{"packetId":1}\n{}\n', "\n"])
def test_any_other_damage_to_an_acknowledgement_log_is_wrong_usage(servers, tmp_path, content):
    (tmp_path / "log").write_text(content)

    result = call("verify", "--ack-log", tmp_path / "log", env=servers)

    assert result.returncode == 2
    assert f"{tmp_path / 'log'}:1:" in the_only_line(result)


def test_an_acknowledgement_log_that_is_not_there_is_wrong_usage(servers):
    result = call("verify", "--ack-log", "missing.ndjson", env=servers)

    assert result.returncode == 2
    assert "missing.ndjson" in the_only_line(result)


def test_a_projection_is_shown_by_its_id_or_its_patient(owed):
    by_patient = document(run("projections", "show", "p-1", "--json", env=owed))
    by_id = document(run("projections", "show", by_patient["projectionId"], "--json", env=owed))

    assert by_id == by_patient
    assert (by_id["subjectId"], by_id["status"]) == ("p-1", "pending")


def test_a_projection_nobody_has_is_not_fine(servers):
    result = run("projections", "show", "p-9", "--json", env=servers)

    assert result.returncode == 1
    assert "monitoring-snapshot:p-9" in the_only_line(result)


def test_a_list_says_when_there_is_more(owed):
    result = run("projections", "list", "--limit", "1", "--json", env=owed)

    told = document(result)
    assert (len(told["items"]), told["more"]) == (1, True)
    assert "--limit" in result.stderr


def test_a_question_without_a_terminal_names_the_option_that_answers_it(owed):
    result = run("projections", "retry", env=owed)

    assert result.returncode == 2
    assert result.stdout == ""
    assert "2 projections" in result.stderr
    assert "--yes" in result.stderr


def test_a_retry_is_refused_when_the_number_has_moved(owed):
    result = run("projections", "retry", "--yes", "--expect", 7, "--json", env=owed)

    assert (result.returncode, result.stdout) == (1, "")
    assert "7 were expected" in result.stderr


def test_a_retry_owes_anew_and_keeps_the_reason(owed):
    before = document(run("projections", "show", "p-2", "--json", env=owed))

    result = run(
        *("projections", "retry", "p-2", "--yes", "--expect", 1),
        *("--reason", "INC-7", "--json"),
        env=owed,
    )

    after = document(run("projections", "show", "p-2", "--json", env=owed))
    assert document(result)["changed"] == 1
    assert after["version"] == before["version"] + 1
    assert '"reason": "INC-7"' in result.stderr


@pytest.mark.parametrize(("said", "status"), [(b"n\n", 1), (b"y\n", 0)])
def test_a_question_on_a_terminal_says_how_many_and_is_obeyed(owed, said, status):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "projections", "retry", "--subject", "p-2"],
        env=os.environ | owed,
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 1024)
        os.write(ours, said)
        told = process.stdout.read()
    os.close(ours)

    assert b"1 projection, to be owed anew" in asked
    assert process.returncode == status
    assert told == (b"1 projection owed\n" if status == 0 else b"")


@pytest.mark.parametrize(
    "arguments",
    [
        "projections list --older-than 5x",
        "projections list --subject a:b",
        "projections retry p-1 --subject p-1",
        "migrate --revision nothing-like-that",
    ],
)
def test_wrong_usage_is_one_line_and_2(servers, arguments):
    result = call(*arguments.split(), env=servers)

    assert result.returncode == 2
    assert the_only_line(result)


@pytest.mark.parametrize(
    "arguments",
    ["nothing-like-that", "up --port many", "projections list --status lost", "doctor --for fun"],
)
def test_what_cannot_be_parsed_is_2(arguments):
    result = call(*arguments.split())

    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", ["api", "worker", "up", "verify"])
def test_a_wrong_setting_is_one_line_that_names_it(servers, arguments, tmp_path):
    wrong = {"VITALRELAY_POOL_SIZE": "very-secret"}

    result = run(*arguments.split(), env=servers | wrong, cwd=tmp_path)

    assert result.returncode == 2
    assert "VITALRELAY_POOL_SIZE" in the_only_line(result)
    assert "very-secret" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", ["migrate", "config show"])
def test_a_missing_setting_is_one_line_that_names_it(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where nobody has called vitalrelay up

    result = call(*arguments.split())

    assert result.returncode == 2
    assert "DATABASE_URL: is required" in the_only_line(result)


@pytest.mark.parametrize(
    ("arguments", "away"),
    [
        ("projections list --json", NOWHERE),
        ("verify --json", NO_REDIS),
    ],
)
def test_a_server_that_does_not_answer_is_one_line_and_3(servers, arguments, away):
    result = run(*arguments.split(), env=servers | away)

    assert result.returncode == 3
    assert "does not answer" in the_only_line(result)
    assert "very-secret" not in result.stderr


def test_a_migration_waits_only_so_long(servers):
    result = call("migrate", "--wait", 1, "--json", env=servers | NOWHERE)

    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.splitlines()[-1] == (
        "vitalrelay: PostgreSQL does not answer: ConnectionRefusedError"
    )


def test_a_login_that_is_refused_is_not_waited_for(servers):
    wrong = with_password(servers["DATABASE_URL"], "very-secret")

    result = call("migrate", env=servers | {"DATABASE_URL": wrong})

    assert result.returncode == 3
    assert "turns us away" in the_only_line(result)
    assert "very-secret" not in result.stderr


def with_password(url, password):
    login, _, rest = url.rpartition("@")
    return f"{login.rpartition(':')[0]}:{password}@{rest}"


def test_a_database_without_the_schema_says_what_to_do(empty):
    result = run("verify", env=empty)

    assert result.returncode == 3
    assert "vitalrelay migrate" in the_only_line(result)


def test_a_migration_tells_from_where_to_where_and_does_nothing_twice(empty):
    first = document(call("migrate", "--json", env=empty))
    second = document(call("migrate", "--json", env=empty))

    assert first["before"] is None
    assert first["after"] == second["before"] == second["after"]


def test_the_statements_of_a_migration_need_no_server():
    one, other = (call("migrate", "--sql").stdout for _ in range(2))

    assert one == other
    assert "patient_signal_packets" in one.lower()


def test_the_doctor_says_what_is_wrong_and_what_to_do(empty):
    result = call("doctor", "--json", env=empty | NO_REDIS | {"VITALRELAY_LAESE": "1"})

    told = document(result)
    found = {check["name"]: check for check in told["checks"]}
    assert (result.returncode, told["ok"]) == (1, False)
    assert found["schema"]["status"] == "fail"
    assert "vitalrelay migrate" in found["schema"]["fix"]
    assert found["redis"]["status"] == "fail"
    assert found["redis-script"]["status"] == "skip"
    assert found["durability"]["status"] == "pass"
    assert found["unknown-variables"]["detail"] == "VITALRELAY_LAESE"
    assert all(check["fix"] for check in found.values() if check["status"] in ("warn", "fail"))


def run_sql(servers, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(servers["DATABASE_URL"])
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_the_doctor_finds_an_audit_trail_that_can_be_changed(servers):
    trigger = "trigger patient_alarm_audit_events_append_only"
    run_sql(servers, f"alter table patient_alarm_audit_events disable {trigger}")

    changeable = audit_guard_by_the_doctor(servers)
    run_sql(servers, f"alter table patient_alarm_audit_events enable always {trigger}")
    guarded = audit_guard_by_the_doctor(servers)

    assert (changeable["status"], guarded["status"]) == ("fail", "pass")
    assert "enable its trigger always" in changeable["fix"]


def audit_guard_by_the_doctor(servers) -> dict[str, str]:
    told = document(call("doctor", "--json", env=servers))
    return next(check for check in told["checks"] if check["name"] == "audit-guard")


def test_the_doctor_finds_a_wrong_setting_too():
    result = call("doctor", "--json", env={"DATABASE_URL": "mysql://u:very-secret@host/db"})

    [found] = [check for check in document(result)["checks"] if check["name"] == "settings"]
    assert result.returncode == 1
    assert found["status"] == "fail"
    assert found["detail"].startswith("DATABASE_URL: ")
    assert "very-secret" not in result.stdout


def test_a_health_check_for_ingest_does_not_ask_redis_and_says_nothing(servers):
    result = call("doctor", "--for", "ingest", "--quiet", env=servers | NO_REDIS)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_settings_are_shown_with_their_source_and_without_secrets():
    env = {
        "DATABASE_URL": "postgresql://me:very-secret@db.example:5432/ward?password=very-secret",
        "REDIS_URL": "redis://:very-secret@redis.example:6379/0",
        "VITALRELAY_POOL_SIZE": "9",
    }

    result = call("config", "show", "--json", env=env)

    settings = {one["name"]: one for one in document(result)["settings"]}
    assert "very-secret" not in result.stdout
    assert settings["DATABASE_URL"]["value"] == "postgresql://me:***@db.example:5432/ward?***"
    assert settings["REDIS_URL"]["value"] == "redis://:***@redis.example:6379/0"
    assert settings["VITALRELAY_POOL_SIZE"]["value"] == "9"
    assert settings["VITALRELAY_POOL_SIZE"]["source"] == "environment"
    assert settings["VITALRELAY_LEASE"]["source"] == "default"


@pytest.mark.parametrize(
    ("command", "number"), [("api --port 0", signal.SIGTERM), ("worker", signal.SIGINT)]
)
def test_what_runs_until_it_is_told_ends_with_0(servers, command, number):
    with subprocess.Popen(
        [*COMMAND, *command.split()],
        env=os.environ | servers,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stdout.readline()
        process.send_signal(number)
        _, trouble = process.communicate(timeout=15)

    assert json.loads(line)["event"] == "storage-ready"
    assert process.returncode == 0
    assert trouble == ""


def test_an_address_that_is_not_ours_is_one_line_and_3(servers):
    result = run("api", "--host", "192.0.2.1", env=servers)

    assert result.returncode == 3
    assert "192.0.2.1" in the_only_line(result)
