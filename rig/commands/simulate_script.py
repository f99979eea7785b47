"""`rig simulate --script`: a simulation whose misfortunes are said one by one."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rig.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rig.simulation.night import Outcome
    from rig.simulation.script import Step

EXAMPLE = """\
  rig simulate --captures 3 --seed 5 --script "good 1.2; crash phone 0.4 torn; deliver 8; abort"
"""
_MOST = 500


def register(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--script", metavar="STEPS",
        help="play these steps (or those in the file @NAME) in one subset, instead of chances; "
        "then the world is good again and brings it to its end",
    )  # fmt: skip


def epilog() -> str:
    """The steps, for the help."""
    from rig.simulation.script import help_text

    head = "steps of --script, between semicolons or line ends, # begins a comment:"
    return f"\n{head}\n{help_text()}\n"


def read(args: argparse.Namespace, others: Sequence[str]) -> tuple[Step, ...]:
    """The steps that are asked for.

    Args:
        args: of the command line.
        others: options that were given and say what chance shall do.

    Raises:
        UserError: no such file, not a script, or options that it does not go with.
    """
    from rig.simulation.script import parse

    if others:
        raise UserError(
            f"--script says itself what happens; leave {', '.join(others)} out, or --script."
        )
    if args.captures > _MOST:
        raise UserError(f"--script plays one subset; give --captures {_MOST} or fewer.")
    text: str = args.script
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"The script {text[1:]} cannot be read: {error}.") from None
    return parse(text)


def simulate(captures: int, seed: int, steps: Sequence[Step]) -> Outcome:
    """Play the steps, then the good end."""
    from rig.simulation.by_hand import ByHand

    rig = ByHand(captures, seed)
    for step in steps:
        rig.play(step)
    return rig.finish()


def replay(captures: int, seed: int, steps: Sequence[Step]) -> str:
    """The command that plays this very run again."""
    from rig.simulation.script import write

    words = ["rig", "simulate", "--captures", str(captures), "--seed", str(seed)]
    return shlex.join([*words, "--script", write(steps)])
