"""The command line of `phone-agent`: its options, and what they mean together."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from phone_agent import config
from phone_agent.cameras import Camera
from phone_agent.cameras.open import KINDS, open_camera
from phone_agent.legacy import HELP, add_legacy
from phone_agent.page import DEFAULT_ADDRESS, PageError, StatusPage, status_address
from phone_agent.status import Status
from phone_agent.store import PhotoStore
from phone_agent.view import View
from rig import __version__
from rig.protocol.keys import Pairing, parse_pairing

DEFAULT_CAMERA = "termux"
EXAMPLES = """examples:
  phone-agent 192.168.1.5:8000 ABCD2345     pair with the code from the controller's page, and start
  phone-agent                               start again with what is remembered in ~/rig
  phone-agent --camera ipwebcam:http://127.0.0.1:8080 --upload during
  phone-agent --pair @pair.txt --dir photos --camera loopback:http://127.0.0.1:8765 --upload
  phone-agent --legacy-listen 4445 --legacy-first 0 --legacy-from 192.168.1.5 --dir d --camera ...
  phone-agent check [--json]                look at camera, battery, storage, network, and leave
  phone-agent audit --dir photos            hash every photo again, against the journal
"""


Upload = Literal["off", "during", "batch"]


class UsageError(Exception):
    """Bad usage or input; one sentence."""


@dataclass(frozen=True)
class Choice:
    """What the command line comes to."""

    pairing: Pairing
    folder: Path
    camera: Camera
    upload: Upload


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="phone-agent",
        description="Lies in Termux: takes a photo of exactly the x-ray that the display shows.",
        epilog=EXAMPLES + "\n" + HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"capture-rig {__version__}")
    parser.add_argument("address", nargs="?", metavar="HOST:PORT", help="the controller")
    parser.add_argument("code", nargs="?", metavar="CODE", help="the code that its page shows")
    add_common(parser)
    parser.add_argument(
        "--upload",
        nargs="?",
        const="during",
        choices=["during", "batch", "off"],
        help="send photos to the controller: while shooting, or when a subset is done (default, "
        "when the pairing names a controller); alone it means during",
    )
    parser.add_argument(
        "--status",
        metavar="HOST:PORT",
        help="the page with the last photo (default on a terminal: 127.0.0.1:8765); off: none",
    )
    parser.add_argument(
        "--status-token", metavar="TOKEN|@FILE", default="", help="needed beyond 127.0.0.1"
    )
    parser.add_argument("--no-checks", action="store_true", help="start without the checks")
    parser.add_argument("--once", action="store_true", help="leave after one finished subset")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of text")
    add_legacy(parser)
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that `phone-agent` and `phone-agent check` share."""
    parser.add_argument("--pair", metavar="URL|@FILE", help="the pairing that the display shows")
    parser.add_argument(
        "--dir",
        type=Path,
        default=config.DEFAULT_DIR,
        help="photos, journal and lock; one agent per folder (default ~/rig)",
    )
    parser.add_argument(
        "--camera", help=f"which camera (default: the last one, else {DEFAULT_CAMERA}): {KINDS}"
    )


def choose(args: argparse.Namespace, status: Status) -> Choice:
    """Find the pairing (exchanging a code, if one is given) and open the camera.

    Raises:
        UsageError, ConfigError, BadPairing, StoreBusy, OSError: each with one sentence.
    """
    folder: Path = args.dir
    saved: config.Saved | None = None
    if args.address is not None:
        if args.pair is not None:
            raise UsageError("give HOST:PORT CODE or --pair, not both")
        if args.code is None:
            raise UsageError(
                "give the code too: phone-agent HOST:PORT CODE; the controller's page shows it"
            )
        camera = camera_of(args.camera or _remembered(folder))
        # The lock first: a code works once, and must not be used up for nothing.
        with PhotoStore(folder):
            pairing = config.exchange(args.address, args.code)
            config.save(folder, config.Saved(pairing, args.camera or _remembered(folder)))
        status.note("paired", f"paired; from now on phone-agent alone is enough ({folder})")
    elif args.pair is not None:
        pairing, camera = pairing_of(args.pair), camera_of(args.camera)
    else:
        saved = config.load(folder)
        pairing, camera = saved.pairing, camera_of(args.camera or saved.camera)
        if args.camera and args.camera != saved.camera:
            config.save(folder, config.Saved(pairing, args.camera))
    upload: Upload = args.upload or ("batch" if pairing.upload_url else "off")
    if upload != "off" and not pairing.upload_url:
        raise UsageError(
            "this pairing names no controller to upload to; leave --upload away, or pair "
            "with a display agent that serves a controller"
        )
    return Choice(pairing, folder, camera, upload)


def pairing_of(text: str) -> Pairing:
    """The pairing that `--pair` gives: a URL, or @FILE that holds one.

    Raises:
        BadPairing: it is none. UsageError: the file cannot be read.
    """
    if not text.startswith("@"):
        return parse_pairing(text)
    path = Path(text[1:])
    try:
        return parse_pairing(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"the pairing file {path} cannot be read ({error.strerror}); "
            "start the display agent first"
        ) from error


def camera_of(text: str | None, *, rests: bool = False) -> Camera:
    """The camera, the phone's own by default; raises UsageError.

    *rests*: the camera itself waits where the protocol would (`cameras.guard.GuardedCamera`).
    """
    try:
        return open_camera(text or DEFAULT_CAMERA, rests=rests)
    except ValueError as error:
        raise UsageError(str(error)) from error


def page_of(args: argparse.Namespace, out: TextIO, view: View, status: Status) -> StatusPage | None:
    """The status page, if there is to be one.

    Raises:
        UsageError: the address or token cannot be used.
    """
    if args.status == "off" or (args.status is None and (args.json or not out.isatty())):
        return None
    try:
        if args.status is None:
            return _default_page(view, status)
        return StatusPage(status_address(args.status), view, _token(args.status_token))
    except PageError as error:
        raise UsageError(str(error)) from error


def _default_page(view: View, status: Status) -> StatusPage | None:
    """Nobody asked for it: without it shooting goes on."""
    try:
        return StatusPage(DEFAULT_ADDRESS, view)
    except PageError as error:
        status.note("page", str(error))
        return None


def _token(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(
            f"the token file {text[1:]} cannot be read ({error.strerror}); write a token into it"
        ) from error


def _remembered(folder: Path) -> str:
    """The camera of an earlier pairing, or empty."""
    try:
        return config.load(folder).camera
    except (config.ConfigError, OSError):
        return ""
