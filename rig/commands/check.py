"""`rig check`: whether a home holds what its database says."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.store.integrity import Problem

EXAMPLES = """examples:
  rig check                    the database, its tables against the log, every photo's size,
                               photos taken by hand and films, too
  rig check --deep             reads every photo and compares its SHA-256 too
  rig check --home /srv/rig --json

Only reads; the controller may run. Exit 1 when something is bad. `rig doctor` looks at the machine.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig check`."""
    parser.epilog = EXAMPLES
    add_home(parser)
    parser.add_argument("--deep", action="store_true", help="read every photo and hash it")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check; 1 when something is bad."""
    from rig.store.integrity import require_home

    home = home_of(args)
    require_home(home)
    found = list(problems(home, deep=args.deep, now=time.time()))
    bad = any(one.status == "bad" for one in found)
    if args.json:
        status = "bad" if bad else "warn" if found else "ok"
        rows = [asdict(one) for one in found]
        print(json.dumps({"home": str(home), "status": status, "problems": rows}))
    else:
        for one in found:
            print(f"{one.status:4}  {one.what} {one.where}: {one.detail}")
            print(f"      {one.remedy}")
        if not found:
            print(f"ok    {home}")
    return 1 if bad else 0


def problems(home: Path, *, deep: bool, now: float) -> Iterator[Problem]:
    """Every problem of *home*; *now* in Unix seconds.

    Raises:
        StoreError: the database is no home's, or a newer version's.
    """
    from rig.capture import integrity as projected
    from rig.commands.progress import progress
    from rig.intake import hand_check
    from rig.store import homes, integrity

    path = integrity.require_home(home)
    yield from integrity.check_rights(home, integrity.me())
    found = list(integrity.check_database(path))
    yield from found
    if any(one.what == "database" for one in found):
        return  # a torn file answers nothing else
    # Listed before the database is read: what arrives in between is in the database, not a stray.
    listed = list(homes.walk(home))
    photos, sessions = integrity.received(path)
    by_hand = hand_check.kept(path)
    strays = integrity.check_strays(listed, home, photos, sessions, now=now)
    yield from integrity.at_most(
        chain(strays, hand_check.check_strays(listed, home, by_hand, now=now))
    )
    with progress("photos") as advance:
        rows = integrity.check_photos(home, photos, deep=deep, advance=advance)
        yield from integrity.at_most(rows)
    with progress("photos by hand and films") as advance:
        rows = hand_check.check_hand(home, by_hand, deep=deep, advance=advance)
        yield from integrity.at_most(rows)
    with progress("tables against the log"):
        yield from projected.compare(path)
