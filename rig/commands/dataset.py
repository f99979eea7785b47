"""`rig dataset`: build, describe and check datasets."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from rig.commands.progress import progress
from rig.errors import UserError
from rig.settings import add_home, home_of

_EPILOG = """\
examples:
  rig dataset build nokia10k --out datasets --synthetic digital,photographic
  rig dataset stats datasets/nokia10k-v1.0
  rig dataset check datasets/nokia10k-v1.0 --json

`build` writes OUT/<CAMPAIGN>-v<VERSION>, complete or not at all, and replaces an earlier build of
that name. Exit status: 0 all well; 1 there are gaps, failed twins or (check) problems; 2 bad input.
DIR may be the folder of a dataset or one that holds just one.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig dataset`."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = sub.add_parser("build", help="write the dataset of a campaign")
    new.add_argument("campaign", metavar="CAMPAIGN")
    new.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    new.add_argument(
        "--synthetic", default="", metavar="SETS", help="digital,photographic (default: none)"
    )
    new.add_argument(
        "--dataset-version", default="1.0", metavar="V", help="of the dataset (default 1.0)"
    )
    new.add_argument("--terms", type=Path, metavar="FILE", help="terms for the card, Markdown")
    new.add_argument("--workers", type=int, metavar="N", help="processes (default: all processors)")
    add_home(new)
    new.set_defaults(run=run_build)
    stats = sub.add_parser("stats", help="labels, images, environments")
    stats.add_argument("dir", type=Path, metavar="DIR")
    stats.add_argument("--blanks", action="store_true", help="list blank labels apart")
    stats.set_defaults(run=run_stats)
    check = sub.add_parser("check", help="files, columns, labels, digests, patients")
    check.add_argument("dir", type=Path, metavar="DIR")
    check.set_defaults(run=run_check)
    for one in (new, stats, check):
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run_build(args: argparse.Namespace) -> int:
    """Build a campaign's dataset; 1 when something is missing in it."""
    from rig.dataset.from_store import build_campaign
    from rig.store.database import Database
    from rig.synthesis.pool import default_workers, make_pool

    home = home_of(args)
    if not (home / "rig.db").is_file():
        raise UserError(f"{home} holds no rig.db; name the controller's home with --home.")
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers must be at least 1, not {args.workers}.")
    kinds = [kind.strip() for kind in args.synthetic.split(",") if kind.strip()]
    with ExitStack() as stack:
        database = stack.enter_context(Database.open(home / "rig.db"))
        pool = None
        if kinds and (args.workers or default_workers()) > 1:
            pool = make_pool(args.workers or default_workers())
            stack.callback(pool.shutdown, cancel_futures=True)
        report = build_campaign(
            database,
            home,
            args.campaign,
            args.out.expanduser().resolve(),
            version=args.dataset_version,
            synthetic=kinds,
            terms=_terms(args.terms),
            executor=pool,
            progress=stack.enter_context(progress("building")),
        )
    gaps = [{"index": g.index, "key": g.key, "reason": g.reason} for g in report.gaps]
    if args.json:
        row = {"dataset": str(report.path), "natural": report.natural}
        row |= {"synthetic": report.synthetic, "gaps": gaps, "failed": list(report.failed)}
        print(json.dumps(row))
    else:
        made = "".join(f", {count} {kind}" for kind, count in report.synthetic.items())
        print(f"{report.path}: {report.natural} photos{made}, {len(gaps)} gaps")
        print(*(f"gap: index {g['index']}: {g['reason']}" for g in gaps), *report.failed, sep="\n")
    return 0 if report.well else 1


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
    from rig.dataset.tables import statistics_text

    found = statistics(find(args.dir))
    if args.json:
        print(json.dumps(found.as_json(blanks=args.blanks)))
    else:
        print(statistics_text(found, blanks=args.blanks))
    return 1 if found.overlap else 0


def run_check(args: argparse.Namespace) -> int:
    """Check a dataset; 1 when there are problems."""
    from rig.dataset.check import check
    from rig.dataset.layout import find

    with progress("checking") as advance:
        report = check(find(args.dir), progress=advance)
    if args.json:
        row = {"dataset": str(report.path), "well": report.well, "images": report.images}
        print(json.dumps(row | {"gaps": report.gaps, "problems": list(report.problems)}))
    else:
        print(*report.problems, sep="\n", end="\n" if report.problems else "")
        word = "all well" if report.well else f"{len(report.problems)} problems"
        print(f"{report.path}: {report.images} images, {report.gaps} gaps, {word}")
    return 0 if report.well else 1
