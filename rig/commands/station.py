"""`rig station`: add and list stations."""

from __future__ import annotations

import argparse
import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

EXAMPLES = """examples:
  rig station add room-1        prints the token (once) and how to start the display agent
  rig station list
"""
DEFAULT_URL = "http://127.0.0.1:8000"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig station`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = sub.add_parser("add", help="add a station: a monitor and the phone in front of it")
    new.add_argument("name", metavar="NAME")
    listed = sub.add_parser("list", help="all stations")
    for one, run in ((new, run_add), (listed, run_list)):
        add_home(one)
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.set_defaults(run=run)


def run_add(args: argparse.Namespace) -> int:
    """Add a station and print its token, which is never shown again."""
    from rig.capture import projections, stations
    from rig.store.database import Database
    from rig.store.events import Event

    home = home_of(args)
    token = stations.new_token(secrets.token_urlsafe)
    now = time.time_ns()

    def write(connection: Connection) -> None:
        stations.add(connection, args.name, token, now)
        body = {"name": args.name}
        projections.record(connection, Event("station_added", now, now, "command", body=body))

    with Database.open(home / "rig.db") as database:
        database.write_now(write)
    command = f"display-agent connect {_url(home)} --token {token}"
    if args.json:
        print(json.dumps({"name": args.name, "token": token, "command": command}))
        return 0
    print(f"Station {args.name}. Its token, shown this once: {token}")
    print(f"On the computer at its monitor: {command}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """List the stations."""
    from rig.capture import stations
    from rig.store.database import Database

    with Database.open(home_of(args) / "rig.db") as database:
        names = database.query(stations.names)
    if args.json:
        print(json.dumps({"stations": names}))
        return 0
    for name in names:
        print(name)
    if not names:
        print("No station yet: rig station add NAME")
    return 0


def _url(home: Path) -> str:
    """The address of the controller that runs on *home*, else the default one."""
    try:
        return str(json.loads((home / "serve.json").read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_URL
