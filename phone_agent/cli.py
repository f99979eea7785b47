"""The `phone-agent` command. Standard library only: it runs as a zipapp under `python -I -S`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from phone_agent.agent import AgentConfig, PhoneAgent
from phone_agent.cameras.open import KINDS, open_camera
from phone_agent.status import Status
from phone_agent.store import StoreBusy
from phone_agent.uploads import Uploads
from rig import __version__
from rig.protocol.journal import JournalCorrupt
from rig.protocol.keys import BadPairing, Pairing, parse_pairing

EXAMPLES = """examples:
  phone-agent --pair @pair.txt --dir photos --camera loopback:http://127.0.0.1:8765 --upload
  phone-agent --pair 'xcap://pair?v=1&k=...' --dir ~/rig --camera loopback:http://127.0.0.1:8765
"""


class UsageError(Exception):
    """Bad usage or input; one sentence."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="phone-agent",
        description="Lies in Termux: takes a photo of exactly the x-ray that the display shows.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"capture-rig {__version__}")
    parser.add_argument(
        "--pair", required=True, metavar="URL|@FILE", help="the pairing that the display shows"
    )
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
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 stopped, 1 could not go on, 2 bad usage or input."""
    args = build_parser().parse_args(argv)
    status = Status(sys.stdout, json_lines=args.json)
    try:
        return asyncio.run(_serve(args, status))
    except (UsageError, BadPairing, StoreBusy, JournalCorrupt) as error:
        print(f"phone-agent: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"phone-agent: {args.dir}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


async def _serve(args: argparse.Namespace, status: Status) -> int:
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
