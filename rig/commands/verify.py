"""`rig verify`: does a photo show an x-ray?"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.progress import progress
from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.intake.limits import Limits

_EPILOG = """\
examples:
  rig verify photo.jpg patient00001/study1/view1_frontal.jpg
  rig verify photo.jpg xray.jpg --previous the-one-before.jpg --json
  rig verify --pairs pairs.csv --workers 4 --json
  rig verify --pairs night.csv --fixed-rig --thresholds stricter.toml
  rig verify --print-thresholds > mine.toml

The CSV has the columns photo,xray and optionally previous (the x-ray shown before, to catch
half-switched frames); its paths start at the current folder or at the CSV's own. With --fixed-rig
its rows are in the order of shooting: each photo is sought first where the last one was, and a rig
that moved is told.
The homography maps x-ray pixels to the photo's stored pixels (an EXIF orientation is not applied),
in pixel-edge coordinates. Exit status: 0 all verified, 1 some are not, 2 bad input.
"""
CHUNK = 16
"""Rows that one process takes in a row; the same for any number of workers, so that the place of
the last photo is handed on between the same rows and the results are the same."""
AHEAD = 4
"""Chunks waiting for each worker: the pairs of a long list are never all in memory."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and the x-ray it should show, as given and as found on disk."""

    photo: str
    xray: str
    previous: str
    folder: Path

    def path(self, text: str) -> Path:
        """*text* from the current folder, or else from the CSV's."""
        here = Path(text)
        return here if here.exists() else self.folder / text


@dataclass(frozen=True, slots=True)
class Manner:
    """How to check: limits, features kept on disk (None: not), a rig that stands still."""

    limits: Limits
    cache: Path | None
    fixed: bool
    strict: bool


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig verify`."""
    parser.epilog = _EPILOG
    parser.add_argument("photo", nargs="?", metavar="PHOTO", help="the photo")
    parser.add_argument("xray", nargs="?", metavar="XRAY", help="the x-ray it should show")
    parser.add_argument("--previous", metavar="XRAY", help="the x-ray shown before")
    parser.add_argument("--pairs", type=Path, metavar="CSV", help="many: photo,xray[,previous]")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes for --pairs (default 1)"
    )
    parser.add_argument(
        "--thresholds",
        type=Path,
        metavar="TOML",
        help="limits to use (default: HOME/thresholds.toml if it is there, else the designed ones)",
    )
    parser.add_argument(
        "--print-thresholds", action="store_true", help="print these limits as TOML and stop"
    )
    parser.add_argument(
        "--fixed-rig", action="store_true", help="the pairs are in shooting order, nothing moved"
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="keep no features of x-rays in HOME/cache"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per pair")
    add_home(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify one pair or many; 0 when all are verified, 1 when some are not."""
    from rig.intake.home_limits import limits_of
    from rig.intake.limits import as_toml, load

    limits = load(args.thresholds) if args.thresholds else limits_of(home_of(args))
    if args.print_thresholds:
        print(as_toml(limits), end="")
        return 0
    if args.pairs is not None:
        if args.photo or args.previous:
            raise UserError("Give PHOTO and XRAY, or --pairs CSV, not both.")
        if args.workers < 1:
            raise UserError(f"--workers must be at least 1, not {args.workers}.")
        total, pairs = sum(1 for _ in read_pairs(args.pairs)), read_pairs(args.pairs)
    else:
        if not (args.photo and args.xray):
            raise UserError("Give PHOTO and XRAY, or --pairs CSV.")
        total, pairs = 1, iter([Pair(args.photo, args.xray, args.previous or "", Path())])
    manner = Manner(limits, _cache(args), args.fixed_rig, strict=args.pairs is None)
    well = True
    with progress("verifying", quiet=total == 1) as advance:
        for done, row in enumerate(_rows(pairs, min(args.workers, total), manner), 1):
            print(json.dumps(row) if args.json else _line(row), flush=True)
            advance(done, total)
            well = well and row["verified"]
    return 0 if well else 1


def _cache(args: argparse.Namespace) -> Path | None:
    """Where features are kept: in a home that is there. One pair alone leaves nothing behind."""
    home = home_of(args)
    if args.no_cache or args.pairs is None or not home.is_dir():
        return None
    return home / "cache" / "features"


def read_pairs(file: Path) -> Iterator[Pair]:
    """The rows of a pairs CSV, one by one; raises UserError when it is not one."""
    seen = False
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            if not {"photo", "xray"} <= set(reader.fieldnames or ()):
                raise UserError(
                    f"{file} needs the columns photo,xray[,previous] in its first line."
                )
            for row in reader:
                if not row["photo"] or not row["xray"]:
                    raise UserError(f"{file}, line {reader.line_num}: photo or xray is empty.")
                seen = True
                yield Pair(row["photo"], row["xray"], row.get("previous") or "", file.parent)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as CSV: {error}.") from error
    if not seen:
        raise UserError(f"{file} has no rows.")


def _rows(pairs: Iterator[Pair], workers: int, manner: Manner) -> Iterator[dict[str, Any]]:
    chunks = (list(chunk) for chunk in _batched(pairs, CHUNK))
    if workers == 1:
        for chunk in chunks:
            yield from check_all(chunk, manner)
        return
    from rig.synthesis.pool import make_pool

    with ExitStack() as stack:
        pool: ProcessPoolExecutor = make_pool(workers)
        # On Ctrl-C what has not begun is given up instead of being waited for.
        stack.callback(pool.shutdown, cancel_futures=True)
        waiting: deque[Future[list[dict[str, Any]]]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(_listed, chunk, manner))
            if len(waiting) >= workers * AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _batched(pairs: Iterator[Pair], size: int) -> Iterator[tuple[Pair, ...]]:
    while some := tuple(islice(pairs, size)):
        yield some


def _listed(chunk: list[Pair], manner: Manner) -> list[dict[str, Any]]:
    return list(check_all(chunk, manner))


def check_all(chunk: list[Pair], manner: Manner) -> Iterator[dict[str, Any]]:
    """Verify pairs one after the other; a file that cannot be read is a row, or raises if strict.

    Raises:
        UserError: strict, and a file cannot be read.
    """
    import cv2

    from rig.intake.drift import Watch
    from rig.intake.prior import next_prior
    from rig.intake.read import UnreadableImage
    from rig.intake.verify import Verification, verify

    cv2.setNumThreads(1)  # the pool fills the processors; one photo alone is quick enough
    shelf = _Shelf(manner)
    prior, watch = None, Watch()
    for pair in chunk:
        drift = None
        try:
            photo = shelf.photo(pair)
            xray = shelf.reference(pair.path(pair.xray))
            before = shelf.reference(pair.path(pair.previous)) if pair.previous else None
            found = verify(
                photo, xray.grey, limits=manner.limits, features=xray, previous_features=before,
                prior=prior,
            )  # fmt: skip
            if manner.fixed:
                prior = next_prior(found, prior, manner.limits.screen_aspect)
                watch, drift = watch.after(found, manner.limits)
        except UnreadableImage as error:
            if manner.strict:
                raise
            found = Verification(False, str(error))
        row = as_json(pair, found)
        yield row if drift is None else {**row, "drift": asdict(drift)}


class _Shelf:
    """Decoded pictures of a chunk: an x-ray is mostly the next photo's previous one."""

    def __init__(self, manner: Manner) -> None:
        from rig.intake.cache import FeatureCache

        self._limits = manner.limits
        self._cache = (
            None
            if manner.cache is None
            else FeatureCache(manner.cache, tell=lambda text: print(text, file=sys.stderr))
        )
        self._kept: deque[tuple[Path, Any]] = deque(maxlen=2)

    def photo(self, pair: Pair) -> Any:
        from rig.intake.read import read_grey

        return read_grey(pair.path(pair.photo), self._limits.max_pixels)

    def reference(self, file: Path) -> Any:
        """The x-ray in *file* with its features; raises UnreadableImage."""
        for known, reference in self._kept:
            if known == file:
                return reference
        from rig.intake.features import Reference
        from rig.intake.read import UnreadableImage, read_grey, sha256_of

        if self._cache is None:
            reference = Reference(read_grey(file))
        else:
            try:
                digest = sha256_of(file)
            except (OSError, ValueError) as error:  # a path may hold a null character
                why = getattr(error, "strerror", None) or error
                raise UnreadableImage(f"{file} cannot be read: {why}.") from error
            reference = self._cache.reference(digest, lambda: read_grey(file))
        self._kept.append((file, reference))
        return reference


def as_json(pair: Pair, found: Any) -> dict[str, Any]:
    """The JSON object of one pair."""
    row = asdict(found)
    row["quality"] = row["quality"] or {}
    return {"photo": pair.photo, "xray": pair.xray, **row}


def _line(row: dict[str, Any]) -> str:
    notes = [*row["quality"].get("rejects", ()), *row["quality"].get("warnings", ())]
    if moved := row.get("drift", {}).get("sentence"):
        notes.append(moved)
    word = "verified    " if row["verified"] else "NOT verified"
    return f"{word}  {row['photo']}: {row['reason']}" + "".join(f"\n    {n}" for n in notes)
