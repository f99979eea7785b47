"""`rig reshoot`: which photos must be shot again, and the sessions that do it."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from typing import TYPE_CHECKING

from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.intake.reshoot import ReshootList

SHOWN = 100
"""Rows that the text lists; `--json` lists all."""
_EPILOG = """\
examples:
  rig reshoot nokia10k --list                what is missing, rejected or doubtful, and why
  rig reshoot s0123456789abcdef --list --json
  rig reshoot nokia10k --by anna             make the sessions that shoot it again

Without --list, sessions are made for what is missing or rejected (--doubtful: and for what is
verified but soft or glaring): one for each run of neighbouring indices, in the environment of their
subset. Start them on the controller's page or by the API. The new photo replaces the old one once
it is verified; the old one is kept in its session's quarantine folder with the reason. Indices that
are about to be shot again already are left out, so that running this twice does no harm.
Exit status: 0 nothing is to be shot again (or, without --list, sessions were made for all of it),
1 --list has rows or nothing was shot yet, 2 bad input.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig reshoot`."""
    parser.epilog = _EPILOG
    parser.add_argument("target", metavar="SESSION|CAMPAIGN", help="a session's id or a campaign")
    parser.add_argument("--list", action="store_true", help="list only, make nothing")
    parser.add_argument("--doubtful", action="store_true", help="shoot the doubtful again too")
    parser.add_argument("--by", metavar="NAME", help="who asks, for the log")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_home(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List, or make sessions."""
    from rig.commands.bringing import open_store
    from rig.web.reshooting import listed, make

    home = home_of(args)
    with open_store(home) as database:
        found = database.query(lambda c: listed(c, args.target))
        if args.list:
            print(json.dumps(found.to_json()) if args.json else _text(args.target, found))
            return 1 if found.rows or not found.shot else 0
        if not found.shot:
            print(json.dumps({"sessions": []}) if args.json else _never_shot(args.target, found))
            return 1
        now = time.time_ns()
        made = database.write_now(
            lambda c: make(c, args.target, now_ns=now, doubtful=args.doubtful, name=args.by)
        )
    if args.json:
        rows = [{"id": s.id, "subset": s.subset, "first": s.first, "last": s.last,
                 "station": s.station, "reshoots": s.reshoots} for s in made]  # fmt: skip
        print(json.dumps({"sessions": rows}))
    elif made:
        for one in made:
            span = str(one.first) if one.first == one.last else f"{one.first}-{one.last}"
            print(f"{one.id}: subset {one.subset}, {span}, station {one.station}")
    else:
        print("Nothing is to be shot again (or it is about to be already).")
    return 0


def _never_shot(target: str, found: ReshootList) -> str:
    return (
        f"Nothing of {target} was shot yet ({found.unshot or 'no'} x-rays wait), so there is "
        "nothing to shoot again: make a session on the campaign's page and start it."
    )


def _text(target: str, found: ReshootList) -> str:
    if not found.shot:
        return _never_shot(target, found)
    rows = found.rows
    counts = Counter(row.kind.value for row in rows)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"
    lines = [f"{found.shot} indices were shot; to shoot again: {told}."]
    if found.unshot:
        lines.append(f"{found.unshot} were not shot yet: a new session of their subset takes them.")
    for row in rows[:SHOWN]:
        again = f" (session {row.again} is to shoot it)" if row.again else ""
        lines.append(f"{row.index}: {row.kind.value}: {row.reason}{again}")
    if len(rows) > SHOWN:
        lines.append(f"... and {len(rows) - SHOWN} more; --json lists all.")
    if found.wanted():
        lines.append(f"`rig reshoot {target}` makes the sessions.")
    return "\n".join(lines)
