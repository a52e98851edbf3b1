"""PostgreSQL from a wheel: same sort order everywhere, a password, and commits that last."""

import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from vitalrelay.embedded.account import Account
from vitalrelay.embedded.errors import AlreadyRunning, EmbeddedServerError
from vitalrelay.embedded.loopback import HOST
from vitalrelay.embedded.programs import POSTGRES
from vitalrelay.embedded.runner import Runner
from vitalrelay.embedded.server import EmbeddedServer, sync

USER = DATABASE = "vitalrelay"
# Valid in every process of a server, and needs no right to pass the directories above.
HERE = "/proc/self/cwd"
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")
LOGIN = (f"--username={USER}", "--auth=scram-sha-256", "--pwprompt")
QUIET = {  # a log that knows no patient: neither parameters nor the rows of failed statements
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
DEFAULTS = QUIET | {"idle_in_transaction_session_timeout": "30s"}
FIXED = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}


class EmbeddedPostgres(EmbeddedServer):
    """
    Database and user are called `vitalrelay`. `settings` are PostgreSQL's own, as text.

    Port 0 takes a free one. Loopback only, `fsync` and `synchronous_commit` cannot be set here.
    """

    name = "PostgreSQL"
    wheel = POSTGRES
    stop_signal = signal.SIGINT  # a fast shutdown; SIGTERM would wait for the clients to leave

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(directory, port)
        self.settings = settings
        self.password_file = self.directory / "password"

    @property
    def url(self) -> str:
        password = self.password_file.read_text()
        return f"postgresql://{USER}:{password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def files(self) -> Path:
        return self.directory / "pgdata"

    def _fill(self, fresh: Path, runner: Runner) -> None:
        password = self._make_password()
        where = path_for(runner.account, fresh)
        # Typed, since a file beside these may be out of the account's reach; there is no terminal
        # to ask. And never --no-sync: early commits need the catalogue that they rest on.
        init = ["initdb", "-D", where, *LOGIN, *LOCALE]
        runner.run(init, fresh, typed=f"{password}\n{password}\n")
        single = ["postgres", "--single", "-c", "exit_on_error=on", "-D", where, "postgres"]
        runner.run(single, fresh, typed=f"create database {DATABASE}\n")

    def _make_password(self) -> str:
        self.password_file.unlink(missing_ok=True)
        self.password_file.touch(mode=0o600, exist_ok=False)
        self.password_file.write_text(password := secrets.token_urlsafe(24))
        sync(self.password_file)
        return password

    def _command(self, account: Account) -> list[str]:
        if not self.password_file.exists():
            raise FileNotFoundError(f"{self.password_file} is missing, and nobody can log in")
        settings = DEFAULTS | dict(self.settings) | FIXED | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return ["postgres", "-D", path_for(account, self.files), *options]

    def _answers(self, pid: int) -> bool:
        """As pg_ctl asks: the postmaster's own file says who it is and how far it has come."""
        try:
            lines = (self.files / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and [line.strip() for line in lines[7:8]] == ["ready"]

    def _failure(self, reason: str) -> EmbeddedServerError:
        if 'lock file "postmaster.pid" already exists' in reason:
            return AlreadyRunning(f"already running: another PostgreSQL has {self.files}")
        return super()._failure(reason)


def path_for(account: Account, directory: Path) -> str:
    """Where a server finds the directory it runs in, also if it may not pass the parents."""
    return str(directory) if account.can_enter(directory) else HERE
