"""The `rig` command: one sub-command per noun, each in `rig.commands`, loaded when asked for."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from rig import __version__
from rig.errors import UserError

COMMANDS: dict[str, str] = {
    "demo": "the whole job on bundled x-rays with a loopback camera",
    "serve": "run the controller and its dashboard",
    "token": "make the access token that a controller on the network needs",
    "doctor": "what is missing or risky on this machine, and how to mend it",
    "backup": "copy a home, whole and verified, while it is in use",
    "restore": "make a home out of a backup",
    "check": "whether a home holds what its database says",
    "catalog": "import and show x-rays",
    "pacs": "pull x-rays out of a hospital's archive (DICOM, DICOMweb)",
    "readers": "check, compare and fuse what several readers said (VinDr-CXR's tables)",
    "campaign": "create and show campaigns",
    "station": "add and list stations (a monitor and its phone)",
    "room": "check a room's actuators and light sensors, set one by hand, list serial ports",
    "align": "take the alignment shot of a session, or measure a photo of the test card",
    "session": "start, pause, resume, stop or abort a session, shoot photos again",
    "plan": "export the immutable plan of a subset",
    "batch": "take in photos that came by cable or card",
    "manual": "take in photos taken by hand in manual mode, decide the doubtful",
    "films": "take in photos of x-ray films from a folder and a CSV",
    "reshoot": "list what must be shot again, and make the sessions for it",
    "verify": "check optically that a photo shows an x-ray",
    "dataset": "build, describe and check datasets",
    "synthesize": "make digital and spatial twins of x-rays",
    "simulate": "what a bad network, camera or disk would do to a night of capturing",
}
"""Command -> one line of help. Each is a module of `rig.commands` with a `register`."""


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser; with *only*, the other commands are listed but not loaded."""
    parser = argparse.ArgumentParser(
        prog="rig", description="Digital chest x-rays in, labelled smartphone photos out."
    )
    parser.add_argument("--version", action="version", version=f"capture-rig {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = sub.add_parser(
            name, help=text, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if only == name:
            importlib.import_module(f"rig.commands.{name}").register(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 done and all well; 1 ran, but something in the result is not well; 2 bad usage or input;
        3 aborted by protocol.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    only = next((w for w in words if w in COMMANDS), None)
    args = build_parser(only).parse_args(words)
    # SIGTERM stops as Ctrl-C does: finished work is kept and the same command goes on later.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        status: int = args.run(args)
    except UserError as error:
        print(f"rig {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"rig {args.command}: stopped; running it again is safe.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main())
