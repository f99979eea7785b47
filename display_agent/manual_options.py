"""`display-agent manual`: x-rays full screen, for photos taken by hand with any phone."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from display_agent.ddc_options import add_ddc, monitor_white
from display_agent.screens.options import add_screen, make_screen
from rig.errors import UserError

if TYPE_CHECKING:  # the command line is built before anything heavy is needed
    from display_agent.manual_run import ManualRun
    from display_agent.screens import Screen
    from rig.planning.plan import SubsetPlan

_TYPED = {"": "space", "n": "right", "p": "left", "q": "q"}
"""What a line typed in the terminal means."""
_TOLD = (
    "backend",
    "width",
    "height",
    "set",
    "position",
    "index",
    "place",
    "of",
    "shown",
    "text",
    "why",
    "count",
)
MakeScreen: TypeAlias = "Callable[[argparse.Namespace], Screen]"


def add_manual(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `manual`."""
    parser = commands.add_parser(
        "manual",
        help="show x-rays for photos taken by hand",
        description="Shows x-rays full screen in sets and writes down what was on the screen when "
        "(DIR/shown.jsonl). Keys: space or right next, left previous, q stop; in the terminal a "
        "line: empty or n, p, q. The same command with the same --out goes on where it stopped.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--plan", type=Path, metavar="PLAN.json", help="of `rig plan export`")
    source.add_argument("--folder", type=Path, metavar="DIR", help="all pictures in it and below")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="what was shown")
    parser.add_argument("--order", choices=["random", "plan"], default="random")
    parser.add_argument("--seed", type=int, default=0, help="of the order and the moved cursor")
    parser.add_argument("--count", type=_natural, metavar="N", help="only the first of the order")
    parser.add_argument("--set-size", type=_natural, default=150, metavar="N",
                        help="x-rays between two pauses (default 150)")  # fmt: skip
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=_seconds, metavar="SECONDS", help="go on by itself")
    pace.add_argument("--key", action="store_true", help="go on by a key only (default)")
    parser.add_argument("--pause", type=_seconds, metavar="SECONDS",
                        help="go on after a set by itself (default: by a key)")  # fmt: skip
    parser.add_argument("--marker", action=argparse.BooleanOptionalAction, default=True,
                        help="index marker in the margin (default on)")  # fmt: skip
    add_screen(parser)
    add_ddc(parser)
    parser.add_argument("--json", action="store_true", help="events as JSON lines on stdout")
    parser.add_argument("--verbose", action="store_true", help="more on stderr")


async def run_manual(args: argparse.Namespace, open_screen: MakeScreen = make_screen) -> int:
    """Show; 0 all were shown or somebody pressed q, 130 after a signal.

    Raises:
        UserError: no x-rays, no screen, another selection in the folder, or no way to go on.
    """
    from display_agent.images import LocalImages
    from display_agent.look import Look, look_of
    from display_agent.manual_book import Book
    from display_agent.manual_run import ManualRun, Pace
    from display_agent.manual_select import chosen
    from display_agent.manual_white import ManualWhite
    from display_agent.screens import KeyScreen
    from display_agent.screens.checks import as_json, take

    plan = await asyncio.to_thread(_source, args)
    items = chosen(plan.items, args.order, args.seed, args.count)
    settings = {"order": args.order, "seed": args.seed, "set_size": args.set_size}
    screen = open_screen(args)
    keys = (isinstance(screen, KeyScreen) and args.screen != "null") or sys.stdin.isatty()
    if not keys and (args.rate is None or args.pause is None):
        raise UserError(
            f"the screen {args.screen} has no keys and there is no terminal; "
            "give --rate and --pause"
        )
    book = Book(args.out, items, settings | {"marker": args.marker})
    images = LocalImages(plan)
    report = _reporter(as_json=args.json)

    def look(monitor_set: bool) -> Look:
        levels = plan.environment.levels
        return look_of(levels, seed=args.seed, marker=args.marker, monitor_set=monitor_set)

    white = ManualWhite(plan, look, monitor_white(args, args.out), report)
    try:
        findings = await take(screen)
        report({"event": "screen"} | as_json(screen, findings))
        await white.ready()
        run = ManualRun(
            items,
            images,
            screen,
            book,
            set_size=args.set_size,
            look=white.look,
            pace=Pace(args.rate, args.pause),
            report=report,
        )
        with _signals(run) as signalled, _terminal(run):
            completed = await run.run()
        return 0 if completed or not signalled else 130
    finally:
        await white.release()
        await images.close()
        await screen.close()
        book.close()


def _source(args: argparse.Namespace) -> SubsetPlan:
    from display_agent.manual_select import plan_of_folder
    from display_agent.plans import read_plan

    return read_plan(args.plan) if args.plan is not None else plan_of_folder(args.folder)


@contextmanager
def _signals(run: ManualRun) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM stop as q does; the list says which came."""
    loop, came = asyncio.get_running_loop(), list[int]()

    def stop(number: int) -> None:
        came.append(number)
        run.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        yield came
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _terminal(run: ManualRun) -> Iterator[None]:
    """Lines typed in the terminal are keys too; without a terminal nothing is read."""
    if not sys.stdin.isatty():
        yield
        return
    loop, handle = asyncio.get_running_loop(), sys.stdin.fileno()

    def typed() -> None:
        # A terminal gives a line at a time; reading it this way leaves nothing in a buffer.
        data = os.read(handle, 4096)
        if not data:
            loop.remove_reader(handle)
        for line in data.decode("utf-8", "replace").splitlines():
            if (key := _TYPED.get(line.strip().lower())) is not None:
                run.press(key)

    loop.add_reader(handle, typed)
    try:
        yield
    finally:
        loop.remove_reader(handle)


def _reporter(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    def report(event: dict[str, Any]) -> None:
        words = (f"{name}={event[name]}" for name in _TOLD if event.get(name) is not None)
        text = json.dumps(event) if as_json else " ".join([event["event"], *words])
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    return report


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to a day")
    return seconds
