"""The legacy options of the command line; light to import."""

from __future__ import annotations

import argparse
import ipaddress
from pathlib import Path
from typing import Any

from rig.errors import UserError
from rig.protocol.actions import Addr
from rig.protocol.legacy import LEGACY_PORT, WEAKER_DISPLAY

HELP = "legacy mode (--legacy-phone drives the original CheXpeditor app):\n" + "".join(
    f"  - {sentence}\n" for sentence in WEAKER_DISPLAY
)
"""What `--help` says of it."""


def phone_address(text: str) -> Addr:
    """``IP[:4445]`` of the command line."""
    host, _, port = text.partition(":")
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not IP[:PORT], as the app shows") from None
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{port!r} is not a UDP port")
    return host, int(port or LEGACY_PORT)


def add_legacy_phone(parser: argparse.ArgumentParser) -> None:
    """Add `--legacy-phone` and say what it weakens."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = HELP
    parser.add_argument(
        "--legacy-phone",
        type=phone_address,
        metavar="IP[:4445]",
        help="drive the original app there instead of a phone agent (weaker, see below)",
    )


def station_options(args: argparse.Namespace) -> None:
    """Refuse `connect` what does not go together.

    Raises:
        UserError: a pairing is wanted for the original app, which knows none.
    """
    if args.legacy_phone is not None and args.pairing is not None:
        raise UserError("--pairing FILE is for a phone agent; the original app cannot be paired")


def add_legacy(run: argparse.ArgumentParser, sub: Any) -> None:
    """Add the options of `run` and the command `audit-legacy`."""
    add_legacy_phone(run)
    run.add_argument(
        "--legacy-resolve",
        choices=["taken", "missing"],
        help="what the app's log says of the request in doubt",
    )
    audit = sub.add_parser(
        "audit-legacy",
        help="is every photo of a legacy run in the phone's export?",
        epilog="Exit status: 0 every photo is there once, 1 not so, 2 bad input.",
    )
    audit.add_argument(
        "--journal", type=Path, required=True, metavar="DIR", help="--journal of the legacy run"
    )
    audit.add_argument(
        "--export", type=Path, required=True, metavar="DIR", help="copy of the app's folder"
    )
    audit.add_argument("--json", action="store_true", help="one JSON object on stdout")
    audit.add_argument("--verbose", action="store_true", help="more on stderr")
