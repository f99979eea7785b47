"""`rig catalog review`: what an import of DICOM files holds back, and a person's decision."""

from __future__ import annotations

import argparse
import getpass
import json
import time
from typing import TYPE_CHECKING

from rig.commands.catalog_dicom import need_the_extra
from rig.errors import UserError
from rig.plain import plain
from rig.settings import home_of

if TYPE_CHECKING:
    from rig.dicom.deciding import Entry
    from rig.dicom.doubts import Box

EPILOG = """
Without IMAGE_ID the queue is listed. The pictures are on the dashboard, at /catalogs/NAME/review,
and in the folder catalogs/NAME/held of the home; they may show patients' names.

A decision is kept in the home and holds for every import of it. `accept` blanks the boxes before
anything of the image is written, and has BurnedInAnnotation NO written into it: where text is
suspected, say what becomes of it (--box, --suspected or --none).

examples:
  rig catalog review ward3
  rig catalog review ward3 3e8e60b2e22ba2cb25f8d26596b31db3 accept --suspected
  rig catalog review ward3 3e8e60b2e22ba2cb25f8d26596b31db3 accept --box 16,23,238,51 --note "name"
  rig catalog review ward3 580d72786448c7b2e285a0286ca532b4 refuse --by "Dr Ng"
  rig catalog import-dicom ward3-reviewed scans/        # afterwards: import again

Exit status: 0 nothing waits any more (or decided), 1 images wait, 2 bad input.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig catalog review`."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("image_id", metavar="IMAGE_ID", nargs="?")
    parser.add_argument("decision", choices=("accept", "refuse"), nargs="?")
    parser.add_argument("--list", action="store_true", help="list what is held (the default)")
    blank = parser.add_mutually_exclusive_group()
    blank.add_argument(
        "--box", action="append", type=_box, default=[], metavar="L,T,R,B",
        help="blank these pixels (left, top, right, bottom; the last two excluded); repeatable",
    )  # fmt: skip
    blank.add_argument("--suspected", action="store_true", help="blank all suspected boxes")
    blank.add_argument("--none", action="store_true", help="there is no text: blank nothing")
    parser.add_argument("--by", metavar="WHO", help="who decides (default: the user's name)")
    parser.add_argument("--note", default="", help="why")


def run_review(args: argparse.Namespace) -> int:
    """List, or decide."""
    need_the_extra()
    from rig.capture.dicom_place import FOLDER
    from rig.dicom import deciding
    from rig.store.catalogs import check_name

    home = home_of(args)
    folder = home / FOLDER / check_name(args.name, "catalog")
    if args.image_id is None or args.list:
        if args.image_id is not None:
            raise UserError("--list takes no IMAGE_ID.")
        return _list(args.name, deciding.queue(home, folder), as_json=args.json)
    found = deciding.entry(home, folder, args.image_id)
    if args.decision is None:
        _tell(args.name, (found,), as_json=args.json)
        return 0
    review = deciding.decide(
        home,
        folder,
        args.image_id,
        args.decision,
        boxes=_boxes(args, found),
        by=args.by or getpass.getuser(),
        note=args.note,
        time_ns=time.time_ns(),
    )
    if args.json:
        print(json.dumps(deciding.Entry(found.held, review).to_json() | {"name": args.name}))
    else:
        blanked = f", {len(review.boxes)} boxes to blank" if review.boxes else ""
        print(f"{args.image_id}: {review.decision} by {plain(review.by)}{blanked}")
        print("It counts from the next `rig catalog import-dicom` on.")
    return 0


def _boxes(args: argparse.Namespace, found: Entry) -> tuple[Box, ...]:
    if args.decision == "accept" and found.text_suspected:
        if not (args.box or args.suspected or args.none):
            raise UserError(
                "Text is suspected in this picture: say what to blank with --box L,T,R,B or "
                "--suspected, or --none when you have looked and there is none."
            )
        if args.suspected and not found.held.verdict.boxes:
            raise UserError("No box is suspected, only the header speaks of text: use --box.")
    return found.held.verdict.boxes if args.suspected else tuple(args.box)


def _list(name: str, entries: tuple[Entry, ...], *, as_json: bool) -> int:
    _tell(name, entries, as_json=as_json)
    waiting = sum(one.review is None for one in entries)
    if not as_json:
        print(f"{name}: {len(entries)} images are held, {waiting} wait for a person")
    return 1 if waiting else 0


def _tell(name: str, entries: tuple[Entry, ...], *, as_json: bool) -> None:
    for one in entries:
        if as_json:
            print(json.dumps(one.to_json() | {"name": name}))
            continue
        print(f"{one.held.image_id}: {one.state}, {one.held.width} x {one.held.height} pixels")
        for doubt in one.held.verdict.doubts:
            print(f"  {doubt.rule}: {doubt.sentence}")
        for box in one.held.verdict.boxes:
            print("  suspected box: " + ",".join(map(str, box)))
        if one.review is not None:
            note = f": {plain(one.review.note)}" if one.review.note else ""
            print(f"  {one.state} by {plain(one.review.by)}{note}")


def _box(text: str) -> Box:
    try:
        left, top, right, bottom = (int(one) for one in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("a box is left,top,right,bottom in pixels") from None
    return left, top, right, bottom
