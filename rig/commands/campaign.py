"""`rig campaign`: plan and show campaigns."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

EXAMPLES = """examples:
  rig campaign create nokia10k --catalog chexpert --device nokia
  rig campaign create small --catalog chexpert --device iphone --subset-size 20-40 \\
      --environments rooms.toml --seed 7
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
    new.add_argument("--environments", type=Path, metavar="FILE", help="factors or environments")
    new.add_argument("--seed", type=int, default=0)
    new.add_argument("--settle-ms", type=int, default=150, help="from paint to photo (%(default)s)")
    show = sub.add_parser("show", help="subsets, states and balance")
    show.add_argument("name", metavar="NAME")
    for one, run in ((new, run_create), (show, run_show)):
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
            seed=args.seed,
            settle_ms=args.settle_ms,
        )
        body = {"name": made.name, "subsets": len(made.subsets)}
        projections.record(connection, Event("campaign_created", now, now, "command", body=body))

    with Database.open(home_of(args) / "rig.db") as database:
        database.write_now(write)
    return run_show(args)


def run_show(args: argparse.Namespace) -> int:
    """Show a campaign."""
    from rig.capture.describe import describe
    from rig.store.database import Database

    with Database.open(home_of(args) / "rig.db") as database:
        shown = database.query(lambda connection: describe(connection, args.name))
    if args.json:
        print(json.dumps(shown))
    else:
        _print(shown)
    return 0


def _print(shown: dict[str, Any]) -> None:
    print(
        f"{shown['name']}: {shown['xrays']} x-rays of {shown['catalog']} with {shown['device']}, "
        f"{len(shown['subsets'])} subsets, seed {shown['seed']}, revision {shown['revision']}"
    )
    for one in shown["subsets"]:
        span = f"{one['first']}-{one['last']}"
        print(f"  {one['id']:4}  {span:>13}  {one['state']:12} {one['environment']['name']}")
    worst = max(shown["balance"]["cramers_v"].items(), key=lambda item: item[1])
    print(f"label and environment: Cramér's V at most {worst[1]:.3f} ({worst[0]})")
