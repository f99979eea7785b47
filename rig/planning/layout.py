"""Where the subsets lie on the index: cut evenly, laid out in order, around what was shot."""

from __future__ import annotations

from collections.abc import Sequence

from rig.planning.model import Environment, PlanningError, Subset
from rig.planning.subsets import subset_count

Span = tuple[int, int]
"""First and last index, both included."""


def cut(
    spans: Sequence[Span], *, size_min: int = 250, size_max: int = 500, at_least: int = 1
) -> tuple[Span, ...]:
    """*spans* cut into consecutive pieces of *size_min* to *size_max* indices, evenly each.

    A span shorter than *size_min* becomes one short piece; where no number of equal pieces fits,
    the maximum holds and the minimum gives way (`subset_count`).

    Args:
        spans: what is to be covered; disjoint, in order.
        size_min: smallest piece wanted.
        size_max: largest piece.
        at_least: pieces in all, as far as sizes allow.

    Raises:
        PlanningError: an empty span, or not 1 <= size_min <= size_max.
    """
    total = sum(last - first + 1 for first, last in spans)
    pieces: list[Span] = []
    for first, last in spans:
        size = last - first + 1
        share = max(1, round(at_least * size / total)) if total > 0 else 1
        count = subset_count(size, size_min=size_min, size_max=size_max, at_least=share)
        each, larger = divmod(size, count)
        at = first
        for number in range(count):
            end = at + each + (number < larger) - 1
            pieces.append((at, end))
            at = end + 1
    return tuple(pieces)


def free_spans(n: int, kept: Sequence[Subset]) -> tuple[Span, ...]:
    """What of 1..*n* no subset of *kept* covers.

    Raises:
        PlanningError: subsets that overlap, or reach beyond *n*.
    """
    spans: list[Span] = []
    after = 1
    for one in sorted(kept, key=lambda subset: subset.first):
        if one.first < after or one.last > n:
            raise PlanningError(
                f"Subset {one.id} ({one.first} to {one.last}) overlaps another one or lies outside "
                f"1 to {n}."
            )
        if one.first > after:
            spans.append((after, one.first - 1))
        after = one.last + 1
    if after <= n:
        spans.append((after, n))
    return tuple(spans)


def lay_out(
    pieces: Sequence[Span], environments: Sequence[Environment], *, first_id: int = 1
) -> tuple[Subset, ...]:
    """One subset for each piece and environment, in order; ids from *first_id*."""
    return tuple(
        Subset(number, first, last, environment)
        for number, ((first, last), environment) in enumerate(
            zip(pieces, environments, strict=True), first_id
        )
    )
