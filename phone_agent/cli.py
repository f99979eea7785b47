"""The `phone-agent` command. Standard library only: it runs as a zipapp under `python -I -S`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from phone_agent import audit
from phone_agent.agent import AgentConfig, PhoneAgent
from phone_agent.cameras.open import KINDS, open_camera
from phone_agent.legacy import HELP, LegacyAgent, add_legacy, legacy_agent, legacy_problem
from phone_agent.status import Status
from phone_agent.store import StoreBusy
from phone_agent.uploads import Uploads
from rig import __version__
from rig.protocol.actions import WrongCommand
from rig.protocol.journal import JournalCorrupt
from rig.protocol.keys import BadPairing, Pairing, parse_pairing

EXAMPLES = """examples:
  phone-agent --pair @pair.txt --dir photos --camera loopback:http://127.0.0.1:8765 --upload
  phone-agent --pair 'xcap://pair?v=1&k=...' --dir ~/rig --camera loopback:http://127.0.0.1:8765
  phone-agent --legacy-listen 4445 --legacy-first 0 --legacy-from 192.168.1.5 --dir d --camera ...
  phone-agent audit --dir photos
"""


class UsageError(Exception):
    """Bad usage or input; one sentence."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="phone-agent",
        description="Lies in Termux: takes a photo of exactly the x-ray that the display shows.",
        epilog=EXAMPLES + "\n" + HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"capture-rig {__version__}")
    parser.add_argument("--pair", metavar="URL|@FILE", help="the pairing that the display shows")
    parser.add_argument(
        "--dir", type=Path, required=True, help="photos, journal and lock; one agent per folder"
    )
    parser.add_argument("--camera", required=True, help=f"which camera: {KINDS}")
    parser.add_argument(
        "--upload",
        nargs="?",
        const="during",
        choices=["during", "batch"],
        help="send photos to the controller: while shooting (default), or when a subset is done",
    )
    parser.add_argument("--once", action="store_true", help="leave after one finished subset")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of text")
    add_legacy(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 stopped, 1 could not go on, 2 bad usage or input."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["audit"]:
        return audit.main(words[1:])
    args = build_parser().parse_args(words)
    status = Status(sys.stdout, json_lines=args.json)
    try:
        return asyncio.run(_serve(args, status))
    except (UsageError, BadPairing, StoreBusy, JournalCorrupt, WrongCommand) as error:
        print(f"phone-agent: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"phone-agent: {args.dir}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _serve(args: argparse.Namespace, status: Status) -> int:
    if (problem := legacy_problem(args)) is not None:
        raise UsageError(problem)
    if args.legacy_listen is not None:
        return await _serve_legacy(args, status)
    pairing = _pairing(args.pair)
    try:
        camera = open_camera(args.camera)
    except ValueError as error:
        raise UsageError(str(error)) from error
    args.dir.mkdir(parents=True, exist_ok=True)
    uploads = None
    if args.upload:
        if not pairing.upload_url:
            raise UsageError(
                "this pairing names no controller to upload to; leave --upload away, or pair "
                "with a display agent that serves a controller"
            )
        uploads = Uploads(pairing.upload_url, pairing.upload_token, args.dir, args.upload, status)
    agent = PhoneAgent(AgentConfig(pairing, args.dir, args.once), camera, status, uploads)
    return await _until_stopped(agent)


async def _serve_legacy(args: argparse.Namespace, status: Status) -> int:
    try:
        agent = legacy_agent(args, open_camera(args.camera), status)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return await _until_stopped(agent)


async def _until_stopped(agent: PhoneAgent | LegacyAgent) -> int:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, agent.stop)
    return await agent.run()


def _pairing(text: str) -> Pairing:
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


if __name__ == "__main__":
    sys.exit(main())
