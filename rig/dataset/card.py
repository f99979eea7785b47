"""The dataset card, `README.md`: what is inside, how it was made, under which terms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rig import __version__
from rig.catalog.model import SPLITS
from rig.dataset import layout
from rig.dataset.box_table import BoxWriter
from rig.dataset.facts import Facts


def card(
    root: str,
    xrays: int,
    facts: Facts,
    *,
    environments: int,
    kinds: Sequence[str],
    seed: int,
    terms: str,
    boxes: BoxWriter | None,
) -> str:
    """The text of the card, the same for the same input."""
    return "\n".join(
        (
            f"# {root}",
            "",
            "Chest x-rays photographed from a monitor with a phone, and synthetic twins of the",
            "same x-rays, in CheXphoto's layout. Not for diagnosis.",
            "",
            *_counts(xrays, facts),
            *_making(facts, environments, kinds, seed),
            *_verification(facts),
            *_boxes(boxes),
            *_gaps(facts),
            "## Terms",
            "",
            terms.strip()
            or "No terms were stated when this dataset was built. The terms of the source x-rays "
            "apply to every\nimage derived from them; ask whoever gave you this folder.",
            "",
        )
    )


def _counts(xrays: int, facts: Facts) -> list[str]:
    lines = [
        "## Contents",
        "",
        "| set | split | patients | studies | images |",
        "|---|---|--:|--:|--:|",
    ]
    found = facts.amounts()
    for split, name in sorted(found, key=lambda at: (at[1], SPLITS.index(at[0]))):
        one = found[split, name]
        lines.append(f"| {name} | {split} | {one.patients} | {one.studies} | {one.images} |")
    return [
        *lines,
        "",
        f"{xrays} source x-rays. No patient is in two splits. Each `<split>.csv` has one row",
        "per image with CheXpert's 19 columns; labels are `1.0` positive, `0.0` negative, `-1.0`",
        "uncertain, blank unmentioned, copied from the source.",
        "",
    ]


def _making(facts: Facts, environments: int, kinds: Sequence[str], seed: int) -> list[str]:
    lines = [
        "## How it was made",
        "",
        f"By capture-rig {__version__}. Photos: {facts.natural}, in {environments} environments",
        "(`environments.csv`), stored as the camera made them but for the location.",
        "`captures.parquet` tells environment, time, attempt, digests and where the x-ray is in",
        "each photo; `croissant.json` describes every file for machines.",
    ]
    if facts.first_ns:
        lines.append(f"Taken from {_day(facts.first_ns)} to {_day(facts.last_ns)} (UTC).")
    if kinds:
        lines.append(
            f"Synthetic sets: {', '.join(sorted(kinds))}, seed {seed}; `manifest.jsonl` holds "
            "every parameter."
        )
    return [*lines, ""]


def _day(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def _verification(facts: Facts) -> list[str]:
    if not facts.natural:
        return []
    return [
        "## Verification",
        "",
        "Every photo was compared with its x-ray by its pixels (local-contrast-normalised",
        "correlation):",
        f"lowest {facts.lowest:.3f}, median {facts.score(0.5):.3f}, highest {facts.highest:.3f}.",
        f"One photo in twenty is below {facts.score(0.05):.3f}.",
        "",
    ]


def _boxes(boxes: BoxWriter | None) -> list[str]:
    if boxes is None:
        return []
    return [
        "## Boxes",
        "",
        f"`{layout.BOXES}` (and `{layout.BOXES_CSV}`): findings of the x-rays' readers carried",
        "into every picture by its homography, in pixels as stored, pixel-edge coordinates.",
        f"{boxes.kept} boxes; {boxes.dropped} fall out of their picture and are listed with the",
        "reason.",
        "",
    ]


def _gaps(facts: Facts) -> list[str]:
    if not facts.missing:
        return []
    shown = [f"- {gap.index} ({gap.key}): {gap.reason}" for gap in facts.gaps[:50]]
    more = facts.missing - len(shown)
    rest = [f"- and {more} more in `captures.parquet`"] if more else []
    return ["## Gaps", "", "X-rays without a photo:", "", *shown, *rest, ""]
