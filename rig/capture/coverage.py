"""Which indices of a subset are shot, and how a list of indices becomes runs of neighbours."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
"""First and last index, both included."""


def first_missing(first: int, last: int, shot: Iterable[Span]) -> int | None:
    """The first index of *first*..*last* that no span of *shot* holds; None when all are held."""
    following = first
    for begin, end in sorted(shot):
        if begin > following:
            break
        following = max(following, end + 1)
    return following if following <= last else None


def runs(indices: Iterable[int]) -> list[Span]:
    """*indices* as spans of consecutive ones, in order; doubled ones count once."""
    found: list[Span] = []
    for index in sorted(set(indices)):
        if found and index == found[-1][1] + 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found
