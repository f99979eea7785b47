"""`rig synthesize`: digital and spatial twins of x-rays."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.progress import Advance, progress
from rig.errors import UserError

if TYPE_CHECKING:
    from rig.synthesis.recipes import Recipe
    from rig.synthesis.runner import Summary
    from rig.synthesis.table import Table

_EPILOG = """\
examples:
  rig synthesize --csv CheXpert/train.csv --data-dir CheXpert --out digital --recipe digital
  rig synthesize --csv CheXpert/train.csv --data-dir CheXpert --out spatial --recipe spatial \\
                 --level 2 --seed 7 --workers 8
  rig synthesize preview xray.jpg --out grid.png

Recipes: digital (contrast and brightness) and spatial, also named photographic (glare, moiré,
tilt). The same seed always makes the same files. Run again, it makes only what is missing or
changed. OUT gets the images, manifest.jsonl (how each was made) and the CSV with its new Path,
relative to OUT. Exit status 1: some rows failed; they are listed.
"""
_PREVIEW_EPILOG = """\
example:
  rig synthesize preview xray.jpg --out grid.png
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rig synthesize` and its word `preview`."""
    parser.epilog = _EPILOG
    parser.add_argument("--csv", type=Path, metavar="CSV", help="CSV with a Path column")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where its Paths begin")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the twins go")
    parser.add_argument("--recipe", metavar="RECIPE", help="digital, spatial or photographic")
    parser.add_argument(
        "--level", type=int, default=1, metavar="N", help="strength of every step, 1-4 (default 1)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="dataset seed (default 0)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one per processor)"
    )
    parser.add_argument(
        "--quality", type=int, default=75, metavar="Q", help="JPEG quality, 1-95 (default 75)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON summary")
    parser.set_defaults(run=run)
    _register_preview(parser)


def _register_preview(parser: argparse.ArgumentParser) -> None:
    words = parser.add_subparsers(dest="word", metavar="[preview IMAGE]", title="also")
    text = "draw all transforms at all levels as one picture"
    preview = words.add_parser(
        "preview",
        help=text,
        description=text,
        epilog=_PREVIEW_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    preview.add_argument("image", type=Path, metavar="IMAGE")
    preview.add_argument("--out", type=Path, required=True, metavar="PNG", dest="picture")
    preview.add_argument("--seed", type=int, default=0, metavar="N", help="seed (default 0)")
    preview.set_defaults(run=run_preview)


def run(args: argparse.Namespace) -> int:
    """Make the twins of a CSV; 1 when a row failed."""
    _check(args)
    from rig.synthesis.manifest import NAME
    from rig.synthesis.recipes import named_recipe
    from rig.synthesis.table import read_table

    started = time.monotonic()
    recipe = named_recipe(args.recipe, args.level)
    table = read_table(args.csv, args.data_dir)
    try:
        summary, tables = _make(args, recipe, table)
    except OSError as error:
        raise UserError(f"{error.filename or args.out} failed: {error.strerror}.") from error
    failed = [{"line": row.line, "source": row.path, "reason": row.reason} for row in table.bad] + [
        {"key": f.key, "source": str(f.source), "reason": f.reason} for f in summary.failed
    ]
    report = {
        "recipe": recipe.name,
        "level": args.level,
        "seed": args.seed,
        "made": summary.made,
        "skipped": summary.skipped,
        "failed": failed,
        "csv": [str(path) for path in tables],
        "manifest": str(args.out / NAME),
        "seconds": round(time.monotonic() - started, 3),
    }
    _tell(report, as_json=args.json)
    return 1 if failed else 0


def run_preview(args: argparse.Namespace) -> int:
    """Draw the grid of transforms and levels for one image."""
    from rig.durable import write_atomic
    from rig.synthesis.image import decode, encode_png
    from rig.synthesis.preview import preview
    from rig.synthesis.transform import SynthesisError

    try:
        image = decode(args.image.read_bytes())
    except SynthesisError as error:
        raise UserError(f"{args.image}: {error}") from error
    except OSError as error:
        raise UserError(f"{args.image} cannot be read: {error.strerror}.") from error
    try:
        write_atomic(args.picture, encode_png(preview(image, seed=args.seed)))
    except OSError as error:
        raise UserError(f"{args.picture} cannot be written: {error.strerror}.") from error
    print(args.picture)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what argparse cannot: `preview` needs none of these options."""
    needed = {
        "--csv": args.csv,
        "--data-dir": args.data_dir,
        "--out": args.out,
        "--recipe": args.recipe,
    }
    if missing := [option for option, value in needed.items() if value is None]:
        raise UserError(f"{', '.join(missing)} missing; see `rig synthesize --help`.")
    if not args.data_dir.is_dir():
        raise UserError(f"--data-dir {args.data_dir} is not a folder.")
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"--out {args.out} is a file; name a folder.")
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers {args.workers} makes nothing; give 1 or more.")
    if not 1 <= args.quality <= 95:
        raise UserError(f"--quality {args.quality} is out of range; give 1 to 95.")


def _make(args: argparse.Namespace, recipe: Recipe, table: Table) -> tuple[Summary, list[Path]]:
    """Run the recipe and write the tables; what was done and where the tables are."""
    from rig.synthesis import manifest
    from rig.synthesis.runner import synthesize
    from rig.synthesis.table import split_tables, write_table

    tables = {args.out / name: rows for name, rows in split_tables(table, args.csv.name).items()}
    if any(path.exists() and path.samefile(args.csv) for path in tables):
        raise UserError(f"{args.csv} would be overwritten; choose another --out.")
    with _executor(args.workers, len(table.rows)) as executor, _bar(args, recipe) as advance:
        summary = synthesize(
            [row.item for row in table.rows],
            recipe,
            seed=args.seed,
            out_dir=args.out,
            executor=executor,
            progress=advance,
            quality=args.quality,
        )
    known = manifest.read(args.out / manifest.NAME)
    for path, rows in tables.items():
        made = [row for row in rows if manifest.done(known, str(row.item.output))]
        write_table(path, table.header, made)
    return summary, list(tables)


@contextmanager
def _executor(workers: int | None, items: int) -> Iterator[Executor | None]:
    """A process pool, or None where one process is enough."""
    from rig.synthesis.pool import default_workers, make_pool

    count = min(workers or default_workers(), items)
    if count < 2:
        yield None
        return
    with make_pool(count) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _bar(args: argparse.Namespace, recipe: Recipe) -> AbstractContextManager[Advance]:
    return progress(f"{recipe.name} twins", quiet=args.json)


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    for row in report["failed"]:
        where = f"line {row['line']}" if "line" in row else row["key"]
        print(f"failed: {where} ({row['source']}): {row['reason']}", file=sys.stderr)
    print(
        f"{report['made']} made, {report['skipped']} already there, "
        f"{len(report['failed'])} failed; see {report['manifest']}"
    )
