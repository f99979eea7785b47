"""`rig session`: ask a running controller for what the control strip of a session asks for."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rig.errors import UserError
from rig.settings import add_home, home_of

EXAMPLES = """examples:
  rig session pause s0123456789abcdef --name anna
  rig session resume s0123456789abcdef --name anna
  rig session reshoot s0123456789abcdef --indices 317,320 --start --name anna
  rig session reshoot s0123456789abcdef --last 5 --start --confirm --name anna

The controller of the home must run; it refuses in its own words. `reshoot --start` queues the new
sessions: each starts by itself when the one before it is completed. --confirm says that --name has
looked at every level of the environment and at the picture. Exit status: 0 asked for, 2 refused.
"""
SIMPLE = {
    "start": "begin to shoot",
    "pause": "after the image in flight",
    "pause-now": "give up the exposure in flight; it is shot again after the pause",
    "resume": "go on, once screen, phone and room are well",
    "stop": "finish what is in flight, then end early",
    "abort": "at once; a person has to re-arm it",
    "unqueue": "do not start it by itself",
}
_CONFIRMS = frozenset({"start", "resume", "reshoot"})


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig session`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs = [sub.add_parser(verb, help=text) for verb, text in SIMPLE.items()]
    again = sub.add_parser("reshoot", help="shoot photos of a session again")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("--last", type=int, metavar="N", help="the newest N captures")
    which.add_argument("--indices", metavar="I,J", help="these x-rays, by index")
    again.add_argument("--start", action="store_true", help="start each by itself, in turn")
    for one in (*verbs, again):
        one.add_argument("session", metavar="SESSION", help="`s` and 16 hex digits")
        one.add_argument("--name", help="who asks, for the log")
        add_home(one)
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        if one.prog.split()[-1] in _CONFIRMS:
            one.add_argument(
                "--confirm", action="store_true", help="the room and the picture were looked at"
            )
        one.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask; the answer is what the controller noted."""
    from rig.commands.running import post

    body: dict[str, Any] = {} if args.name is None else {"name": args.name}
    if getattr(args, "confirm", False):
        body["confirm"] = True
    if args.verb == "reshoot":
        body |= _which(args)
    said = post(home_of(args), f"/api/sessions/{_checked(args.session)}/{args.verb}", body)
    if args.json:
        print(json.dumps(said))
    elif args.verb == "reshoot":
        for one in said["sessions"]:
            then = ", starts by itself" if args.start else ""
            print(f"{one['id']}: {one['first']}-{one['last']}{then}")
    else:
        print(f"{said['id']}: {said['words']}" + (f" ({said['asked']})" if said["asked"] else ""))
    return 0


def _which(args: argparse.Namespace) -> dict[str, Any]:
    body: dict[str, Any] = {"start": True} if args.start else {}
    if args.last is not None:
        return body | {"last": args.last}
    try:
        return body | {"indices": [int(one) for one in args.indices.replace(",", " ").split()]}
    except ValueError:
        raise UserError(
            f"--indices takes numbers with commas, such as 317,320, not {args.indices!r}."
        ) from None


def _checked(session: str) -> str:
    """The id goes into an address: nothing but an id."""
    if len(session) != 17 or session[0] != "s" or set(session[1:]) - set("0123456789abcdef"):
        raise UserError(f"{session[:40]!r} is no session: `s` and 16 hex digits, as its page says.")
    return session
