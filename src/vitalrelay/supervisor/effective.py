"""Every setting as it is in force, fit to be shown."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from vitalrelay.adapters.inbound.cli.tools import EffectiveSetting
from vitalrelay.settings import BARE, PREFIX, read_settings

HIDDEN = "***"


def effective_settings() -> list[EffectiveSetting]:
    """Raises WrongSetting."""
    settings = read_settings()
    given = settings.model_fields_set
    return [
        EffectiveSetting(
            variable(name), shown(value), "environment" if name in given else "default"
        )
        for name, value in settings
    ]


def variable(name: str) -> str:
    return name.upper() if name.upper() in BARE else PREFIX + name.upper()


def shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return without_secrets(value.get_secret_value())
    return str(value).lower() if isinstance(value, bool) else str(value)


def without_secrets(url: str) -> str:
    """The address stays; the password goes, and whatever else stands where one may stand."""
    try:
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        named = user.partition(":")[0]
    except ValueError:
        return HIDDEN
    login = f"{named}:{HIDDEN}" if ":" in user else named
    query = HIDDEN if parts.query else ""
    return parts._replace(netloc=f"{login}{at}{host}", query=query, fragment="").geturl()
