"""`rig catalog import-dicom`: DICOM files from hospitals, de-identified, to a catalog."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.progress import progress
from rig.errors import UserError
from rig.plain import plain
from rig.settings import home_of

if TYPE_CHECKING:
    from rig.capture.dicom_catalog import Imported
    from rig.dicom.screening import Screening

EPILOG = """
Files, folders and DICOMDIRs are read; each file gets a number in the order of the command line and
of the names, one line, and a row in the report. Neither headers nor file names are printed, logged
or kept (a name may hold a patient's): --names prints names beside the numbers, on this terminal
only; --link-file writes who is who into a file of its own, mode 0600.

examples:
  rig catalog import-dicom ward3 /media/cd/DICOMDIR
  rig catalog import-dicom vindr train/ test/ --annotations annotations/ --keep-16-bit
  rig catalog import-dicom ward3 scans/ --wait-for-review     # then `rig catalog review ward3`,
                                                              # then the same command again
  rig catalog import-dicom ward3 scans/ --classifier mine.onnx --classifier-review 0.3

Exit status: 0 every image is in the catalog; 1 some are refused or wait for a person; 2 bad input.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig catalog import-dicom`."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path)
    parser.add_argument(
        "--annotations", type=Path, metavar="DIR",
        help="VinDr-CXR's annotations_*.csv and image_labels_*.csv: labels and boxes",
    )  # fmt: skip
    parser.add_argument(
        "--keep-16-bit", action="store_true", help="write 16-bit PNG beside the 8-bit pictures"
    )
    parser.add_argument(
        "--link-file", type=Path, metavar="FILE",
        help="write who is who to FILE, outside the home, mode 0600; keep it apart",
    )  # fmt: skip
    parser.add_argument(
        "--accept-unreviewed", action="store_true",
        help="let images in that a person should look at first (burned-in text, outliers)",
    )  # fmt: skip
    parser.add_argument(
        "--wait-for-review", action="store_true",
        help="make no catalog while an image waits for a person (default: leave it out)",
    )  # fmt: skip
    _add_screening(parser)
    parser.add_argument("--order", choices=("csv", "patient", "shuffle"), default="csv")
    parser.add_argument("--seed", type=int, default=0, help="of --order shuffle")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: all)")
    parser.add_argument(
        "--resume", action="store_true", help="go on (the default: finished work is never redone)"
    )
    parser.add_argument(
        "--names", action="store_true", help="print file names, which may hold patients' names"
    )


def _add_screening(parser: argparse.ArgumentParser) -> None:
    rules = parser.add_argument_group("which images are wanted")
    rules.add_argument("--laterals", action="store_true", help="accept lateral views, too")
    rules.add_argument("--children", action="store_true", help="accept patients below 16, too")
    rules.add_argument(
        "--no-text-search", action="store_true",
        help="do not search pictures for burned-in text: names and dates in them then get into "
        "the catalog unseen, unless the header says that they are there",
    )  # fmt: skip
    rules.add_argument(
        "--classifier", type=Path, metavar="FILE.onnx",
        help="a model of your own: grey picture in, probability of being no frontal chest film out",
    )  # fmt: skip
    rules.add_argument(
        "--classifier-review", type=float, metavar="P",
        help="a person looks from this probability on (default: 0.2)",
    )  # fmt: skip
    rules.add_argument(
        "--classifier-refuse", type=float, metavar="P",
        help="refused from this probability on (default: 0.9)",
    )  # fmt: skip


def _screening(args: argparse.Namespace) -> Screening:
    """What the options of `_add_screening` ask for.

    Raises:
        UserError: the model cannot be used, or there is none for its limits.
    """
    from rig.dicom.classifier import classifier
    from rig.dicom.screening import Screening

    limits = {"review": args.classifier_review, "refuse": args.classifier_refuse}
    given = {name: value for name, value in limits.items() if value is not None}
    if given and args.classifier is None:
        raise UserError("--classifier-review and --classifier-refuse need --classifier FILE.onnx.")
    file = args.classifier
    return Screening(
        laterals=args.laterals,
        children=args.children,
        text=not args.no_text_search,
        classifier=classifier(file.expanduser().resolve(), **given) if file else None,
    )


def run_import_dicom(args: argparse.Namespace) -> int:
    """Import; 1 when a file is refused or waits for a person."""
    need_the_extra()
    from rig.capture.dicom_catalog import import_dicom
    from rig.catalog.dicom_import import Options
    from rig.store.database import Database
    from rig.synthesis.pool import default_workers, make_pool

    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers must be at least 1, not {args.workers}.")
    home = home_of(args)
    options = Options(
        annotations=args.annotations.expanduser().resolve() if args.annotations else None,
        keep_16_bit=args.keep_16_bit,
        accept_unreviewed=args.accept_unreviewed,
        how=_screening(args),
        workers=args.workers or default_workers(),
    )
    with Database.open(home / "rig.db") as database, progress("DICOM") as advance:
        done = import_dicom(
            database,
            home,
            new_id=secrets.token_hex(8),
            name=args.name,
            paths=[path.expanduser() for path in args.paths],
            options=options,
            order=args.order,
            seed=args.seed,
            wait_for_review=args.wait_for_review,
            link_file=args.link_file,
            now_ns=time.time_ns(),
            actor="command",
            make_pool=make_pool,
            progress=advance,
        )
    tell = _tell_json if args.json else _tell
    tell(args.name, done, names=args.names)
    return 0 if done.well else 1


def need_the_extra() -> None:
    """Check that DICOM can be read here.

    Raises:
        UserError: the extra is not installed.
    """
    try:
        import pydicom  # noqa: F401 - is it there at all?
    except ImportError as error:
        raise UserError(
            "DICOM needs the extra 'dicom': pip install 'capture-rig[dicom]'."
        ) from error


def _lines(done: Imported, *, names: bool) -> list[dict[str, Any]]:
    paths = {one.number: plain(str(one.path)) for one in done.inputs} if names else {}
    return [
        row.as_json()
        | {"index": done.indices.get(row.image_id) if row.outcome == "imported" else None}
        | ({"path": paths[row.number]} if names else {})
        for row in done.rows
    ]


def _tell_json(name: str, done: Imported, *, names: bool) -> None:
    for line in _lines(done, names=names):
        print(json.dumps(line))
    kept = done.kept
    told: dict[str, Any] = {"name": name, "id": kept.id if kept else None}
    told |= {"count": kept.count if kept else 0, "files": len(done.rows)}
    told |= done.counts | {"reasons": done.reasons, "annotations": dict(done.annotated)}
    told |= {"folder": str(done.folder), "earlier": done.earlier, "outdated": done.outdated}
    print(json.dumps(told))


def _tell(name: str, done: Imported, *, names: bool) -> None:
    for line in _lines(done, names=names):
        what = line["image_id"] or line["input"]
        where = f" index {line['index']}" if line["index"] else ""
        path = f" {line['path']}" if names else ""
        why = f": {line['reason']}" if line["reason"] else ""
        print(f"file {line['file']}{path}: {line['decision']} {what}{where}{why}")
    counts = ", ".join(f"{count} {word}" for word, count in done.counts.items())
    print(f"{name}: {len(done.rows)} files: {counts}")
    for outcome, reasons in done.reasons.items():
        if reasons:
            print(f"  {outcome}: " + ", ".join(f"{n} {what}" for what, n in reasons.items()))
    if done.annotated:
        print("annotations: " + ", ".join(f"{n} {what}" for what, n in done.annotated.items()))
    if done.outdated:
        print(
            f"{name} was imported before and searched for burned-in text by other rules than "
            "today's. Catalogs never change: import under another name to have it searched anew.",
            file=sys.stderr,
        )
    if done.kept is None:
        print(f"no catalog was made; the report is in {done.folder}", file=sys.stderr)
    else:
        print(f"{name}: {done.kept.count} x-rays, index 1 to {done.kept.count}")
    if done.counts["held"]:
        print(
            f"{done.counts['held']} images wait for a person: decide on the dashboard "
            f"(/catalogs/{name}/review) or with `rig catalog review {name}`, then import again "
            "(under another name if the catalog was made), or use --accept-unreviewed.",
            file=sys.stderr,
        )
