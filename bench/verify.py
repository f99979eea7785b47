"""Does the optical check accept what is right and nothing else? Simulated photos, counted."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import rig.sample
from bench.verify_count import Row, counted
from bench.verify_photos import SCREEN, Photo, Source, made, orders, sources
from bench.verify_sheet import sheet
from bench.verify_table import table
from rig.intake import geometry
from rig.intake.cache import FeatureCache
from rig.intake.drift import distance
from rig.intake.features import Reference, Snapshot
from rig.intake.prior import Prior, next_prior, prior_of
from rig.intake.read import read_grey, sha256_of
from rig.intake.verify import Verification, verify
from rig.synthesis.pool import make_pool

__all__ = ["measure", "register", "table"]

ASPECT = SCREEN[0] / SCREEN[1]
BOXES = 12
"""Boxes per photo whose transfer is measured, 5 to 40 % of the x-ray's sides."""
STRANGERS = 5
"""X-rays of other patients that one photo of each x-ray is said to show."""
SHOTS = 2
"""Photos of each x-ray, of different kinds, that are said to show the patient's other films."""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that only this entry has."""
    group = parser.add_argument_group("of entry verify")
    group.add_argument("--seed", type=int, default=1, metavar="N", help="of all photos (default 1)")
    group.add_argument(
        "--count", type=int, metavar="N", help="x-rays, the first of the half (default: all)"
    )
    group.add_argument(
        "--xrays", type=Path, metavar="CSV", help="table in CheXpert's layout (default: bundled)"
    )
    group.add_argument(
        "--half", choices=("test", "tuning", "all"), default="test",
        help="patients that limits were not chosen on, or those they were (default: test)",
    )  # fmt: skip
    group.add_argument(
        "--photos", type=Path, metavar="DIR", help="keep the photos there, and reuse"
    )
    group.add_argument("--brief", action="store_true", help="one round, 2 megapixels, far faster")
    group.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    group.add_argument("--contact", type=Path, metavar="JPG", help="draw the doubtful photos")


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Render what is missing, check everything; JSON values.

    Raises:
        BenchError: no x-rays.
    """
    listed = args.xrays or rig.sample.csv_path()
    xrays = sources(listed, args.half)[: args.count]
    folder = (args.photos or args.dir / "rig-verify-photos") / f"{args.half}-{args.seed}"
    wanted = orders(len(xrays), brief=args.brief)
    tell(f"{len(xrays)} x-rays, {len(wanted)} photos in {folder}")
    photos = made(folder, args.seed, xrays, wanted, workers=args.workers, tell=tell)
    jobs = [*_series(photos), *_claims(photos, xrays, args.seed), *_mishaps(photos)]
    rows: list[Row] = []
    began = time.monotonic()
    for done, some in enumerate(_run([(job, tuple(xrays), folder) for job in jobs], args.workers)):
        rows += some
        if done % 25 == 24:
            tell(f"{done + 1} of {len(jobs)} groups checked")
    if args.contact:
        sheet(rows, args.contact)
    about = {
        "seed": args.seed,
        "half": args.half,
        "xrays": len(xrays),
        "patients": len({x.patient for x in xrays}),
        "table": listed.name,
        "minutes": (time.monotonic() - began) / 60,
        "workers": args.workers,
    }
    return counted(about, rows)


Job = tuple[str, tuple[Photo, ...], tuple[int, ...]]
"""What to do, the photos, and the x-rays claimed (places)."""


def _series(photos: Sequence[Photo]) -> Iterator[Job]:
    """True photos of one tripod, in the order of shooting."""
    true = [p for p in photos if p.order.kind == "true"]
    for _, some in groupby(true, lambda p: (p.order.preset, p.order.round, p.order.series)):
        yield "series", tuple(some), ()


def _claims(photos: Sequence[Photo], xrays: Sequence[Source], seed: int) -> Iterator[Job]:
    """True photos of each x-ray held against the patient's other films, one against strangers'.

    The photos of an x-ray are of different kinds as far as there are such; none is held twice
    against the same x-ray.
    """
    draw = np.random.default_rng([seed, 1])
    by_place: dict[int, list[Photo]] = defaultdict(list)
    for photo in photos:
        if photo.order.kind == "true":
            by_place[photo.order.at].append(photo)
    for at, some in sorted(by_place.items()):
        same = [n for n, x in enumerate(xrays) if x.patient == xrays[at].patient]
        others = sorted(set(range(len(xrays))) - set(same))
        same.remove(at)
        strangers = draw.choice(others, min(len(others), STRANGERS), replace=False).tolist()
        mixed = [some[n] for n in draw.permutation(len(some))]
        kinds = {p.order.preset: p for p in reversed(mixed)}
        chosen = [*kinds.values(), *(p for p in mixed if p not in kinds.values())][:SHOTS]
        yield "claims", (chosen[0],), (*same, *strangers)
        for photo in chosen[1:] if same else ():
            yield "claims", (photo,), tuple(same)


def _mishaps(photos: Sequence[Photo]) -> Iterator[Job]:
    for photo in photos:
        if photo.order.kind != "true":
            yield "mishap", (photo,), ()


def _run(jobs: Sequence[tuple[Job, tuple[Source, ...], Path]], workers: int) -> Iterator[list[Row]]:
    if workers == 1:
        yield from map(checked, jobs)
        return
    with make_pool(workers) as pool:
        yield from pool.map(checked, jobs)


@lru_cache(maxsize=64)
def _reference(source: Source, folder: Path) -> Reference:
    """The x-ray with all its features: kept on disk, so not part of a photo's time."""
    cache = FeatureCache(folder / "features")
    found = cache.reference(sha256_of(source.file), lambda: read_grey(source.file))
    _ = found.texture, found.orb, found.sift
    return found


def checked(work: tuple[Job, tuple[Source, ...], Path]) -> list[Row]:
    """All checks of one job, in this process, on one thread."""
    (what, photos, claims), xrays, folder = work
    cv2.setNumThreads(1)
    if what == "series":
        return _check_series(photos, xrays, folder)
    (photo,) = photos
    grey = read_grey(photo.file)
    place = photo.order.at
    shown = xrays[place]
    reference = _reference(shown, folder)
    prior = prior_of(photo.homography, reference.size, (grey.shape[1], grey.shape[0]), ASPECT)
    if what == "mishap":
        before = _reference(xrays[place - 1], folder)
        found = [
            (way, _timed(grey, reference, before, start))
            for way, start in (("cascade", None), ("prior", prior))
        ]
        return [_row(photo, shown, shown, photo.order.kind, way, *one) for way, one in found]
    rows, snapshot = [], Snapshot(grey)
    for claimed in (xrays[at] for at in claims):
        # The place of the screen is known: the hardest case, and the cascade follows in any case.
        kind = "same patient" if claimed.patient == shown.patient else "other patient"
        one = _timed(snapshot, _reference(claimed, folder), None, prior)
        rows.append(_row(photo, shown, claimed, kind, "prior", *one))
    return rows


def _check_series(photos: Sequence[Photo], xrays: Sequence[Source], folder: Path) -> list[Row]:
    """Each photo by the cascade alone, and from the place of the last verified one."""
    rows, prior = [], None
    for photo in photos:
        place = photo.order.at
        shown = xrays[place]
        reference, before = (_reference(xrays[at], folder) for at in (place, place - 1))
        grey = read_grey(photo.file)
        alone = _timed(grey, reference, before, None)
        helped = alone if prior is None else _timed(grey, reference, before, prior)
        for way, (found, cpu) in (("cascade", alone), ("prior", helped)):
            row = _row(photo, shown, shown, "true", way, found, cpu)
            rows.append(_placed(row, photo, reference, found, prior if way == "prior" else None))
        prior = next_prior(helped[0], prior, ASPECT)
    return rows


def _timed(
    photo: NDArray[np.uint8] | Snapshot,
    reference: Reference,
    before: Reference | None,
    prior: Prior | None,
) -> tuple[Verification, float]:
    began = time.process_time()
    found = verify(photo, reference.grey, features=reference, previous_features=before, prior=prior)
    return found, 1000 * (time.process_time() - began)


def _row(
    photo: Photo,
    shown: Source,
    claimed: Source,
    kind: str,
    way: str,
    found: Verification,
    cpu: float,
) -> Row:
    order = photo.order
    return Row(
        kind, order.preset, order.share, order.megapixels, shown.key, claimed.key, way,
        str(photo.file), found, cpu,
    )  # fmt: skip


def _placed(
    row: Row, photo: Photo, reference: Reference, found: Verification, prior: Prior | None
) -> Row:
    """*row* with how well the x-ray was located; only of a verified photo: others are not used."""
    if not found.verified or found.homography is None:
        return row
    truth, seen = np.array(photo.homography), np.array(found.homography)
    width, height = reference.size
    off = geometry.corners(truth, width, height) - geometry.corners(seen, width, height)
    return replace(
        row,
        corners_px=tuple(float(v) for v in np.linalg.norm(off, axis=1)),
        worst_iou=min(_ious(truth, seen, width, height, photo.order.at)),
        drift_px=distance(prior, found),
    )


def _ious(
    truth: NDArray[np.float64], seen: NDArray[np.float64], width: int, height: int, at: int
) -> Iterator[float]:
    """Overlap of boxes carried over by the true and by the measured homography."""
    draw = np.random.default_rng(at)
    for _ in range(BOXES):
        size = draw.uniform(0.05, 0.40, 2) * (width, height)
        x, y = draw.uniform(0, 1, 2) * ((width, height) - size)
        move = geometry.translation(x, y)
        a, b = (geometry.corners(m @ move, *size) for m in (truth, seen))
        (al, ah), (bl, bh) = ((q.min(axis=0), q.max(axis=0)) for q in (a, b))
        common = float(np.prod(np.maximum(np.minimum(ah, bh) - np.maximum(al, bl), 0)))
        yield common / float(np.prod(ah - al) + np.prod(bh - bl) - common)
