"""`rig token`: the access token that a controller needs before others can reach it."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

from rig.errors import UserError
from rig.settings import add_home, home_of

NAME = "token"
"""File of the home that keeps it, mode 0600."""
LEAST, MOST = 16, 512
"""Characters of a token."""
EXAMPLES = """examples:
  rig token make           make the home's access token; then `rig serve --host 0.0.0.0` starts
  rig token make --new     another one: every browser and script has to sign in anew
  rig token show           print it, for a script on another computer

It is kept in HOME/token (mode 0600). `rig serve` takes it unless --token-file or RIG_TOKEN give
another one.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig token`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    make = sub.add_parser("make", help="make the home's access token")
    make.add_argument("--new", action="store_true", help="in place of the one there is")
    show = sub.add_parser("show", help="print the home's access token")
    for one, run in ((make, run_make), (show, run_show)):
        add_home(one)
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.set_defaults(run=run)


def run_make(args: argparse.Namespace) -> int:
    """Make the token; it is not printed: nobody needs it but a script on another computer."""
    from rig.durable import write_atomic

    home = home_of(args)
    file = home / NAME
    if file.exists() and not args.new:
        raise UserError(
            f"{file} is there already. `rig token make --new` makes another one: then every "
            "browser and script has to sign in anew."
        )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(file, secrets.token_urlsafe(32).encode() + b"\n", mode=0o600)
    if args.json:
        print(json.dumps({"file": str(file)}))
        return 0
    print(f"Made {file}. `rig serve` takes it from its next start on.")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Print the token."""
    token = kept(home_of(args))
    if token is None:
        raise UserError(f"{home_of(args)} has no access token: make one with `rig token make`.")
    print(json.dumps({"token": token}) if args.json else token)
    if not args.json:
        print("Whoever has it can do everything here: keep it in files of mode 0600.",
              file=sys.stderr)  # fmt: skip
    return 0


def kept(home: Path) -> str | None:
    """The access token that was made for *home*; None when there is none.

    Raises:
        UserError: the file is no token, or others may read it.
    """
    file = home / NAME
    return read(file) if file.exists() else None


def read(file: Path) -> str:
    """The token in *file*: its first line, without white space around it.

    Raises:
        UserError: it cannot be read, other users of this machine may read it, or it is too short.
    """
    try:
        mode = file.stat().st_mode
        with file.open(encoding="ascii") as text:
            token = text.readline(MOST + 2).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no plain text"
        raise UserError(f"The access token in {file} cannot be read: {why}.") from error
    if mode & 0o077:
        raise UserError(
            f"Other users of this machine may read the access token in {file}: chmod 600 {file}, "
            "or better make another one, as they may have read it."
        )
    if not LEAST <= len(token) <= MOST or not token.isprintable() or " " in token:
        raise UserError(
            f"{file} has no access token in its first line: {LEAST} to {MOST} characters without "
            "spaces, for example from `rig token make`."
        )
    return token
