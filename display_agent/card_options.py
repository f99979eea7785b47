"""`display-agent card`: the test card by itself, for a photo that `rig align --photo` measures."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import secrets
import signal
import sys
from pathlib import Path

from display_agent.screens.options import add_screen, address, make_screen

EXAMPLES = """examples:
  display-agent card                              on the monitor, until Ctrl-C
  display-agent card --seconds 20 --monitor 1
  display-agent card --save card.png --size 1920x1080
  display-agent card --screen null --frames 127.0.0.1:8766 --optics typical
then: rig align --photo PHOTO.jpg --screen WIDTHxHEIGHT
"""


def add_card(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `card`."""
    card = commands.add_parser(
        "card",
        help="show the test card of the alignment shot by itself",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_screen(card)
    card.add_argument("--save", type=Path, metavar="FILE",
                      help="write it as a PNG of --size pixels instead of showing it")  # fmt: skip
    card.add_argument("--seconds", type=float, metavar="S", help="until then (default: Ctrl-C)")
    card.add_argument("--frames", type=address, metavar="HOST:PORT",
                      help="serve what is on the screen as GET /frame.jpg")  # fmt: skip
    card.add_argument("--optics", choices=["none", "easy", "typical", "hard"], default="none",
                      help="what lies between screen and frame (default none)")  # fmt: skip
    card.add_argument("--seed", type=int, default=0, help="of the optics")
    card.add_argument("--json", action="store_true", help="one JSON line when it is up")
    card.add_argument("--verbose", action="store_true", help="more on stderr")


async def run_card(args: argparse.Namespace) -> int:
    """Show or save the card; 0.

    Raises:
        UserError: there is no such screen, it would alter the pixels, or it is too small.
    """
    from display_agent.testcard import alignment_card

    if args.save is not None:
        await asyncio.to_thread(_save, args.save, args.size)
        return 0
    from display_agent.frames import FrameServer, Optics
    from display_agent.screens.checks import take

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    screen = make_screen(args)
    await take(screen)
    frames: FrameServer | None = None
    try:
        card = await asyncio.to_thread(alignment_card, screen.size)
        await screen.show(secrets.token_bytes(8), card)
        if args.frames is not None:
            host, port = args.frames
            optics = Optics(args.optics, args.seed)
            frames = FrameServer(screen.frame, host, port, optics=optics)
            await frames.start()
        width, height = screen.size
        told = {"event": "card", "width": width, "height": height,
                "frames": frames.url if frames else None}  # fmt: skip
        words = f"The card is up on {width}x{height}; Ctrl-C takes it down."
        sys.stdout.write(f"{json.dumps(told) if args.json else words}\n")
        sys.stdout.flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(args.seconds):
                await stop.wait()
    finally:
        if frames is not None:
            await frames.close()
        await screen.close()
    return 0


def _save(file: Path, size: tuple[int, int]) -> None:
    from display_agent.testcard import alignment_card
    from rig.durable import write_atomic
    from rig.errors import UserError

    out = io.BytesIO()
    alignment_card(size).frame.save(out, "PNG")
    try:
        write_atomic(file, out.getvalue())
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from error
