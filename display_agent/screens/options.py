"""The command line's words about the screen, and `display-agent check`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line is built before anything heavy is needed
    from display_agent.screens import Screen

KINDS = ("pygame", "browser", "tk", "null")
"""As `display_agent.screens.open` knows them; the first is the default."""


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT; for argparse."""
    width, x, height = text.partition("x")
    if not x or not width.isdecimal() or not height.isdecimal() or 0 in (int(width), int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT")
    return int(width), int(height)


def address(text: str) -> tuple[str, int]:
    """HOST:PORT; for argparse."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def add_screen(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the screen."""
    parser.add_argument(
        "--screen", choices=KINDS, default=KINDS[0], help="what shows the x-rays (default pygame)"
    )
    parser.add_argument("--monitor", type=_number, default=0, metavar="N",
                        help="which monitor, from 0 (see check --list-monitors)")  # fmt: skip
    parser.add_argument("--windowed", type=size, metavar="WxH",
                        help="a window instead of the whole monitor, for trying out")  # fmt: skip
    parser.add_argument("--size", type=size, default=(1920, 1080), metavar="WxH",
                        help="pixels of the null screen (default 1920x1080)")  # fmt: skip
    browser = parser.add_argument_group("--screen browser")
    browser.add_argument(
        "--browser-listen", type=address, default=("127.0.0.1", 0), metavar="HOST:PORT",
        help="address of the kiosk page; 0.0.0.0 for a second computer (default 127.0.0.1:0)",
    )  # fmt: skip
    browser.add_argument(
        "--browser-url", type=Path, metavar="FILE", help="write the page's address here, mode 0600"
    )
    browser.add_argument(
        "--open", action="store_true", help="start the Chromium that is installed here as a kiosk"
    )
    browser.add_argument(
        "--browser-command", metavar="COMMAND", help="start this instead, e.g. 'google-chrome'"
    )


def make_screen(args: argparse.Namespace) -> Screen:
    """The screen that *args* choose, not opened yet; raises UserError."""
    from display_agent.screens.open import ScreenOptions, open_screen

    command = args.browser_command or ("" if args.open else None)
    options = ScreenOptions(
        args.size, args.monitor, args.windowed, args.browser_listen, command, args.browser_url
    )
    return open_screen(args.screen, options)


def add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `check`."""
    check = commands.add_parser("check", help="open the screen, look at it, and say what is wrong")
    add_screen(check)
    check.add_argument("--list-monitors", action="store_true", help="only say which there are")
    check.add_argument("--json", action="store_true", help="one JSON object on stdout")
    check.add_argument("--verbose", action="store_true", help="more on stderr")


async def run_check(args: argparse.Namespace) -> int:
    """Print the findings; 0 all is well, 1 something is not.

    Raises:
        UserError: there is no such screen or monitor.
    """
    if args.list_monitors:
        return await _list(args)
    from display_agent.screens.checks import as_json

    screen = make_screen(args)
    try:
        await screen.open()
        findings = await screen.self_check()
        told = as_json(screen, findings)
    finally:
        await screen.close()
    if args.json:
        _say(json.dumps(told))
    else:
        _say(f"{told['backend']} {told['width']}x{told['height']}")
        for finding in findings:
            _say(f"{'ok  ' if finding.ok else 'WARN'} {finding.name}: {finding.text}")
    return 0 if all(finding.ok for finding in findings) else 1


async def _list(args: argparse.Namespace) -> int:
    from display_agent.screens.process import list_monitors

    kind = args.screen if args.screen in {"pygame", "tk"} else "tk"
    found = await asyncio.to_thread(list_monitors, kind)
    _say(json.dumps({"monitors": found}) if args.json else "\n".join(found))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return int(text)
