"""`rig align`: take the alignment shot of a session, or measure a photo of the test card."""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

from rig.errors import UserError
from rig.settings import add_home, home_of

EXAMPLES = """examples:
  rig align s0123456789abcdef                     show the card, photograph, measure, say what to do
  rig align s0123456789abcdef --width-mm 527 --name anna --json
  rig align --photo card.jpg --screen 1920x1080   a picture file; offsets in % of the screen's width
  rig align --photo card.jpg --screen 1920x1080 --width-mm 527 --drawn aligned.jpg

The card of a file is shown by `display-agent card`. Left and right are those of a person behind the
phone who faces the screen. Exit: 0 good, 1 could be better or not yet, 2 bad input.
"""
POLL_S = 0.5
_SESSION = re.compile(r"s[0-9a-f]{16}")
_MARKS = {"ok": "+", "warn": "!", "reject": "x"}
_HELD = frozenset({"paused", "aborted", "stopped", "interrupted"})


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig align`."""
    parser.epilog = EXAMPLES
    add_home(parser)
    parser.add_argument("session", nargs="?", metavar="SESSION", help="its id")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="measure this picture instead")
    parser.add_argument(
        "--screen", type=_size, metavar="WxH", help="pixels of the monitor that showed the card"
    )
    parser.add_argument(
        "--width-mm", type=_width, metavar="MM", help="width of the monitor's visible picture"
    )
    parser.add_argument(
        "--place", choices=["centre", "left", "right"], default="centre",
        help="where the phone is meant to stand (with --photo; default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--drawn", type=Path, metavar="FILE", help="write the photo with what was found, a JPEG"
    )
    parser.add_argument("--name", help="who asks, for the log")
    parser.add_argument(
        "--within", type=float, default=120.0, metavar="S",
        help="seconds to wait for the photo (default %(default)g)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="everything measured, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure; 0 when all is good."""
    if (args.session is None) == (args.photo is None):
        raise UserError("give either a session or --photo FILE, see `rig align --help`")
    if args.photo is None:
        return _session(args)
    if args.screen is None:
        raise UserError("with --photo say --screen WxH too: the monitor's pixels, e.g. 1920x1080")
    from rig.durable import write_atomic
    from rig.intake.alignment_photo import align_file

    found, drawn = align_file(args.photo, args.screen, width_mm=args.width_mm, place=args.place)
    if args.drawn is not None:
        try:
            write_atomic(args.drawn, drawn)
        except OSError as error:
            raise UserError(f"{args.drawn} cannot be written: {error.strerror}") from error
    return _tell(found.to_json(), as_json=args.json)


def _session(args: argparse.Namespace) -> int:
    from rig.commands import running

    if not _SESSION.fullmatch(args.session):
        raise UserError(f"{args.session[:40]!r} is no session: `s` and 16 hex digits")
    home, at = home_of(args), f"/api/sessions/{args.session}"
    told = {"name": args.name, "width_mm": args.width_mm}
    asked = running.post(home, f"{at}/align", {k: v for k, v in told.items() if v is not None})
    shot, end = asked["shot"]["id"], time.monotonic() + args.within
    while True:
        view = running.get(home, f"{at}/alignment")
        result, state = view["result"], view["shot"]
        if result is not None and result["shot"] == shot:
            break
        if state["state"] in _HELD or state["refused"]:
            raise UserError(f"the alignment shot was not taken: {state['words'].rstrip('.')}.")
        if time.monotonic() > end:
            raise UserError(
                f"no photo within {args.within:g} s: {state['words']}. It goes on; look at "
                f"/sessions/{args.session}/alignment, or take it back there."
            )
        time.sleep(POLL_S)
    if args.drawn is not None and view["picture_url"]:
        args.drawn.write_bytes(running.fetch(home, view["picture_url"]))
    if args.json:
        print(json.dumps(view))
        return 0 if result["verdict"] == "ok" else 1
    return _tell({**(result["measures"] or {}), **result}, as_json=False)


def _tell(found: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(found))
    else:
        for sentence in found["words"]:
            print(sentence)
        for one in found.get("items", ()):
            print(f"  {_MARKS[one['verdict']]} {one['name']:<10} {one['text']}")
    return 0 if found["verdict"] == "ok" else 1


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, e.g. 1920x1080")
    return int(match[1]), int(match[2])


def _width(text: str) -> float:
    try:
        width = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of millimetres") from error
    if not 10 < width <= 20_000:
        raise argparse.ArgumentTypeError("a monitor is more than 10 and at most 20000 mm wide")
    return width
