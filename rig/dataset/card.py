"""The dataset card, `README.md`: what is inside, how it was made, under which terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from rig import __version__
from rig.catalog.model import SPLITS, Xray
from rig.dataset.model import CapturedPhoto, Gap


def card(
    root: str,
    xrays: Sequence[Xray],
    photos: Sequence[CapturedPhoto],
    synthetic: Mapping[str, Sequence[Xray]],
    gaps: Sequence[Gap],
    *,
    seed: int,
    terms: str,
) -> str:
    """The text of the card, the same for the same input."""
    return "\n".join(
        (
            f"# {root}",
            "",
            "Chest x-rays photographed from a monitor with a phone, and synthetic twins of the",
            "same x-rays, in CheXphoto's layout. Not for diagnosis.",
            "",
            *_counts(xrays, photos, synthetic),
            *_making(photos, synthetic, seed),
            *_verification(photos),
            *_gaps(gaps),
            "## Terms",
            "",
            terms.strip()
            or "No terms were stated when this dataset was built. The terms of the source x-rays "
            "apply to every\nimage derived from them; ask whoever gave you this folder.",
            "",
        )
    )


def _counts(
    xrays: Sequence[Xray],
    photos: Sequence[CapturedPhoto],
    synthetic: Mapping[str, Sequence[Xray]],
) -> list[str]:
    sets: dict[str, list[Xray]] = {}
    for photo in photos:
        sets.setdefault(f"natural/{photo.device}", []).append(photo.xray)
    for kind, made in synthetic.items():
        sets[f"synthetic/{kind}"] = list(made)
    lines = [
        "## Contents",
        "",
        "| set | split | patients | studies | images |",
        "|---|---|--:|--:|--:|",
    ]
    for name in sorted(sets):
        for split in SPLITS:
            here = [x for x in sets[name] if x.split == split]
            if here:
                patients = {x.patient for x in here}
                studies = {(x.patient, x.study) for x in here}
                lines.append(
                    f"| {name} | {split} | {len(patients)} | {len(studies)} | {len(here)} |"
                )
    return [
        *lines,
        "",
        f"{len(xrays)} source x-rays. No patient is in two splits. Each `<split>.csv` has one row",
        "per image with CheXpert's 19 columns; labels are `1.0` positive, `0.0` negative, `-1.0`",
        "uncertain, blank unmentioned, copied from the source.",
        "",
    ]


def _making(
    photos: Sequence[CapturedPhoto], synthetic: Mapping[str, Sequence[Xray]], seed: int
) -> list[str]:
    environments = {photo.environment.name for photo in photos}
    lines = [
        "## How it was made",
        "",
        f"By capture-rig {__version__}. Photos: {len(photos)}, in {len(environments)} environments",
        "(`environments.csv`), stored as the camera made them but for the location.",
        "`captures.parquet` tells environment, time, attempt, digests and where the x-ray is in",
        "each photo.",
    ]
    if synthetic:
        lines.append(
            f"Synthetic sets: {', '.join(sorted(synthetic))}, seed {seed}; `manifest.jsonl` holds "
            "every parameter."
        )
    return [*lines, ""]


def _verification(photos: Sequence[CapturedPhoto]) -> list[str]:
    if not photos:
        return []
    scores = [photo.score for photo in photos]
    return [
        "## Verification",
        "",
        "Every photo was compared with its x-ray by its pixels (local-contrast-normalised",
        "correlation):",
        f"lowest {min(scores):.3f}, median {median(scores):.3f}, highest {max(scores):.3f}.",
        "",
    ]


def _gaps(gaps: Sequence[Gap]) -> list[str]:
    if not gaps:
        return []
    shown = [f"- {gap.index} ({gap.key}): {gap.reason}" for gap in gaps[:50]]
    more = [f"- and {len(gaps) - 50} more in `captures.parquet`"] if len(gaps) > 50 else []
    return ["## Gaps", "", "X-rays without a photo:", "", *shown, *more, ""]
