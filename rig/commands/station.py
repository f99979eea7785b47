"""`rig station`: add, list and pair stations."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

EXAMPLES = """examples:
  rig station add room-1        prints the token (once) and how to start the display agent
  rig station list
  rig station list --json       {"stations": ["room-1"]}
  rig station pair room-1       a code and the one line to paste into Termux, good for ten minutes
  rig station pair room-1 --address 192.168.1.20
                                the same for this address of the controller
  rig station pair room-1 --json
  rig station unpair room-1     the phone was lost: its token is refused from now on

`pair` and `unpair` ask the controller that runs on the home (`rig token make`, once, then
`rig serve --host 0.0.0.0`).
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig station`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    new = sub.add_parser("add", help="add a station: a monitor and the phone in front of it")
    new.add_argument("name", metavar="NAME")
    listed = sub.add_parser("list", help="all stations")
    pair = sub.add_parser("pair", help="make a code that pairs a phone with a station")
    pair.add_argument("name", metavar="NAME")
    pair.add_argument("--address", metavar="IP", help="the controller's address for the phone")
    unpair = sub.add_parser("unpair", help="void token and key of a station's phone")
    unpair.add_argument("name", metavar="NAME")
    verbs = ((new, run_add), (listed, run_list), (pair, run_pair), (unpair, run_unpair))
    for one, run in verbs:
        add_home(one)
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.set_defaults(run=run)


def run_add(args: argparse.Namespace) -> int:
    """Add a station and print its token, which is never shown again."""
    from rig.capture import projections, stations
    from rig.commands.running import url_of
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
    # Other users of that computer see its command lines: the token is read from a file.
    command = f"display-agent connect {url_of(home)} --token @station-token"
    if args.json:
        print(json.dumps({"name": args.name, "token": token, "command": command}))
        return 0
    print(f"Station {args.name}. Its token, shown this once: {token}")
    print("On the computer at its monitor put it into the file station-token (mode 0600), then:")
    print(f"  {command}")
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


def run_pair(args: argparse.Namespace) -> int:
    """Make a pairing code and say what to do with it."""
    from rig.commands.running import post

    told = post(home_of(args), f"/api/stations/{quote(args.name, safe='')}/codes")
    way = _way(told["ways"], args.address)
    if args.json:
        print(json.dumps({**told, "url": way["url"], "line": way["line"]}))
        return 0
    minutes = max(1, round((told["expires_ns"] - time.time_ns()) / 60e9))
    print(f"Code {told['code']}, good once, for {minutes} minutes.")
    if sys.stdout.isatty():
        import segno

        segno.make(way["url"], error="m", micro=False).terminal(compact=True)
    print(f"Scan the QR code of the dashboard, or open on the phone: {way['url']}")
    print(f"Or paste into Termux:\n  {way['line']}")
    print(f"SHA-256 of agent.pyz: {told['sha256'] or 'there is none: install capture-rig whole'}")
    others = [one["base"] for one in told["ways"] if one is not way]
    if others:
        print(f"Other addresses of this controller (--address): {', '.join(others)}")
    return 0


def run_unpair(args: argparse.Namespace) -> int:
    """Void token and key of the station's phone."""
    from rig.commands.running import post

    told = post(home_of(args), f"/api/stations/{quote(args.name, safe='')}/unpair")
    if args.json:
        print(json.dumps(told))
    else:
        print(f"The phone of {args.name} is unpaired. Pair the next: rig station pair {args.name}")
        if not told["connected"]:
            print(
                f"The display agent of {args.name} is away: it lets that phone in until it has "
                "connected again."
            )
    return 0


def _way(ways: list[dict[str, str]], address: str | None) -> dict[str, str]:
    if address is None:
        return ways[0]
    for way in ways:
        if urlsplit(way["base"]).hostname == address.strip("[]"):
            return way
    known = ", ".join(str(urlsplit(way["base"]).hostname) for way in ways)
    raise UserError(f"--address {address} is not one of this controller's. Known: {known}.")
