"""An environment is one constant combination of factor levels; a subset is shot in one of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from rig.errors import UserError

NAME_LENGTH = 33
"""Longest environment name; it travels in file names."""

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


class PlanningError(UserError):
    """Factors, environments or subset sizes that no campaign can be planned with."""


def slug(text: str) -> str:
    """*text* with nothing but `a-z`, `0-9`, `.` and single `-` inside; may come out empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")


@dataclass(frozen=True, slots=True)
class Environment:
    """A named combination of factor levels.

    Attributes:
        name: 1 to `NAME_LENGTH` characters of `a-z`, `0-9`, `.`, `-`, e.g. `e01-dark-landscape`.
        levels: factor -> level, in the order of the factors. Not to be changed.

    Raises:
        PlanningError: the name is not of that form.
    """

    name: str
    levels: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(self.name) > NAME_LENGTH or not _NAME.fullmatch(self.name):
            raise PlanningError(
                f"The environment name {self.name!r} must have 1 to {NAME_LENGTH} characters "
                "of a-z, 0-9, '.' and '-', and begin with a letter or digit."
            )
        # A copy of our own: the caller's dict may change, and a plain dict can be pickled.
        object.__setattr__(self, "levels", dict(self.levels))

    def __hash__(self) -> int:
        return hash((self.name, frozenset(self.levels.items())))


@dataclass(frozen=True, slots=True)
class Subset:
    """The x-rays *first*..*last* (both included, from 1), shot in one environment; *id* from 1."""

    id: int
    first: int
    last: int
    environment: Environment

    @property
    def size(self) -> int:
        """How many x-rays."""
        return self.last - self.first + 1
