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
from rig.intake.verify import Verification, decide

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
        found: what the check found.
        cpu_ms: of the check without decoding and without the x-ray's kept features.
        corners_px: all corners from the truth, photo pixels.
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
    found: Verification
    cpu_ms: float
    corners_px: tuple[float, ...] = ()
    worst_iou: float | None = None
    drift_px: float | None = None

    @property
    def wrong(self) -> bool:
        """A true photo refused, or anything else accepted."""
        return self.found.verified != (self.kind == "true")


_DOUBT = ("kind", "preset", "share", "key", "claimed", "way")
_MEASURED = ("reason", "score", "worst_cluster", "block_cluster", "unproven", "hidden")


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
        "impostors": [
            _impostors(kind, [r for r in false if r.kind == kind])
            for kind in ("same patient", "other patient")
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
            {
                "photo": Path(r.file).name,
                **{name: getattr(r, name) for name in _DOUBT},
                **{name: getattr(r.found, name) for name in _MEASURED},
            }
            for r in rows
            if r.wrong
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
    found = [r.found for r in rows]
    scores = [f.score for f in found]
    before = [f.previous_correlation for f in found if f.previous_correlation is not None]
    return {
        "preset": name[0],
        "way": name[1],
        "photos": len(rows),
        "verified": sum(f.verified for f in found),
        "kept": sum(f.verified and f.quality is not None and not f.quality.rejects for f in found),
        "worst_score": min(scores),
        "median_score": statistics.median(scores),
        "worst_cluster": max(f.worst_cluster for f in found if f.score >= 0.5),
        "previous": max(before, default=None),
        "by_prior": sum(f.located_by == "prior" for f in found),
    }


def _false(name: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    located = [r.found for r in rows if r.found.score >= Limits().score]
    before = [f.previous_correlation for f in located if f.previous_correlation is not None]
    return {
        "kind": name[0],
        "preset": name[1],
        "photos": len({r.file for r in rows}),
        "pairs": len({(r.file, r.claimed) for r in rows}),
        "accepted": len({(r.file, r.claimed) for r in rows if r.found.verified}),
        "best_score": max(r.found.score for r in rows),
        "least_cluster": min((f.worst_cluster for f in located), default=None),
        "least_unproven": min((f.unproven for f in located), default=None),
        "previous": min(before, default=None),
    }


def _impostors(kind: str, rows: Sequence[Row]) -> dict[str, Any]:
    """How much there is behind the claims: no photo is held twice against an x-ray."""
    return {
        "kind": kind,
        "claims": len({(r.file, r.claimed) for r in rows}),
        "accepted": len({(r.file, r.claimed) for r in rows if r.found.verified}),
        "photos": len({r.file for r in rows}),
        "xray_pairs": len({(r.key, r.claimed) for r in rows}),
        "patients": len({r.key.split("/", 1)[0] for r in rows}),
    }


def _by_score(limit: float, rows: Sequence[Row]) -> dict[str, Any]:
    """What would be accepted with another limit of the score; impostors also by score alone."""
    limits = replace(Limits(), score=limit)
    said: dict[str, Any] = {"score": limit}
    for preset in ("easy", "typical", "hard"):
        true = [r for r in rows if r.kind == "true" and r.preset == preset and r.way == "prior"]
        said[preset] = [sum(decide(r.found, limits)[0] for r in true), len(true)]
    for kind in ("same patient", "other patient"):
        some = [r.found for r in rows if r.kind == kind]
        alone = sum(f.score >= limit for f in some)
        said[kind] = [alone, sum(decide(f, limits)[0] for f in some), len(some)]
    return said


def _by_cluster(limit: float, rows: Sequence[Row]) -> dict[str, Any]:
    """The same with another limit of what shows something else, and of what cannot be proven."""
    limits = replace(Limits(), worst_cluster=limit, unproven=limit)
    said: dict[str, Any] = {"cluster": limit}
    for kind in ("easy", "typical", "hard", "lamp", "dialog", "hand", "tear", "blend"):
        some = [r for r in rows if kind in {r.kind, r.preset if r.kind == "true" else ""}]
        good = {r.file for r in some if decide(r.found, limits)[0]}
        said[kind] = [len(good), len({r.file for r in some})]
    return said


def _times(name: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    # The first photo of a series has no last one to start from.
    if name[1] == "prior":
        rows = [r for r in rows if r.found.located_by == "prior"] or rows
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
