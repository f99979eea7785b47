"""`rig readers`: what several readers said of the same x-rays, in VinDr-CXR's tables."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.errors import UserError
from rig.plain import plain

if TYPE_CHECKING:
    from rig.catalog.vindr_model import RowProblem, VindrTables

SHOWN = 30
"""Rows that the text lists; `--json` lists all."""
_EPILOG = """\
examples:
  rig readers check vindr/annotations
  rig readers agree vindr/annotations --json
  rig readers table vindr/annotations --figure figure4.svg
  rig readers fuse vindr/annotations --out fused --iou 0.4 --share 0.5

DIR holds annotations_*.csv and image_labels_*.csv; the part after the last _ says the split.
Columns are found by name: rad_id may be missing, `Other disease` is `Other diseases`. Exit status:
0 all well; 1 rows that cannot be used, or (check) broken rules; 2 bad input.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig readers`."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    check = sub.add_parser("check", help="rows and rules: global label, No finding alone, boxes")
    agree = sub.add_parser("agree", help="Cohen's and Fleiss' kappa, Krippendorff's alpha, boxes")
    agree.add_argument(
        "--iou", type=_share, default=0.5, metavar="IOU",
        help="overlap from which two boxes are the same (default %(default)s)",
    )  # fmt: skip
    table = sub.add_parser("table", help="findings by majority: VinDr-CXR's Table 2, Figure 4")
    table.add_argument("--figure", type=Path, metavar="SVG", help="draw Figure 4")
    fuse = sub.add_parser("fuse", help="one set of boxes by weighted boxes fusion")
    fuse.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets the tables")
    fuse.add_argument(
        "--iou", type=_share, default=0.4, metavar="IOU",
        help="overlap from which boxes become one (default %(default)s)",
    )  # fmt: skip
    fuse.add_argument(
        "--share", type=_share, default=0.5, metavar="SHARE",
        help="keep boxes that more than this share of the readers drew (default %(default)s)",
    )  # fmt: skip
    for one in (table, fuse):
        one.add_argument("--sizes", type=Path, metavar="CSV", help="image_id,width,height")
    runs = {check: run_check, agree: run_agree, table: run_table, fuse: run_fuse}
    for one, run in runs.items():
        one.add_argument("dir", type=Path, metavar="DIR")
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.set_defaults(run=run)


def run_check(args: argparse.Namespace) -> int:
    """List rows that cannot be used and rules that are broken."""
    from rig.catalog.vindr_rules import RULES, broken_rules

    tables, problems = _read(args.dir)
    broken = list(broken_rules(tables))
    if args.json:
        rows = [{name: getattr(one, name) for name in one.__slots__} for one in broken]
        print(json.dumps({**_head(tables, problems), "broken": rows}))
    else:
        print(
            f"{len(tables.splits)} images, {len(tables.labels)} labels, {len(tables.boxes)} boxes"
        )
        for rule, number in Counter(one.rule for one in broken).items():
            print(f"{number} times broken: {RULES[rule]}")
        for one in broken[:SHOWN]:
            who = f"reader {plain(one.reader)}" if one.reader else "the readers"
            print(f"  {plain(one.image)}: {who} {one.sentence}")
        _more(len(broken))
        _tell(problems)
    return 1 if broken or problems else 0


def run_agree(args: argparse.Namespace) -> int:
    """Tell how far the readers agree."""
    from rig.catalog.agreement import agreement, box_agreement

    tables, problems = _read(args.dir)
    findings = agreement(tables)
    boxes = box_agreement(tables, iou=args.iou)
    if args.json:
        told = {
            **_head(tables, problems),
            "findings": {name: one.as_json() for name, one in findings.items()},
            "boxes": {
                name: {field: getattr(one, field) for field in one.__slots__}
                for name, one in boxes.items()
            },
        }
        print(json.dumps(told))
    else:
        print(
            f"{'finding':22}{'yes':>12}{'Cohen':>8}{'Fleiss':>8}{'alpha':>8}{'box F1':>8}{'IoU':>6}"
        )
        for name, one in findings.items():
            drawn = boxes.get(name)
            cells = (one.mean_cohen, one.fleiss, one.alpha, drawn.f1 if drawn else None)
            yes = f"{one.positive}/{one.opinions}"
            iou = _figure(drawn.iou if drawn else None)
            print(f"{name:22}{yes:>12}" + "".join(f"{_figure(x):>8}" for x in cells) + f"{iou:>6}")
        print("Cohen: mean of the pairs (--json lists them); -: nobody or everybody found it.")
        _tell(problems)
    return 1 if problems else 0


def run_table(args: argparse.Namespace) -> int:
    """Print Table 2, draw Figure 4."""
    from rig.catalog.vindr_names import FINDINGS, LOCAL
    from rig.catalog.vindr_table import draw, table

    tables, problems = _read(args.dir)
    columns = table(tables, _sizes(args.sizes))
    if args.figure is not None:
        draw(columns, args.figure)
    if args.json:
        splits = {split: column.as_json() for split, column in columns.items()}
        print(json.dumps({**_head(tables, problems), "splits": splits}))
        return 1 if problems else 0
    rows: dict[str, list[str]] = {
        "images": [f"{column.images:,}" for column in columns.values()],
        "readers of an image": [
            ", ".join(f"{n} ({images:,})" for n, images in column.readers.items())
            for column in columns.values()
        ],
        "boxes": [f"{column.boxes:,}" for column in columns.values()],
        "median size": [
            f"{column.size[0]:g} x {column.size[1]:g}" if column.size else "-"
            for column in columns.values()
        ],
    }
    for name in FINDINGS:
        kind = "" if name in LOCAL else " (global)"
        rows[name + kind] = [
            f"{column.positive[name]:,} ({column.percent(name):.2f} %)"
            if name in column.positive
            else "-"
            for column in columns.values()
        ]
    print(f"{'':28}" + "".join(f"{split:>22}" for split in columns))
    for head, cells in rows.items():
        print(f"{head:28}" + "".join(f"{cell:>22}" for cell in cells))
    _tell(problems)
    return 1 if problems else 0


def run_fuse(args: argparse.Namespace) -> int:
    """Write the fused tables."""
    from rig.catalog.fusion import fuse
    from rig.catalog.vindr import write_tables

    tables, problems = _read(args.dir)
    if args.out.resolve() == args.dir.resolve():
        raise UserError("--out must be another folder: the readers' own tables stay as they are.")
    fused = fuse(tables, iou=args.iou, share=args.share, sizes=_sizes(args.sizes))
    written = write_tables(fused.tables, {image: image for image in tables.splits}, args.out)
    kept = sum(box.edges is not None for box in fused.tables.boxes)
    told = {
        **_head(tables, problems),
        "iou": args.iou,
        "share": args.share,
        "boxes_in": fused.boxes_in,
        "boxes": kept,
        "dropped": fused.dropped,
        "undecided": list(fused.undecided),
        "scattered": [list(pair) for pair in fused.scattered],
        "rows": {"boxes": written["boxes"], "labels": written["labels"]},
        "out": str(args.out),
    }
    if args.json:
        print(json.dumps(told))
    else:
        print(
            f"{fused.boxes_in} boxes became {kept}; {fused.dropped} that too few readers drew are "
            f"left out: {args.out}"
        )
        for image, name in fused.scattered[:SHOWN]:
            print(f"  {plain(image)}: most readers gave {name}, but not in one place")
        _more(len(fused.scattered))
        if fused.undecided:
            print(f"{len(fused.undecided)} images are undecided: no label has a majority.")
        _tell(problems)
    return 1 if problems else 0


def _read(folder: Path) -> tuple[VindrTables, tuple[RowProblem, ...]]:
    from rig.catalog.vindr import files_in, read_files

    return read_files(files_in(folder))


def _sizes(file: Path | None) -> Mapping[str, tuple[int, int]]:
    if file is None:
        return {}
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            return {
                row["image_id"]: (int(row["width"]), int(row["height"]))
                for row in csv.DictReader(handle)
            }
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{file} must have the columns image_id, width, height: {error}."
        ) from error


def _head(tables: VindrTables, problems: tuple[RowProblem, ...]) -> dict[str, Any]:
    return {
        "images": len(tables.splits),
        "problems": [
            {"file": one.file, "line": one.line, "reason": one.reason} for one in problems
        ],
    }


def _tell(problems: tuple[RowProblem, ...]) -> None:
    for one in problems[:SHOWN]:
        print(f"left out: {plain(str(one))}", file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"... and {len(problems) - SHOWN} more rows left out.", file=sys.stderr)


def _more(number: int) -> None:
    if number > SHOWN:
        print(f"  ... and {number - SHOWN} more; --json lists all.")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 1")
    return value
