"""The `display-agent` command: run one plan alone, or serve a controller as a station."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from display_agent.audit import add_audit, run_audit
from display_agent.card_options import add_card, run_card
from display_agent.ddc_options import add_ddc, add_monitor, monitor_white, run_monitor
from display_agent.legacy_options import add_legacy, add_legacy_phone, station_options
from display_agent.manual_options import add_manual, run_manual
from display_agent.screens.options import add_check, add_screen, address, make_screen, run_check
from rig import __version__
from rig.errors import UserError
from rig.plain import plain_event
from rig.protocol.codes import DEFAULT_PORT

EXAMPLES = """examples:
  display-agent check --screen pygame --monitor 1
  display-agent card --monitor 1
  display-agent run plan.json --pairing pair.txt --monitor 1
  display-agent run plan.json --pairing pair.txt --screen null --frames 127.0.0.1:8765 --json
  display-agent connect http://127.0.0.1:8000 --token TOKEN --screen null --pairing pair.txt
  display-agent run plan.json --legacy-phone 192.168.1.23 --journal run1
  display-agent connect http://127.0.0.1:8000 --token @token --legacy-phone 192.168.1.23
  display-agent audit --journal run1 --photos photos
  display-agent audit-legacy --journal run1 --export CheXpeditor
"""


_TOLD = ("index", "attempt", "text", "why", "name", "count", "abort_id", "udp", "frames")
"""What a person reads of an event."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="display-agent",
        description="Stands at the monitor: shows x-rays and drives the phone.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"capture-rig {__version__}")
    sub = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = sub.add_parser("run", help="run one plan without a controller")
    run.add_argument("plan", type=Path, metavar="PLAN.json")
    run.add_argument("--pairing", type=Path, metavar="FILE",
                     help="write the pairing URL here (mode 0600)")  # fmt: skip
    run.add_argument("--new-pairing", action="store_true",
                     help="make a new key first: the phone before is let in no more")  # fmt: skip
    run.add_argument("--journal", type=Path, metavar="DIR",
                     help="state; the same folder resumes (default: beside the plan)")  # fmt: skip
    run.add_argument("--settle-ms", type=int, metavar="N", help="wait between paint and photo")
    run.add_argument("--rearm", metavar="ABORT_ID", help="clear the abort with this id and go on")
    add_legacy(run, sub)
    add_audit(sub)
    add_manual(sub)
    add_monitor(sub)
    add_check(sub)
    add_card(sub)
    _common(run)
    connect = sub.add_parser("connect", help="serve a controller as a station")
    connect.add_argument("url", metavar="URL", help="the controller, e.g. http://127.0.0.1:8000")
    connect.add_argument(
        "--token", required=True, metavar="T|@FILE", help="the station's token (rig station add)"
    )
    connect.add_argument(
        "--pairing", type=Path, metavar="FILE", help="write the phone's pairing URL here, mode 0600"
    )
    connect.add_argument(
        "--state", type=Path, metavar="DIR", help="key, sessions and cache (default: user data)"
    )
    add_legacy_phone(connect)
    _common(connect)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=address,
        default=("127.0.0.1", DEFAULT_PORT),
        metavar="HOST:PORT",
        help=f"UDP address for the phone (default 127.0.0.1:{DEFAULT_PORT})",
    )
    add_screen(parser)
    add_ddc(parser)
    parser.add_argument("--marker", action="store_true",
                        help="index marker in the margin; a model may learn it, so keep it out of "
                        "datasets")  # fmt: skip
    parser.add_argument("--frames", type=address, metavar="HOST:PORT",
                        help="serve what is on the screen as GET /frame.jpg")  # fmt: skip
    parser.add_argument(
        "--frames-token", metavar="T|@FILE", help="asked of everyone who wants a frame"
    )
    parser.add_argument("--optics", choices=["none", "easy", "typical", "hard"], default="none",
                        help="what lies between screen and frame (default none)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the optics")
    parser.add_argument("--json", action="store_true", help="events as JSON lines on stdout")
    parser.add_argument("--verbose", action="store_true", help="more on stderr")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 completed or stopped, 1 paused, 2 bad input, 3 aborted."""
    args = build_parser().parse_args(argv)
    _log_to_stderr(verbose=args.verbose)
    work = {
        "run": _run,
        "connect": _connect,
        "audit": run_audit,
        "audit-legacy": _audit_legacy,
        "manual": run_manual,
        "monitor": run_monitor,
        "check": run_check,
        "card": run_card,
    }[args.command]
    try:
        return asyncio.run(work(args))
    except UserError as error:
        print(f"display-agent {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _log_to_stderr(*, verbose: bool) -> None:
    import structlog

    structlog.configure(
        processors=[
            plain_event,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _reporter(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    def report(event: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(event), flush=True)
        else:
            told = (f"{k}={event[k]}" for k in _TOLD if event.get(k) is not None)
            print(event["event"], *told, flush=True)

    return report


def _station(args: argparse.Namespace, folder: Path, images: Any) -> Any:
    from display_agent.frames import Optics
    from display_agent.station import Station, StationConfig

    config = StationConfig(
        folder=folder,
        listen=args.listen,
        frames=args.frames,
        frames_token=args.frames_token and _token(args.frames_token),
        optics=Optics(preset=args.optics, seed=args.seed),
        marker=args.marker,
        legacy=args.legacy_phone,
        monitor=monitor_white(args, folder),
    )
    return Station(config, make_screen(args), images)


def _token(text: str) -> str:
    """The token itself, or what a file holds: other users see the command line."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"the token file {text[1:]} cannot be read: {error.strerror}") from error


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    return stop


async def _run(args: argparse.Namespace) -> int:
    from display_agent.alone import run_plan
    from display_agent.legacy import run_legacy, xcap_folder

    if args.legacy_phone is not None:
        return await run_legacy(args, _station, _reporter(as_json=args.json), _stop_event())
    xcap_folder(args)
    return await run_plan(args, _station, _reporter(as_json=args.json), _stop_event())


async def _audit_legacy(args: argparse.Namespace) -> int:
    from display_agent.legacy_audit import run_audit

    return run_audit(args, _reporter(as_json=args.json))


async def _connect(args: argparse.Namespace) -> int:
    from display_agent.connected import ConnectedStation, serve
    from display_agent.images import ControllerImages
    from rig.settings import default_home

    station_options(args)
    token = _token(args.token)
    folder = (args.state or default_home() / "display").expanduser().resolve()
    images = ControllerImages(args.url, token, folder / "cache")
    station = _station(args, folder, images)
    report = _reporter(as_json=args.json)
    stop = _stop_event()
    try:
        await station.open()
        report({
            "event": "listening", "udp": list(station.udp), "frames": station.frames_url,
            "screen": station.screen_report,
        })  # fmt: skip
        connected = ConnectedStation(
            station, folder, args.url, token, pairing_file=args.pairing, reported=report
        )
        await serve(connected, stop)
    finally:
        await station.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
