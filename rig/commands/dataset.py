"""`rig dataset`: build, describe and check datasets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rig.commands.progress import progress
from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.dataset.export import ExportReport
    from rig.dataset.model import BuildReport
    from rig.dataset.rectified import Rectify

FORMS = ("hf", "croissant", "webdataset", "coco", "vindr")
VISIBLE = 0.1

_EPILOG = """\
examples:
  rig dataset build nokia10k --out datasets --synthetic digital,photographic
  rig dataset build vindr --out datasets --boxes annotations_train.csv --rectified
  rig dataset stats datasets/nokia10k-v1.0 --plots pictures
  rig dataset check datasets/nokia10k-v1.0 --sources CheXpert-v1.0 --json
  rig dataset export datasets/nokia10k-v1.0 --to hf

`build` writes OUT/<CAMPAIGN>-v<VERSION>, complete or not at all, and replaces an earlier build of
that name; what did not change is not written again. `check` compares every photo with its x-ray
(below --sources, or else the digital twin in the dataset). `export` writes a folder beside the
dataset: hf (datasets.load_dataset), webdataset (tar shards), coco (boxes), vindr (boxes and DICOM
files in VinDr-CXR's layout); croissant is a file in the dataset. Exit status: 0 all well; 1 there
are gaps, failed twins or (check) problems; 2 bad input. DIR may be the folder of a dataset or one
that holds just one.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig dataset`."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = sub.add_parser("build", help="write the dataset of a campaign")
    _register_build(new)
    stats = sub.add_parser("stats", help="labels, images, environments")
    stats.add_argument("dir", type=Path, metavar="DIR")
    stats.add_argument("--blanks", action="store_true", help="list blank labels apart")
    stats.add_argument("--plots", type=Path, metavar="OUT", help="draw every table, SVG")
    stats.add_argument(
        "--image-labels", type=Path, metavar="CSV", help="VinDr's image_labels_train.csv, too"
    )
    stats.set_defaults(run=run_stats)
    check = sub.add_parser("check", help="files, columns, labels, digests, patients, boxes, photos")
    check.add_argument("dir", type=Path, metavar="DIR")
    check.add_argument("--sources", type=Path, metavar="DIR", help="folder of the source x-rays")
    how = check.add_mutually_exclusive_group()
    how.add_argument("--no-optical", action="store_true", help="do not look at the photos' pixels")
    how.add_argument("--tables", action="store_true", help="compare the tables, open no picture")
    _add_workers(check)
    add_home(check)
    check.set_defaults(run=run_check)
    export = sub.add_parser("export", help="write it as other tools want it")
    export.add_argument("dir", type=Path, metavar="DIR")
    export.add_argument("--to", required=True, choices=FORMS)
    export.add_argument("--out", type=Path, metavar="OUT", help="default: DIR-<form> beside it")
    export.add_argument("--copy", action="store_true", help="copy pictures instead of linking them")
    export.set_defaults(run=run_export)
    for one in (new, stats, check, export):
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")


def _register_build(new: argparse.ArgumentParser) -> None:
    new.add_argument("campaign", metavar="CAMPAIGN")
    new.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    new.add_argument(
        "--synthetic", default="", metavar="SETS", help="digital,photographic (default: none)"
    )
    new.add_argument(
        "--dataset-version", default="1.0", metavar="V", help="of the dataset (default 1.0)"
    )
    new.add_argument(
        "--export", default="", metavar="FORMS", help=f"then export, too: {','.join(FORMS)}"
    )
    new.add_argument("--terms", type=Path, metavar="FILE", help="terms for the card, Markdown")
    new.add_argument(
        "--boxes", type=Path, action="append", default=[], metavar="CSV",
        help="VinDr's annotations_*.csv, carried into every picture; may be given again",
    )  # fmt: skip
    new.add_argument(
        "--boxes-images", type=Path, metavar="CSV",
        help="image_id,Path[,width,height]: which x-ray each annotated image is (default: the one "
        "whose patient, study or view is the image_id)",
    )  # fmt: skip
    new.add_argument(
        "--visible", type=_share, default=VISIBLE, metavar="SHARE",
        help="drop boxes of which less is in a picture (default %(default)s)",
    )  # fmt: skip
    new.add_argument(
        "--rectified", action="store_true", help="add copies that are cropped and laid straight"
    )
    _add_workers(new)
    add_home(new)
    new.set_defaults(run=run_build)


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: all processors)"
    )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 1")
    return value


@contextmanager
def _pool(workers: int | None, *, wanted: bool = True) -> Iterator[Executor | None]:
    """Processes to work in; None when one is enough."""
    from rig.synthesis.pool import default_workers, make_pool

    if workers is not None and workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}.")
    count = workers or default_workers()
    if not wanted or count == 1:
        yield None
        return
    pool = make_pool(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def run_build(args: argparse.Namespace) -> int:
    """Build a campaign's dataset; 1 when something is missing in it."""
    from rig.dataset.from_store import build_campaign
    from rig.dataset.vindr import read_annotations
    from rig.store.database import Database

    home = home_of(args)
    if not (home / "rig.db").is_file():
        raise UserError(f"{home} holds no rig.db; name the controller's home with --home.")
    if args.boxes_images and not args.boxes:
        raise UserError("--boxes-images says which x-ray is which image; give --boxes, too.")
    kinds = [kind.strip() for kind in args.synthetic.split(",") if kind.strip()]
    forms = [form.strip() for form in args.export.split(",") if form.strip()]
    if unknown := [form for form in forms if form not in FORMS]:
        raise UserError(f"No export {unknown[0]!r}; choose of {', '.join(FORMS)}.")
    boxes = read_annotations(*args.boxes, images=args.boxes_images) if args.boxes else None
    with ExitStack() as stack:
        database = stack.enter_context(Database.open(home / "rig.db"))
        report = build_campaign(
            database,
            home,
            args.campaign,
            args.out.expanduser().resolve(),
            version=args.dataset_version,
            synthetic=kinds,
            terms=_terms(args.terms),
            annotations=boxes,
            visible=args.visible,
            rectify=_rectify() if args.rectified else None,
            executor=stack.enter_context(_pool(args.workers, wanted=bool(kinds) or args.rectified)),
            progress=stack.enter_context(progress("building")),
        )
    exports = [str(_export(report.path, form).path) for form in forms]
    _tell_build(report, args, exports)
    return 0 if report.well else 1


def _tell_build(report: BuildReport, args: argparse.Namespace, exports: list[str]) -> None:
    gaps = [{"index": g.index, "key": g.key, "reason": g.reason} for g in report.gaps]
    if args.json:
        row = {"dataset": str(report.path), "natural": report.natural}
        row |= {"synthetic": report.synthetic, "gaps": gaps, "failed": list(report.failed)}
        row |= {"missing": report.missing, "unmade": report.unmade, "exports": exports}
        print(json.dumps(row | {"boxes": report.boxes, "boxes_dropped": report.boxes_dropped}))
    else:
        made = "".join(f", {count} {kind}" for kind, count in report.synthetic.items())
        told = f", {report.boxes} boxes" if args.boxes or report.boxes else ""
        print(f"{report.path}: {report.natural} photos{made}{told}, {report.missing} gaps")
        lines = [*(f"gap: index {g['index']}: {g['reason']}" for g in gaps), *report.failed]
        print(*lines, sep="\n", end="\n" if lines else "")
        print(*(f"exported: {path}" for path in exports), sep="\n", end="\n" if exports else "")


def _export(root: Path, form: str, out: Path | None = None, *, copy: bool = False) -> ExportReport:
    from rig.dataset.export import export

    with progress(f"exporting {form}") as advance:
        return export(root, form, out, copy=copy, progress=advance)


def _rectify() -> Rectify:
    from rig.intake.rectify import rectified

    return rectified


def _terms(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from error


def run_stats(args: argparse.Namespace) -> int:
    """Describe a dataset; 1 when a patient is in two splits."""
    from rig.dataset.layout import find
    from rig.dataset.statistics import statistics
    from rig.dataset.tables import labels_text, statistics_text
    from rig.dataset.vindr import read_image_labels

    root = find(args.dir)
    labels = read_image_labels(args.image_labels) if args.image_labels else None
    found = statistics(root)
    drawn: list[Path] = []
    if args.plots is not None:
        from rig.dataset.plots import draw

        positive = labels.positive if labels else None
        drawn = draw(found, args.plots, blanks=args.blanks, image_labels=positive)
    if args.json:
        row = found.as_json(blanks=args.blanks) | {"plots": [str(file) for file in drawn]}
        if labels:
            row["image_labels"] = {"images": labels.images, "readers": labels.readers}
            row["image_labels"]["positive"] = labels.positive
        print(json.dumps(row))
    else:
        print(statistics_text(found, blanks=args.blanks))
        if labels:
            print("", labels_text(labels), sep="\n")
        print(*(f"drawn: {file}" for file in drawn), sep="\n", end="\n" if drawn else "")
    return 1 if found.overlap else 0


def run_check(args: argparse.Namespace) -> int:
    """Check a dataset; 1 when there are problems."""
    from rig.commands.dataset_optics import PoolOptics
    from rig.dataset.check import check
    from rig.dataset.layout import find
    from rig.intake.home_limits import limits_of

    optical = not (args.no_optical or args.tables)
    if args.sources is not None and not args.sources.is_dir():
        raise UserError(f"The folder {args.sources} does not exist.")
    with _pool(args.workers, wanted=optical) as pool, progress("checking") as advance:
        report = check(
            find(args.dir),
            files=not args.tables,
            optics=PoolOptics(pool, limits_of(home_of(args))) if optical else None,
            sources=args.sources,
            progress=advance,
        )
    if args.json:
        row = {"dataset": str(report.path), "well": report.well, "images": report.images}
        row |= {"gaps": report.gaps, "count": report.count, "problems": list(report.problems)}
        row |= {"findings": [one.as_json() for one in report.findings]}
        print(json.dumps(row | {"looked": report.looked, "unlooked": report.unlooked}))
    else:
        print(*report.problems, sep="\n", end="\n" if report.problems else "")
        if report.count > len(report.findings):
            print(f"... and {report.count - len(report.findings)} more")
        word = "all well" if report.well else f"{report.count} problems"
        print(f"{report.path}: {report.images} images, {report.gaps} gaps, {word}")
        if optical:
            less = f"; {report.unlooked} have no x-ray at hand (--sources)" * bool(report.unlooked)
            print(f"{report.looked} photos were compared with their x-rays{less}")
    return 0 if report.well else 1


def run_export(args: argparse.Namespace) -> int:
    """Write a dataset as another tool wants it."""
    from rig.dataset.layout import find

    report = _export(find(args.dir), args.to, args.out, copy=args.copy)
    if args.json:
        row = {"export": str(report.path), "form": args.to, "images": report.images}
        print(json.dumps(row | {"boxes": report.boxes}))
    else:
        print(f"{report.path}: {report.images} images, {report.boxes} boxes")
    return 0
