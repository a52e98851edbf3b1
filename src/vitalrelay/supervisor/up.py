"""``vitalrelay up``: servers, schema, API and workers; said to be ready when all of it answers."""

import http.client
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from vitalrelay.adapters.inbound.cli.errors import CannotStart, WrongUsage
from vitalrelay.adapters.inbound.cli.tools import UpOptions
from vitalrelay.embedded import EmbeddedPostgres, EmbeddedValkey
from vitalrelay.settings import Settings, WrongSetting, read_settings
from vitalrelay.supervisor.crew import Crew, Server
from vitalrelay.supervisor.events import tell
from vitalrelay.supervisor.place import Place, held
from vitalrelay.supervisor.port import Address, held_address
from vitalrelay.supervisor.process import Child
from vitalrelay.supervisor.told import StopRequested, Told

PLACEHOLDERS = {"DATABASE_URL": "postgresql://", "REDIS_URL": "redis://"}
TEND_EVERY_S = 0.05
MIGRATE_WAIT_S = 60
READY_WITHIN_S = 60.0
ASKED_WITHIN_S = 2.0
CONNECTIONS_LEFT = 20
DRAIN_S = "3"
APPLICATION = "vitalrelay_app"


def up(options: UpOptions) -> None:
    """Returns when it was told to stop. Raises CannotStart and WrongUsage."""
    settings = settings_without_addresses()
    told = Told()
    with ExitStack() as stack, suppress(StopRequested):
        stack.enter_context(told.listening())
        place = stack.enter_context(held(options.data_dir))
        address = stack.enter_context(held_address(options.host, options.port))
        crew = Crew(place.write_pids)
        stack.callback(crew.go_home)
        Up(options, settings, told, place, address, crew).run()


def settings_without_addresses() -> Settings:
    """What is set is looked at before anything is started."""
    missing = [name for name in PLACEHOLDERS if not os.environ.get(name)]
    os.environ.update({name: PLACEHOLDERS[name] for name in missing})
    try:
        return read_settings()
    except WrongSetting as error:
        raise WrongUsage(str(error)) from None
    finally:
        for name in missing:
            del os.environ[name]


class Up:
    def __init__(
        self,
        options: UpOptions,
        settings: Settings,
        told: Told,
        place: Place,
        address: Address,
        crew: Crew,
    ) -> None:
        self._options, self._settings, self._told = options, settings, told
        self._place, self._address, self._crew = place, address, crew

    def run(self) -> None:
        servers = {"DATABASE_URL": self._postgres(), "REDIS_URL": self._redis()}
        environment = {"VITALRELAY_DRAIN_TIMEOUT": DRAIN_S, **os.environ, **servers}
        self._migrate(environment)
        self._start_processes(with_fewer_rights(environment))
        self._await_ready()
        self._say_ready(servers)
        while True:
            self._crew.tend()
            self._told.wait(TEND_EVERY_S)

    def _postgres(self) -> str:
        if given := os.environ.get("DATABASE_URL"):
            return given
        directory, port = self._place.directory / "postgres", self._options.postgres_port
        postgres = EmbeddedPostgres(directory, port=port, settings=self._room())
        self._crew.take_on(Server("postgres", postgres, self._told))
        return postgres.url

    def _redis(self) -> str:
        if given := os.environ.get("REDIS_URL"):
            return given
        redis = EmbeddedValkey(self._place.directory / "redis", port=self._options.redis_port)
        self._crew.take_on(Server("redis", redis, self._told))
        return redis.url

    def _room(self) -> Mapping[str, str]:
        processes = self._options.api_workers + self._options.relay_workers
        each = self._settings.pool_size + self._settings.probe_pool_size
        return {"max_connections": str(max(100, CONNECTIONS_LEFT + processes * each))}

    def _migrate(self, environment: Mapping[str, str]) -> None:
        arguments = ("migrate", "--wait", str(MIGRATE_WAIT_S))
        migration = Child("migrate", arguments, environment, [self._place.lock])
        migration.start()
        try:
            while migration.alive():
                self._told.wait(TEND_EVERY_S / 2)
        finally:
            migration.kill()
        if migration.status != 0:
            raise CannotStart("the schema could not be brought up to date")

    def _start_processes(self, environment: Mapping[str, str]) -> None:
        where = ("--host", self._address.host, "--port", str(self._address.port))
        api_environment = dict(environment)
        if self._options.api_workers > 1:
            api_environment["PROMETHEUS_MULTIPROC_DIR"] = str(self._place.empty_metrics())
        keep = [self._place.lock]
        for _ in range(self._options.api_workers):
            api = Child("api", ("api", *where), api_environment, keep, self._place.bury)
            self._crew.take_on(api)
        for _ in range(self._options.relay_workers):
            self._crew.take_on(Child("relay", ("worker",), environment, keep))

    def _await_ready(self) -> None:
        children = [*self._crew.children("api"), *self._crew.children("relay")]
        deadline = time.monotonic() + READY_WITHIN_S
        while not (all(child.ready() for child in children) and answers(self._address)):
            for child in children:
                if child.status is not None and child.status >= 0:
                    raise CannotStart(f"{child.role} ended with status {child.status}")
            if time.monotonic() > deadline:
                raise CannotStart(f"not ready within {READY_WITHIN_S:.0f} s")
            self._crew.tend()
            self._told.wait(TEND_EVERY_S)

    def _say_ready(self, servers: Mapping[str, str]) -> None:
        ready: dict[str, object] = {
            "event": "ready",
            "apiUrl": self._address.url,
            "databaseUrl": servers["DATABASE_URL"],
            "redisUrl": servers["REDIS_URL"],
            "pids": self._crew.pids(),
            "schema": "vitalrelay-up/1",
        }
        self._place.write_ready(ready)
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        tell("ready")


def with_fewer_rights(environment: Mapping[str, str]) -> Mapping[str, str]:
    """
    For API and worker, once the owner has migrated: they make no tables.

    Our own server has the application's role; elsewhere somebody else decides.
    """
    role = {} if os.environ.get("DATABASE_URL") else {"VITALRELAY_DATABASE_ROLE": APPLICATION}
    return {**role, **environment, "VITALRELAY_AUTO_CREATE_SCHEMA": "false"}


def answers(address: Address) -> bool:
    """Whether it is ready for everything."""
    connection = http.client.HTTPConnection(address.near_host, address.port, timeout=ASKED_WITHIN_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
