"""How long to insist, and how long to wait in between: never two of us at the same moment."""

from dataclasses import dataclass
from random import Random
from typing import Final

from vitalrelay.replay.errors import WrongUsage

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
LONGEST_SILENCE_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """``give_up_after_s`` counts from the first attempt at a packet; ``silence_s`` from a byte."""

    give_up_after_s: float = 60.0
    silence_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.give_up_after_s >= 0:
            raise WrongUsage("--give-up-after is a number of seconds, from 0")
        if not 0 < self.silence_s <= LONGEST_SILENCE_S:
            raise WrongUsage(f"--timeout is a number of seconds, up to {LONGEST_SILENCE_S:g}")

    def pause(self, attempts: int, asked_s: float | None, chance: Random) -> float:
        """Full jitter under a limit that doubles, on top of what the server asked for."""
        limit = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 16))
        return (asked_s or 0.0) + chance.uniform(0, limit)
