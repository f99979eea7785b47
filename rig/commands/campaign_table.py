"""`rig campaign show` for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def table(shown: dict[str, Any]) -> Iterator[str]:
    """The lines for what `rig.capture.describe.describe` tells."""
    yield (
        f"{shown['name']}: {shown['xrays']} x-rays of {shown['catalog']} with {shown['device']}, "
        f"{len(shown['subsets'])} subsets, seed {shown['seed']}, revision {shown['revision']}"
    )
    figures = shown["design"]
    dealt = (figures or {}).get("stations", ())
    width = max((len(one["name"]) for one in dealt), default=0)
    for one in shown["subsets"]:
        span = f"{one['first']}-{one['last']}"
        where = f"{one['station'] or '':{width}}  " if dealt else ""
        levels = " ".join(one["environment"]["levels"].values())
        yield (
            f"  {one['id']:4}  {span:>13}  {one['state']:12} {where}"
            f"{one['environment']['name']}  {levels}"
        )
    yield _designed(figures)
    yield from _dealt(figures, shown["next"])
    yield from _balance(shown["balance"])


def _designed(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return "design: not recorded (planned by an older version)"
    missing, possible = len(figures["pairs_missing"]), figures["pairs_possible"]
    met = f"{possible - missing} of {possible} pairs of levels met; " if possible else ""
    return (
        f"design: {figures['environments']} environments; {met}changes take "
        f"{figures['change_minutes']:.0f} min on one station (no order takes less than "
        f"{figures['change_minutes_bound']:.0f}, an unordered plan "
        f"{figures['change_minutes_unordered']:.0f})"
    )


def _dealt(figures: dict[str, Any] | None, following: dict[str, int | None]) -> Iterator[str]:
    if figures is None or not figures.get("stations"):
        return
    lists, together = figures["stations"], f"{figures['dealt_minutes']:.0f} min together"
    yield (
        f"dealt to {len(lists)} stations: changes take {together} (no dealing takes less than "
        f"{figures['dealt_minutes_bound']:.0f}, taking the next one in turn "
        f"{figures['dealt_minutes_in_turn']:.0f})"
    )
    for one in lists:
        then = following.get(one["name"])
        yield (
            f"  {one['name']}: {len(one['subsets'])} subsets, {one['xrays']} x-rays, changes "
            f"{one['change_minutes']:.0f} min, next: {'nothing left' if then is None else then}"
        )


def _balance(balance: dict[str, Any]) -> Iterator[str]:
    from rig.capture.balance import p_text

    worst = max(balance["cramers_v"].items(), key=lambda item: item[1])
    yield f"label and environment: Cramér's V at most {worst[1]:.3f} ({worst[0]})"
    by_factor, sure = balance["cramers_v_factors"], balance["significance"]
    factors: dict[str, float] = next(iter(by_factor.values()), {})
    if factors:
        yield "label and factor: largest Cramér's V, smallest p after correction for all tables"
    for factor in factors:
        label = max(by_factor, key=lambda name: by_factor[name][factor])
        surest = min(sure, key=lambda name: sure[name][factor]["p_holm"])
        yield (
            f"  {factor}: V {by_factor[label][factor]:.3f} ({label}), "
            f"p {p_text(sure[surest][factor]['p_holm'])} ({surest})"
        )
    for warning in balance["warnings"]:
        yield f"WARNING  {warning}"
