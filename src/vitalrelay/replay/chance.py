"""Chance that can be had again."""

from random import Random


def chance_of(seed: int, *purpose: object) -> Random:
    """One source of chance per purpose: drawing from one moves no other."""
    return Random("/".join(map(str, (seed, *purpose))))  # noqa: S311 - not for secrets
