"""`rig backup`: a whole copy of a home, taken while it is in use."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.store.backup import Report

EXAMPLES = """examples:
  rig backup /mnt/usb/rig                 again and again to the same folder: only what is new
  rig backup /mnt/usb/rig --no-photos     the database, settings and secret only: seconds
  rig backup /mnt/usb/rig --json          {"target": ..., "files": 812, "copied": 14, ...}

The controller and the stations go on meanwhile. Exit 1: a received photo could not be copied.
Keep it as safe as the home itself: it holds x-rays and the home's secret.
"""
SHOWN = 10


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig backup`."""
    parser.epilog = EXAMPLES
    parser.add_argument("target", type=Path, metavar="TARGET", help="folder for the backup")
    add_home(parser)
    parser.add_argument(
        "--photos",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="copy the received photos and sidecars too (default)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Back up; 1 when something that should be in it is not."""
    from rig import __version__
    from rig.commands.progress import progress
    from rig.errors import UserError
    from rig.store.backup import back_up

    target = args.target.expanduser().resolve()
    try:
        with progress("backing up") as advance:
            report = back_up(
                home_of(args),
                target,
                made_by=__version__,
                now_ns=time.time_ns(),
                photos=args.photos,
                advance=advance,
            )
    except OSError as error:
        raise UserError(
            f"The backup to {target} stopped: {error.filename or target}: "
            f"{error.strerror or error}. Mend that and run the same command again, it goes on."
        ) from error
    _tell(target, report, as_json=args.json)
    return 0 if report.well else 1


def _tell(target: Path, report: Report, *, as_json: bool) -> None:
    made = report.manifest
    if as_json:
        told = {
            "target": str(target),
            "complete": report.well,
            "photos": made.photos,
            "time_ns": made.time_ns,
            "files": len(made.files),
            "copied": report.copied,
            "kept": report.kept,
            "bytes": report.size,
            "missing": [one.model_dump() for one in made.missing],
            "left_out": [{"path": path, "why": why} for path, why in report.left_out],
        }
        print(json.dumps(told))
        return
    print(
        f"{target}: {len(made.files)} files, {report.size / 1e6:.1f} MB "
        f"({report.copied} copied, {report.kept} were there)."
    )
    rows = [f"{one.session}/{one.name}: {one.why}" for one in made.missing]
    rows += [f"{path}: {why}" for path, why in report.left_out]
    for row in rows[:SHOWN]:
        print(f"not in it: {row}", file=sys.stderr)
    if len(rows) > SHOWN:
        print(f"and {len(rows) - SHOWN} more: rig backup --json lists them", file=sys.stderr)
