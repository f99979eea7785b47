"""`rig verify`: does a photo show an x-ray?"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rig.commands.progress import progress
from rig.errors import UserError

_EPILOG = """\
examples:
  rig verify photo.jpg patient00001/study1/view1_frontal.jpg
  rig verify photo.jpg xray.jpg --previous the-one-before.jpg --json
  rig verify --pairs pairs.csv --workers 4 --json

The CSV has the columns photo,xray and optionally previous (the x-ray shown before, to catch
half-switched frames); its paths start at the current folder or at the CSV's own.
The homography maps x-ray pixels to the photo's stored pixels (an EXIF orientation is not applied),
in pixel-edge coordinates. Exit status: 0 all verified, 1 some are not, 2 bad input.
"""


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
    parser.add_argument("--json", action="store_true", help="one JSON object per pair")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify one pair or many; 0 when all are verified, 1 when some are not."""
    if args.pairs is not None:
        if args.photo or args.previous:
            raise UserError("Give PHOTO and XRAY, or --pairs CSV, not both.")
        if args.workers < 1:
            raise UserError(f"--workers must be at least 1, not {args.workers}.")
        pairs = read_pairs(args.pairs)
    else:
        if not (args.photo and args.xray):
            raise UserError("Give PHOTO and XRAY, or --pairs CSV.")
        pairs = [Pair(args.photo, args.xray, args.previous or "", Path())]
    well = True
    with progress("verifying", quiet=len(pairs) == 1) as advance:
        for done, row in enumerate(_rows(pairs, args.workers, strict=args.pairs is None), 1):
            print(json.dumps(row) if args.json else _line(row), flush=True)
            advance(done, len(pairs))
            well = well and row["verified"]
    return 0 if well else 1


def read_pairs(file: Path) -> list[Pair]:
    """The rows of a pairs CSV; raises UserError when it is not one."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            if not {"photo", "xray"} <= set(reader.fieldnames or ()):
                raise UserError(
                    f"{file} needs the columns photo,xray[,previous] in its first line."
                )
            pairs = []
            for row in reader:
                if not row["photo"] or not row["xray"]:
                    raise UserError(f"{file}, line {reader.line_num}: photo or xray is empty.")
                pairs.append(
                    Pair(row["photo"], row["xray"], row.get("previous") or "", file.parent)
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as CSV: {error}.") from error
    if not pairs:
        raise UserError(f"{file} has no rows.")
    return pairs


def _rows(pairs: list[Pair], workers: int, *, strict: bool) -> Iterator[dict[str, Any]]:
    if workers == 1 or len(pairs) == 1:
        for pair in pairs:
            yield check(pair, strict=strict)
        return
    from rig.synthesis.pool import make_pool

    with ExitStack() as stack:
        pool = make_pool(min(workers, len(pairs)))
        # On Ctrl-C what has not begun is given up instead of being waited for.
        stack.callback(pool.shutdown, cancel_futures=True)
        yield from pool.map(check, pairs, chunksize=max(1, min(8, len(pairs) // (4 * workers))))


def check(pair: Pair, *, strict: bool = False) -> dict[str, Any]:
    """Verify one pair; a file that cannot be read is a row, or a UserError when *strict*."""
    import cv2

    from rig.intake.read import UnreadableImage, read_grey
    from rig.intake.verify import Verification, verify

    cv2.setNumThreads(1)
    try:
        photo, xray = (read_grey(pair.path(text)) for text in (pair.photo, pair.xray))
        previous = read_grey(pair.path(pair.previous)) if pair.previous else None
        found = verify(photo, xray, previous)
    except UnreadableImage as error:
        if strict:
            raise
        found = Verification(False, str(error))
    return as_json(pair, found)


def as_json(pair: Pair, found: Any) -> dict[str, Any]:
    """The JSON object of one pair."""
    row = asdict(found)
    row["quality"] = row["quality"] or {}
    return {"photo": pair.photo, "xray": pair.xray, **row}


def _line(row: dict[str, Any]) -> str:
    notes = [*row["quality"].get("rejects", ()), *row["quality"].get("warnings", ())]
    word = "verified    " if row["verified"] else "NOT verified"
    return f"{word}  {row['photo']}: {row['reason']}" + "".join(f"\n    {n}" for n in notes)
