"""Where packets are sent, and the bytes around them."""

import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vitalrelay.replay.errors import WrongUsage

VERSION: Final = version("vitalrelay")
HEADER_SAFE: Final = re.compile(r"[!-~]+")

ONE_PACKET: Final = ("/v1/signal-packets", "application/json")
MANY_PACKETS: Final = ("/v1/signal-packets/batch", "application/x-ndjson")


@dataclass(frozen=True, slots=True)
class Target:
    """An API behind plain HTTP."""

    host: str
    port: int
    prefix: str = ""
    token: str | None = None

    @classmethod
    def at(cls, url: str, token: str | None = None) -> "Target":
        """Raises WrongUsage for what is no http:// address; https is for real gateways."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            host and host.encode("idna")
        except ValueError:
            raise WrongUsage(f"{url!r} is no address: it is like http://127.0.0.1:8000") from None
        if parts.scheme != "http" or not host or parts.query or parts.fragment or parts.username:
            raise WrongUsage(f"{url!r}: a target is like http://127.0.0.1:8000")
        return cls(host, port or 80, parts.path.rstrip("/"), token)

    @property
    def url(self) -> str:
        return f"http://{self._authority}{self.prefix}"

    def head(self, what: tuple[str, str]) -> bytes:
        """A request up to its length, which the sender adds."""
        path, content_type = what
        authorization = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        return (
            f"POST {self.prefix}{path} HTTP/1.1\r\nHost: {self._authority}\r\n"
            f"User-Agent: vitalrelay-replay/{VERSION}\r\n{authorization}"
            f"Content-Type: {content_type}\r\nContent-Length: "
        ).encode("ascii")

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def gateway_token(path: Path) -> str:
    """The gateway's token in a credentials file. Raises WrongUsage without showing any of it."""
    try:
        credentials = json.loads(path.read_bytes())
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}") from None
    except ValueError:
        raise WrongUsage(f"{path}: not a credentials file") from None
    token = credentials.get("gateway") if isinstance(credentials, dict) else None
    if not isinstance(token, str) or not HEADER_SAFE.fullmatch(token):
        raise WrongUsage(f"{path}: there is no usable token for 'gateway' in it")
    return token
