"""`rig catalog`: import and show x-rays."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

from rig.commands import catalog_dicom, catalog_review
from rig.commands.progress import progress
from rig.settings import add_home, home_of

EXAMPLES = """examples:
  rig catalog import chexpert --csv CheXpert-v1.0-small/valid.csv --data-dir .
  rig catalog import mixed --csv train.csv --data-dir /data --order shuffle --seed 7 --skip-bad
  rig catalog import-dicom ward3 /media/cd/DICOMDIR
  rig catalog show chexpert --json
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig catalog`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = sub.add_parser("import", help="read a CheXpert-format CSV and its images")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--csv", type=Path, required=True)
    new.add_argument("--data-dir", type=Path, required=True, help="folder that holds the images")
    new.add_argument("--order", choices=("csv", "patient", "shuffle"), default="csv")
    new.add_argument("--seed", type=int, default=0, help="of --order shuffle")
    new.add_argument("--skip-bad", action="store_true", help="leave bad rows out")
    dicom = sub.add_parser("import-dicom", help="de-identify and render DICOM files")
    catalog_dicom.register(dicom)
    review = sub.add_parser("review", help="decide about images that an import holds back")
    catalog_review.register(review)
    show = sub.add_parser("show", help="what a catalog holds")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--rows", action="store_true", help="with --json: every x-ray too")
    runs = ((new, run_import), (dicom, catalog_dicom.run_import_dicom), (show, run_show),
            (review, catalog_review.run_review))  # fmt: skip
    for one, run in runs:
        add_home(one)
        what = "a JSON object per file, then one" if one is dicom else "one JSON object"
        one.add_argument("--json", action="store_true", help=f"{what} on standard output")
        one.set_defaults(run=run)


def run_import(args: argparse.Namespace) -> int:
    """Import; 1 when rows were left out."""
    from rig.capture.importing import import_catalog
    from rig.store.database import Database

    with Database.open(home_of(args) / "rig.db") as database, progress("x-rays") as advance:
        kept = import_catalog(
            database,
            new_id=secrets.token_hex(8),
            name=args.name,
            csv=args.csv,
            data_dir=args.data_dir,
            order=args.order,
            seed=args.seed,
            skip_bad=args.skip_bad,
            now_ns=time.time_ns(),
            actor="command",
            progress=advance,
        )
    if args.json:
        told = {"name": kept.name, "id": kept.id, "count": kept.count, "left_out": kept.problems}
        print(json.dumps(told))
    else:
        print(f"{kept.name}: {kept.count} x-rays, index 1 to {kept.count}")
        for one in kept.problems:
            print(f"left out: line {one['line']}: {one['reason']}", file=sys.stderr)
    return 1 if kept.problems else 0


def run_show(args: argparse.Namespace) -> int:
    """Show a catalog."""
    from rig.store import catalogs
    from rig.store.database import Database

    with Database.open(home_of(args) / "rig.db") as database, database.read() as connection:
        kept = catalogs.find(connection, args.name)
        xrays = catalogs.xrays(connection, kept.id)
    splits = Counter(one.split for one in xrays)
    patients = len({one.patient for one in xrays})
    if args.json:
        told = {
            "name": kept.name,
            "id": kept.id,
            "csv": kept.csv,
            "data_dir": kept.data_dir,
            "order": kept.ordering,
            "seed": kept.seed,
            "count": kept.count,
            "patients": patients,
            "splits": dict(splits),
            "left_out": kept.problems,
        }
        if args.rows:
            fields = ("index", "key", "path", "split", "sha256", "width", "height")
            told["xrays"] = [{name: getattr(one, name) for name in fields} for one in xrays]
        print(json.dumps(told))
        return 0
    print(f"{kept.name}: {kept.count} x-rays of {patients} patients, from {kept.csv}")
    print(f"order {kept.ordering}" + (f", seed {kept.seed}" if kept.ordering == "shuffle" else ""))
    for split, count in sorted(splits.items()):
        print(f"  {split:6} {count}")
    if kept.problems:
        print(f"  {len(kept.problems)} rows or files were left out")
    return 0
