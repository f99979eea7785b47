"""`display-agent monitor`: what the monitor is set to, and setting it; and the option `--ddc`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from display_agent import ddc
from display_agent.ddc import Feature, Monitor
from display_agent.monitor_white import MonitorWhite
from rig.errors import UserError

_NUMBERS = {
    "luminance": Feature.LUMINANCE, "contrast": Feature.CONTRAST, "red": Feature.RED,
    "green": Feature.GREEN, "blue": Feature.BLUE,
}  # fmt: skip

MEMORY = "monitor.json"
"""In the state folder: what the monitor was set to before."""
_ONLY = 0
"""`--ddc` without a number."""


def add_monitor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `monitor`."""
    parser = commands.add_parser(
        "monitor",
        help="read or set the monitor itself over DDC/CI",
        description="Without a setting: list the monitors and what they say. With one: set it, "
        "read it back, and tell whether the monitor confirmed it.",
    )
    parser.add_argument("--number", type=_count, metavar="I",
                        help="which monitor, from 1 (default: the first)")  # fmt: skip
    for name in _NUMBERS:
        parser.add_argument(f"--{name}", type=_amount, metavar="N",
                            help="as the monitor counts, usually 0..100")  # fmt: skip
    parser.add_argument("--colour-temperature", type=_kelvin, metavar="K",
                        help="kelvin, e.g. 5000 or 5000K")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="JSON lines on stdout")
    parser.add_argument("--verbose", action="store_true", help="more on stderr")


def add_ddc(parser: argparse.ArgumentParser) -> None:
    """Add `--ddc [N]` to a command that shows x-rays."""
    parser.add_argument(
        "--ddc",
        type=_count,
        nargs="?",
        const=_ONLY,
        metavar="N",
        help="set the monitor's own colour temperature over DDC/CI as the plan says, and give it "
        "back at the end; monitor N as `display-agent monitor` counts. Without it, or where the "
        "monitor does not confirm, pixels are tinted",
    )


def monitor_white(
    args: argparse.Namespace,
    folder: Path,
    find: Callable[[], Sequence[Monitor]] = ddc.find_monitors,
) -> MonitorWhite | None:
    """The monitor that `--ddc` names; *folder* keeps what it was set to before."""
    if args.ddc is None:
        return None
    number = None if args.ddc == _ONLY else args.ddc
    return MonitorWhite(number, folder / MEMORY, find=find)


async def run_monitor(
    args: argparse.Namespace, find: Callable[[], Sequence[Monitor]] = ddc.find_monitors
) -> int:
    """Read or set; 0 all confirmed, 1 something is not.

    Raises:
        UserError: no monitor can be reached, or none of that number.
    """
    found = find()
    if args.number is not None and args.number > len(found):
        raise UserError(f"there are {len(found)} monitors, none has number {args.number}")
    wanted = {
        feature: getattr(args, name)
        for name, feature in _NUMBERS.items()
        if getattr(args, name) is not None
    }
    if not wanted and args.colour_temperature is None:
        return await _list(found, args)
    number = args.number or 1
    results = await ddc.apply(found[number - 1], wanted, kelvin=args.colour_temperature)
    for result in results:
        _say(args, {"monitor": number} | result.as_json())
    return 0 if all(result.confirmed for result in results) else 1


async def _list(found: Sequence[Monitor], args: argparse.Namespace) -> int:
    silent = False
    for number, monitor in enumerate(found, 1):
        if args.number in (None, number):  # without a number all are listed
            answers = await ddc.read(monitor)
            silent |= not answers
            features = {f.told: {"value": v, "maximum": top} for f, (v, top) in answers.items()}
            _say(args, {"monitor": number, "answers": bool(answers), "features": features})
    return 1 if silent else 0


def _say(args: argparse.Namespace, told: dict[str, Any]) -> None:
    if args.json:
        sys.stdout.write(json.dumps(told) + "\n")
        return
    features = told.get("features", {})
    words = [f"{k}={v}" for k, v in told.items() if v is not None and k != "features"]
    words += [f"{name}={f['value']}/{f['maximum']}" for name, f in features.items()]
    sys.stdout.write(" ".join(words) + "\n")


def _amount(text: str) -> int:
    if not text.isdecimal() or int(text) > 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _kelvin(text: str) -> int:
    digits = text.strip().lower().removesuffix("k").strip()
    if not digits.isdecimal() or not 1667 <= int(digits) <= 25000:
        raise argparse.ArgumentTypeError(f"{text!r} is no temperature from 1667 to 25000 K")
    return int(digits)
