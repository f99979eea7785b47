"""`rig synthesize`: digital and spatial twins of x-rays."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.progress import Advance, progress
from rig.errors import UserError

if TYPE_CHECKING:
    from rig.synthesis.making import Item
    from rig.synthesis.manifest import Row
    from rig.synthesis.recipes import Recipe
    from rig.synthesis.runner import Summary
    from rig.synthesis.transform import Pixels

_EPILOG = """\
examples:
  rig synthesize --csv CheXpert/train.csv --data-dir CheXpert --out digital --recipe digital
  rig synthesize --csv CheXpert/train.csv --data-dir CheXpert --out spatial --recipe spatial \\
                 --level 2 --seed 7 --workers 8
  rig synthesize --csv vindr/train.csv --data-dir vindr --out twins --recipe ward_phone.toml \\
                 --boxes vindr/annotations.csv --scheduler tcp://10.0.0.5:8786
  rig synthesize --replay twins/manifest.jsonl --out again
  rig synthesize preview xray.jpg --out grid.png

Recipes: digital (contrast and brightness), spatial, also named photographic (glare, moiré, tilt),
or a TOML file of your own. The same seed always makes the same files. Run again, it makes only
what is missing or changed. OUT gets the images, manifest.jsonl (how each was made) and the CSV
with its new Path, relative to OUT. Exit status 1: some rows failed, or a replayed image is not
the one that was promised; they are listed.
"""
_PREVIEW_EPILOG = """\
examples:
  rig synthesize preview xray.jpg --out grid.png
  rig synthesize preview a.jpg b.jpg --recipe digital --recipe own.toml --out sheet.png

Images are fitted in cells of 320 px first, the size for which CheXphoto's lengths are meant.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rig synthesize` and its word `preview`."""
    parser.epilog = _EPILOG
    parser.add_argument("--csv", type=Path, metavar="CSV", help="CSV with a Path column")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where its Paths begin")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the twins go")
    parser.add_argument(
        "--recipe", metavar="RECIPE", help="digital, spatial, photographic, or a TOML file"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="MANIFEST", help="make the images of a manifest.jsonl again"
    )
    parser.add_argument(
        "--level", type=int, metavar="N",
        help="strength of every step of a named recipe, 1-4 (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--reference-size", type=int, metavar="PX",
        help="lengths in pixels are meant for a shorter side of PX, and grow with the image",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="dataset seed (default 0)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one per processor)"
    )
    parser.add_argument(
        "--quality", type=int, default=75, metavar="Q", help="JPEG quality, 1-95 (default 75)"
    )
    parser.add_argument(
        "--colour", choices=("source", "grey", "rgb"), default="source",
        help="channels of the twins (default: those of the source)",
    )  # fmt: skip
    parser.add_argument(
        "--boxes", type=Path, metavar="CSV",
        help="boxes to carry along: x_min, y_min, x_max, y_max and Path or image_id",
    )  # fmt: skip
    parser.add_argument(
        "--min-visible", type=float, default=0.25, metavar="SHARE",
        help="drop a box of which less is inside the twin, 0-1 (default 0.25)",
    )  # fmt: skip
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="work on a Dask cluster, e.g. tcp://10.0.0.5:8786"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON summary")
    parser.set_defaults(run=run)
    _register_preview(parser)


def _register_preview(parser: argparse.ArgumentParser) -> None:
    words = parser.add_subparsers(dest="word", metavar="[preview IMAGE...]", title="also")
    text = "draw all transforms at all levels, or x-rays beside their twins, as one picture"
    preview = words.add_parser(
        "preview",
        help=text,
        description=text,
        epilog=_PREVIEW_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    preview.add_argument("images", type=Path, metavar="IMAGE", nargs="+")
    preview.add_argument(
        "--recipe", action="append", metavar="RECIPE", dest="recipes",
        help="instead: every image beside its twin by this recipe; may be given several times",
    )  # fmt: skip
    preview.add_argument("--out", type=Path, required=True, metavar="PNG", dest="picture")
    preview.add_argument("--seed", type=int, default=0, metavar="N", help="seed (default 0)")
    preview.set_defaults(run=run_preview)


def run(args: argparse.Namespace) -> int:
    """Make the twins of a CSV or a manifest; 1 when a row failed or differs."""
    _check(args)
    from rig.synthesis.manifest import NAME

    started = time.monotonic()
    try:
        report, failed = _replay(args) if args.replay else _synthesize(args)
    except OSError as error:
        raise UserError(
            f"{error.filename or args.out} failed: {error.strerror}. What is made is kept; run it "
            "again to go on."
        ) from error
    report |= {
        "failed": failed,
        "manifest": str(args.out / NAME),
        "seconds": round(time.monotonic() - started, 3),
    }
    _tell(report, as_json=args.json)
    return 1 if failed or report["differs"] else 0


def run_preview(args: argparse.Namespace) -> int:
    """Draw the grid of transforms and levels for one image, or a contact sheet of recipes."""
    from rig.durable import write_atomic
    from rig.synthesis.image import encode_png
    from rig.synthesis.preview import contact_sheet, preview

    if len(args.images) > 1 and not args.recipes:
        raise UserError("The grid is of one image; give one, or --recipe for a contact sheet.")
    recipes = [_recipe_called(name, None) for name in args.recipes or ()]
    images = {path.stem if len(args.images) == 1 else str(path): path for path in args.images}
    pixels = {key: _decoded(path) for key, path in images.items()}
    if recipes:
        picture = contact_sheet(pixels, recipes, seed=args.seed)
    else:
        picture = preview(next(iter(pixels.values())), seed=args.seed)
    try:
        write_atomic(args.picture, encode_png(picture))
    except OSError as error:
        raise UserError(f"{args.picture} cannot be written: {error.strerror}.") from error
    print(args.picture)
    return 0


def _decoded(path: Path) -> Pixels:
    from rig.synthesis.image import decode
    from rig.synthesis.transform import SynthesisError

    try:
        return decode(path.read_bytes())
    except SynthesisError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _check(args: argparse.Namespace) -> None:
    """Refuse what argparse cannot: `preview` needs none of these options."""
    needed = {"--out": args.out}
    if args.replay is None:
        needed |= {"--csv": args.csv, "--data-dir": args.data_dir, "--recipe": args.recipe}
    if missing := [option for option, value in needed.items() if value is None]:
        raise UserError(f"{', '.join(missing)} missing; see `rig synthesize --help`.")
    if args.replay and (args.csv or args.recipe or args.level or args.reference_size):
        raise UserError(
            "--replay takes everything from the manifest: leave out --csv, --recipe, --level and "
            "--reference-size."
        )
    if args.data_dir and not args.data_dir.is_dir():
        raise UserError(f"--data-dir {args.data_dir} is not a folder.")
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"--out {args.out} is a file; name a folder.")
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers {args.workers} makes nothing; give 1 or more.")
    if args.workers is not None and args.scheduler:
        raise UserError("--scheduler has workers of its own; leave out --workers.")
    if not 1 <= args.quality <= 95:
        raise UserError(f"--quality {args.quality} is out of range; give 1 to 95.")
    if not 0 <= args.min_visible <= 1:
        raise UserError(f"--min-visible {args.min_visible} is out of range; give 0 to 1.")
    if args.reference_size is not None and args.reference_size < 1:
        raise UserError(f"--reference-size {args.reference_size} is out of range; give 1 or more.")


def _synthesize(args: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report of making the twins of a CSV, and what failed."""
    from rig.synthesis import manifest
    from rig.synthesis.journal import Journal
    from rig.synthesis.runner import synthesize
    from rig.synthesis.table import read_table, split_tables, write_table

    recipe = _recipe(args)
    table = read_table(args.csv, args.data_dir)
    tables = {args.out / name: rows for name, rows in split_tables(table, args.csv.name).items()}
    _refuse_overwriting([args.csv], [*tables, args.out / manifest.NAME])
    boxes = _Boxes(args, list(tables))
    items = [row.item for row in table.rows]
    with _executor(args, len(items)) as executor, _bar(args, recipe.name) as advance:
        summary = synthesize(
            items,
            recipe,
            seed=args.seed,
            out_dir=args.out,
            executor=executor,
            progress=advance,
            quality=args.quality,
            colour=args.colour,
        )
    with Journal(args.out / manifest.NAME) as known:
        for path, rows in tables.items():
            made = (row for row in rows if manifest.done(known.get(str(row.item.output))))
            write_table(path, table.header, made)
        carried = boxes.carry(items, known)
    bad = [{"line": row.line, "source": row.path, "reason": row.reason} for row in table.bad]
    level = None if args.recipe not in _named() else args.level or 1
    report = {"recipe": recipe.name, "level": level, "seed": args.seed, **_counts(summary)}
    return report | {"csv": [str(path) for path in tables]} | carried, [
        *bad,
        *_failures(summary),
    ]


def _replay(args: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report of making the images of a manifest again, and what failed."""
    from rig.synthesis import manifest
    from rig.synthesis.journal import Journal
    from rig.synthesis.replay import read_script, replay

    script = read_script(args.replay, args.data_dir)
    boxes = _Boxes(args, [])
    with _executor(args, len(script.items)) as executor, _bar(args, "replayed") as advance:
        summary = replay(script, out_dir=args.out, executor=executor, progress=advance)
    with Journal(args.out / manifest.NAME) as known:
        carried = boxes.carry(script.items, known)
    bad = [{"line": row.line, "source": row.source, "reason": row.reason} for row in script.bad]
    report = {"replay": str(args.replay), **_counts(summary)}
    report |= {"failed_before": script.failed_before}
    return report | carried, [*bad, *_failures(summary)]


def _counts(summary: Summary) -> dict[str, Any]:
    return {
        "made": summary.made,
        "skipped": summary.skipped,
        "changed": list(summary.changed),
        "differs": list(summary.differs),
    }


def _failures(summary: Summary) -> list[dict[str, Any]]:
    return [{"key": f.key, "source": str(f.source), "reason": f.reason} for f in summary.failed]


def _named() -> Collection[str]:
    from rig.synthesis.recipes import RECIPES

    return RECIPES


def _recipe(args: argparse.Namespace) -> Recipe:
    """The recipe that is asked for, with the reference size that is asked for."""
    recipe, size = _recipe_called(args.recipe, args.level), args.reference_size
    return replace(recipe, reference_size=size) if size else recipe


def _recipe_called(name: str, level: int | None) -> Recipe:
    """A recipe by name or file."""
    from rig.synthesis.recipe_file import read_recipe
    from rig.synthesis.recipes import named_recipe

    if name in _named() or not name.endswith(".toml"):
        return named_recipe(name, 1 if level is None else level)
    if level is not None:
        raise UserError("Each step of a recipe file has its own level; leave out --level.")
    return read_recipe(Path(name))


def _refuse_overwriting(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    for source in sources:
        if any(path.exists() and source.exists() and path.samefile(source) for path in targets):
            raise UserError(f"{source} would be overwritten; choose another --out.")


class _Boxes:
    """`--boxes`, read before the work and written after it."""

    def __init__(self, args: argparse.Namespace, taken: Sequence[Path]) -> None:
        if args.boxes is None:
            return
        from rig.synthesis.box_table import read_annotations

        self._least = args.min_visible
        self._target = args.out / args.boxes.name
        if self._target in taken:
            raise UserError(f"{args.boxes.name} is the name of a table of images; rename --boxes.")
        _refuse_overwriting([args.boxes], [self._target])
        self._annotations = read_annotations(args.boxes)

    def carry(self, items: Sequence[Item], made: Mapping[str, Row]) -> dict[str, Any]:
        """Write the table; what of it the report says."""
        if not hasattr(self, "_annotations"):
            return {}
        from rig.synthesis.box_table import carry_table

        count = carry_table(
            self._annotations, items, made, least_visible=self._least, target=self._target
        )
        return {
            "boxes": {
                "csv": str(self._target),
                "kept": count.kept,
                "dropped": count.dropped,
                "unmatched": count.unmatched,
            }
        }


@contextmanager
def _executor(args: argparse.Namespace, items: int) -> Iterator[Executor | None]:
    """A cluster, a process pool, or None where one process is enough."""
    if args.scheduler:
        from rig.synthesis.cluster import cluster_executor

        with cluster_executor(args.scheduler) as executor:
            yield executor
        return
    from rig.synthesis.pool import default_workers, make_pool, one_thread

    count = min(args.workers or default_workers(), items)
    if count < 2:
        one_thread()
        yield None
        return
    with make_pool(count) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _bar(args: argparse.Namespace, name: str) -> AbstractContextManager[Advance]:
    return progress(f"{name} twins", quiet=args.json)


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    for row in report["failed"]:
        where = f"line {row['line']}" if "line" in row else row["key"]
        print(f"failed: {where} ({row['source']}): {row['reason']}", file=sys.stderr)
    for key in report["changed"]:
        print(f"made anew: {key}: its source is not that of the earlier run", file=sys.stderr)
    for key in report["differs"]:
        print(
            f"differs: {key}: the bytes are not those that the manifest promises (other versions "
            "of the libraries, or parameters that were edited)",
            file=sys.stderr,
        )
    if boxes := report.get("boxes"):
        print(
            f"boxes: {boxes['kept']} kept, {boxes['dropped']} dropped, {boxes['unmatched']} "
            f"without their image; see {boxes['csv']}"
        )
    print(
        f"{report['made']} made, {report['skipped']} already there, "
        f"{len(report['failed'])} failed; see {report['manifest']}"
    )
