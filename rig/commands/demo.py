"""`rig demo`: the whole job on bundled real x-rays, with a camera that photographs the screen."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.errors import UserError

if TYPE_CHECKING:
    from rig.commands.demo_run import Told

EPILOG = """examples:
  rig demo                                  watch it on the dashboard; Ctrl-C ends it
  rig demo --headless --json                no browser, ends by itself, one JSON object
  rig demo --xrays 48 --subsets 3 --optics typical --out /tmp/demo

Controller, display agent and phone agent are separate processes on this machine; the photos are
taken from what the display agent shows. DIR holds the dataset, the controller's home and the logs.
"""
MARKER = ".rig-demo"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig demo`."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), metavar="DIR", help="default: demo-out"
    )
    parser.add_argument("--xrays", type=int, default=24, metavar="N", help="how many (default 24)")
    parser.add_argument(
        "--subsets", type=int, default=2, metavar="K", help="in how many environments (default 2)"
    )
    parser.add_argument(
        "--headless", action="store_true", help="open no browser and end when the dataset is there"
    )
    parser.add_argument(
        "--optics",
        choices=["none", "easy", "typical", "hard"],
        default="none",
        help="what lies between screen and photo (default none)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of environments, optics, synthesis")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every x-ray became a verified photo."""
    from rig.commands.demo_run import Demo
    from rig.commands.processes import Programs

    _check(args)
    out = _fresh(args.out.expanduser().resolve())
    tell = _teller(quiet=args.json)
    with Programs(out / "logs") as programs:
        demo = Demo(programs, out, optics=args.optics, seed=args.seed, tell=tell)
        link = demo.start(args.xrays, args.subsets)
        if not args.headless:
            _open(link, tell)
        result = demo.capture_and_build()
        if args.json:
            print(json.dumps(result), flush=True)
        else:
            print(_summary(result), flush=True)
        if not args.headless:
            _stay(demo.url, tell)
    return 0 if _well(result, args.xrays) else 1


def _check(args: argparse.Namespace) -> None:
    from rig.sample import csv_path

    with csv_path().open(encoding="utf-8") as rows:
        most = sum(1 for _ in rows) - 1
    if not 1 <= args.xrays <= most:
        raise UserError(f"--xrays must be from 1 to {most}, the x-rays that come with the program.")
    if not 1 <= args.subsets <= args.xrays:
        raise UserError(f"--subsets must be from 1 to {args.xrays}, the number of x-rays.")


def _fresh(out: Path) -> Path:
    """An empty folder; the leavings of an earlier demo are removed, nothing else ever is."""
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).exists():
            raise UserError(f"{out} is not empty and not of a demo; choose another --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("The next `rig demo` with this --out empties this folder.\n")
    return out


def _teller(*, quiet: bool) -> Told:
    began = time.monotonic()

    def tell(text: str) -> None:
        if not quiet or sys.stderr.isatty():
            print(f"[{time.monotonic() - began:5.1f} s] {text}", file=sys.stderr, flush=True)

    return tell


def _open(link: str, tell: Told) -> None:
    import webbrowser

    tell(f"the dashboard, signed in: {link}")
    if not webbrowser.open(link):
        tell("no browser could be opened; use the link above")


def _stay(url: str, tell: Told) -> None:
    tell(f"the dashboard stays at {url}; Ctrl-C ends it")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


def _well(result: dict[str, Any], xrays: int) -> bool:
    return bool(result["verified"] == xrays and not result["skipped"] and not result["duplicated"])


def _summary(result: dict[str, Any]) -> str:
    twins = ", ".join(f"{count} {kind}" for kind, count in result["synthetic"].items())
    total = sum(result["seconds"].values())
    return (
        f"{result['captured']} x-rays photographed, {result['verified']} photos verified, "
        f"{len(result['rejected'])} rejected, {result['skipped']} skipped, "
        f"{result['duplicated']} doubled; synthetic: {twins}. {total:.1f} s.\n"
        f"The dataset is in {result['dataset']}\n"
        f"Look at it: rig dataset stats {result['dataset']}"
    )
