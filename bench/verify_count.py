"""What came out of the verification bench, counted."""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.programs import BenchError
from rig.intake.limits import Limits

SCORES = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90)
CLUSTERS = (0.010, 0.014, 0.020, 0.024, 0.028, 0.032, 0.036, 0.040, 0.050)


@dataclass(frozen=True, slots=True)
class Row:
    """One check: what was photographed, what was claimed, what came out.

    Attributes:
        kind: "true", "same patient", "other patient", or the mishap.
        preset, share, megapixels, key: of the photo.
        claimed: key of the x-ray it was held against.
        way: "cascade" alone, or "prior" first.
        cpu_ms: of the check without decoding and without the x-ray's kept features.
        corner_px, corners_px: worst corner and all corners from the truth, photo pixels.
        worst_iou: of the transferred boxes.
        drift_px: of the corners from where the last photo of the series had them.
    """

    kind: str
    preset: str
    share: float
    megapixels: float
    key: str
    claimed: str
    way: str
    file: str
    verified: bool
    reason: str
    score: float
    block_agreement: float
    worst_cluster: float
    hidden: float
    previous: float | None
    previous_in_part: float | None
    located_by: str | None
    rejects: int
    cpu_ms: float
    corners_px: tuple[float, ...] = ()
    worst_iou: float | None = None
    drift_px: float | None = None


_DOUBT = ("kind", "preset", "key", "claimed", "way", "reason", "score", "worst_cluster", "hidden")


def counted(about: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """*about* the run, and all that is counted of *rows*; JSON values.

    Raises:
        BenchError: there is no true photo.
    """
    true = [r for r in rows if r.kind == "true"]
    false = [r for r in rows if r.kind != "true"]
    if not true:
        raise BenchError("There is nothing to count: no photos.")
    return {
        **about,
        "photos": len({r.file for r in rows}),
        "checks": len(rows),
        "load": os.getloadavg()[0],
        "opencv": cv2.__version__,
        "limits": asdict(Limits()),
        "true": [_true(name, some) for name, some in _grouped(true, lambda r: (r.preset, r.way))],
        "false": [
            _false(name, some) for name, some in _grouped(false, lambda r: (r.kind, r.preset))
        ],
        "by_score": [_by_score(limit, rows) for limit in SCORES],
        "by_cluster": [_by_cluster(limit, rows) for limit in CLUSTERS],
        "time": [_times(*one) for one in _grouped(true, lambda r: (r.megapixels, r.way))],
        "place": [
            _places(name, some)
            for name, some in _grouped(true, lambda r: (r.preset, r.megapixels))
            if any(r.corners_px for r in some)
        ],
        "doubtful": [
            {"photo": Path(r.file).name, **{name: getattr(r, name) for name in _DOUBT}}
            for r in rows
            if r.verified != (r.kind == "true")
        ],
    }  # fmt: skip


def _grouped(
    rows: Iterable[Row], name: Callable[[Row], tuple[Any, ...]]
) -> list[tuple[tuple[Any, ...], list[Row]]]:
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[name(row)].append(row)
    return sorted(found.items(), key=lambda one: one[0])


def _true(name: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    scores = [r.score for r in rows]
    return {
        "preset": name[0],
        "way": name[1],
        "photos": len(rows),
        "verified": sum(r.verified for r in rows),
        "kept": sum(r.verified and not r.rejects for r in rows),
        "worst_score": min(scores),
        "median_score": statistics.median(scores),
        "worst_cluster": max(r.worst_cluster for r in rows if r.score >= 0.5),
        "previous": max((r.previous for r in rows if r.previous is not None), default=None),
        "by_prior": sum(r.located_by == "prior" for r in rows),
    }


def _false(name: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    located = [r for r in rows if r.score >= Limits().score]
    return {
        "kind": name[0],
        "preset": name[1],
        "photos": len({r.file for r in rows}),
        "pairs": len({(r.file, r.claimed) for r in rows}),
        "accepted": len({(r.file, r.claimed) for r in rows if r.verified}),
        "best_score": max(r.score for r in rows),
        "least_cluster": min((r.worst_cluster for r in located), default=None),
        "previous": min((r.previous for r in located if r.previous is not None), default=None),
    }


def _else(row: Row, limits: Limits) -> bool:
    """All limits but those of score and cluster hold."""
    return (
        row.located_by is not None
        and row.block_agreement >= limits.block_agreement
        and row.hidden <= limits.hidden
        and (row.previous is None or row.previous <= limits.previous_correlation)
        and (row.previous_in_part is None or row.previous_in_part <= limits.previous_in_part)
    )


def _clear(row: Row, limits: Limits) -> bool:
    by_glare = row.hidden >= 0.01
    return row.worst_cluster <= (
        limits.worst_cluster_by_glare if by_glare else limits.worst_cluster
    )


def _by_score(limit: float, rows: Sequence[Row]) -> dict[str, Any]:
    """What would be accepted with another limit of the score; impostors also by score alone."""
    limits = Limits()
    said: dict[str, Any] = {"score": limit}
    for preset in ("easy", "typical", "hard"):
        true = [r for r in rows if r.kind == "true" and r.preset == preset and r.way == "prior"]
        good = sum(r.score >= limit and _else(r, limits) and _clear(r, limits) for r in true)
        said[preset] = [good, len(true)]
    for kind in ("same patient", "other patient"):
        some = [r for r in rows if r.kind == kind]
        alone = sum(r.score >= limit for r in some)
        both = sum(r.score >= limit and _else(r, limits) and _clear(r, limits) for r in some)
        said[kind] = [alone, both, len(some)]
    return said


def _by_cluster(limit: float, rows: Sequence[Row]) -> dict[str, Any]:
    """The same with another limit of the area that shows something else."""
    limits = Limits()
    by_glare = limit * limits.worst_cluster_by_glare / limits.worst_cluster
    changed = replace(limits, worst_cluster=limit, worst_cluster_by_glare=by_glare)
    said: dict[str, Any] = {"cluster": limit}
    for kind in ("easy", "typical", "hard", "dialog", "hand", "tear", "blend"):
        some = [r for r in rows if kind in {r.kind, r.preset if r.kind == "true" else ""}]
        good = {
            r.file
            for r in some
            if r.score >= limits.score and _else(r, changed) and _clear(r, changed)
        }
        said[kind] = [len(good), len({r.file for r in some})]
    return said


def _times(name: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    # The first photo of a series has no last one to start from.
    if name[1] == "prior":
        rows = [r for r in rows if r.located_by == "prior"] or rows
    times = sorted(r.cpu_ms for r in rows)
    return {
        "megapixels": name[0],
        "way": name[1],
        "photos": len(rows),
        "median_ms": statistics.median(times),
        "p95_ms": float(np.percentile(times, 95)),
    }


def _places(name: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    found = [r for r in rows if r.corners_px]
    every = np.concatenate([r.corners_px for r in found])
    worst = np.array([max(r.corners_px) for r in found])
    drifts = [r.drift_px for r in found if r.drift_px is not None]
    return {
        "preset": name[0],
        "megapixels": name[1],
        "checks": len(found),
        "corner_median_px": float(np.median(every)),
        "corner_p95_px": float(np.percentile(every, 95)),
        "worst_corner_median_px": float(np.median(worst)),
        "worst_corner_p95_px": float(np.percentile(worst, 95)),
        "worst_iou_p5": float(np.percentile([r.worst_iou for r in found if r.worst_iou], 5)),
        "drift_p99_px": float(np.percentile(drifts, 99)) if drifts else None,
    }
