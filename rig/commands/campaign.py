"""`rig campaign`: plan and show campaigns."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

EXAMPLES = """examples:
  rig campaign create nokia10k --catalog chexpert --device nokia
  rig campaign create small --catalog chexpert --device iphone --subset-size 20-40 \\
      --environments rooms.toml --seed 7
  rig campaign create two --catalog chexpert --device nokia --stations room-1,room-2
  rig campaign replan nokia10k --environments rooms.toml    what was shot stays as it is
  rig campaign show nokia10k --json
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig campaign`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = sub.add_parser("create", help="plan a campaign over all x-rays of a catalog")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--catalog", required=True)
    new.add_argument("--device", required=True, help="the phone, e.g. nokia")
    new.add_argument("--subset-size", default="250-500", metavar="MIN-MAX", help="(%(default)s)")
    new.add_argument("--at-least", type=int, default=0, metavar="N",
                     help="subsets (default: enough to meet every pair of levels)")  # fmt: skip
    new.add_argument(
        "--environments",
        type=Path,
        metavar="FILE",
        help="factors, constraints or environments (default: the CheXphoto paper's)",
    )
    new.add_argument("--seed", type=int, default=0)
    new.add_argument("--settle-ms", type=int, default=150, help="from paint to photo (%(default)s)")
    again = sub.add_parser("replan", help="plan anew what no session was made for")
    again.add_argument("name", metavar="NAME")
    again.add_argument("--subset-size", metavar="MIN-MAX", help="(as before)")
    again.add_argument("--at-least", type=int, default=0, metavar="N", help="subsets")
    again.add_argument("--environments", type=Path, metavar="FILE", help="(as before)")
    again.add_argument("--seed", type=int, help="(as before)")
    for one, default in ((new, "one list for all"), (again, "as before")):
        one.add_argument(
            "--stations", metavar="N|NAMES",
            help=f"deal the subsets to N stations, or to those named: a,b,c ({default})",
        )  # fmt: skip
    show = sub.add_parser("show", help="subsets, states and balance")
    show.add_argument("name", metavar="NAME")
    for one, run in ((new, run_create), (again, run_replan), (show, run_show)):
        add_home(one)
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.set_defaults(run=run)


def sizes(text: str) -> tuple[int, int]:
    """`250-500` or `30` as (minimum, maximum).

    Raises:
        UserError: it is neither.
    """
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text, re.ASCII)
    if match is None:
        raise UserError(f"--subset-size must look like 250-500 or 30, not {text!r}.")
    least = int(match[1])
    return least, int(match[2] or least)


def stations(text: str | None) -> int | tuple[str, ...] | None:
    """`2` as a number, `room-1,room-2` as names, None as it is."""
    if text is None:
        return None
    if text.isdecimal() and text.isascii():
        return int(text)
    return tuple(part.strip() for part in text.split(","))


def run_create(args: argparse.Namespace) -> int:
    """Plan and keep."""
    from rig.capture import campaigns, projections
    from rig.store.database import Database
    from rig.store.events import Event

    size_min, size_max = sizes(args.subset_size)
    if not 0 <= args.settle_ms <= 60_000:
        raise UserError(f"--settle-ms must be from 0 to 60000, not {args.settle_ms}.")
    now = time.time_ns()

    def write(connection: Connection) -> None:
        made = campaigns.create(
            connection,
            new_id=secrets.token_hex(8),
            name=args.name,
            catalog=args.catalog,
            device=args.device,
            now_ns=now,
            environments_file=args.environments,
            size_min=size_min,
            size_max=size_max,
            at_least=at_least(args),
            seed=args.seed,
            settle_ms=args.settle_ms,
            stations=stations(args.stations) or 0,
        )
        body = {"name": made.name, "subsets": len(made.subsets)}
        projections.record(connection, Event("campaign_created", now, now, "command", body=body))

    with Database.open(home_of(args) / "rig.db") as database:
        database.write_now(write)
    return run_show(args)


def at_least(args: argparse.Namespace) -> int:
    """The number of subsets asked for.

    Raises:
        UserError: it is negative.
    """
    if args.at_least < 0:
        raise UserError(f"--at-least must be 0 or more, not {args.at_least}.")
    return int(args.at_least)


def run_replan(args: argparse.Namespace) -> int:
    """Plan the rest anew."""
    from rig.capture import campaigns, projections
    from rig.store.database import Database
    from rig.store.events import Event

    size_min, size_max = sizes(args.subset_size) if args.subset_size else (None, None)
    now = time.time_ns()

    def write(connection: Connection) -> None:
        made = campaigns.replan(
            connection,
            args.name,
            environments_file=args.environments,
            size_min=size_min,
            size_max=size_max,
            at_least=at_least(args),
            seed=args.seed,
            stations=stations(args.stations),
        )
        body = {"name": made.name, "revision": made.revision, "subsets": len(made.subsets)}
        projections.record(connection, Event("campaign_replanned", now, now, "command", body=body))

    with Database.open(home_of(args) / "rig.db") as database:
        database.write_now(write)
    return run_show(args)


def run_show(args: argparse.Namespace) -> int:
    """Show a campaign."""
    from rig.capture.describe import describe
    from rig.commands.campaign_table import table
    from rig.store.database import Database

    with Database.open(home_of(args) / "rig.db") as database:
        shown = database.query(lambda connection: describe(connection, args.name))
    if args.json:
        print(json.dumps(shown))
    else:
        print("\n".join(table(shown)))
    return 0
