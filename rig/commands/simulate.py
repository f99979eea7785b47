"""`rig simulate`: what a bad network, camera or disk would do to a night of capturing."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from typing import TYPE_CHECKING

from rig.commands import simulate_campaign, simulate_script
from rig.commands.progress import progress
from rig.errors import UserError

if TYPE_CHECKING:
    from rig.simulation.faults import Faults
    from rig.simulation.night import Night, Outcome

_EPILOG = """\
examples:
  rig simulate --captures 10507 --seed 1 --loss 0.2
  rig simulate --captures 2000 --seed 7 --loss 0.05 --delay-ms 40 --reorder 0.1 --roam 6
  rig simulate --captures 500 --seed 3 --loss 0.3 --crashes 40 --camera-faults 0.05 \\
               --disk-faults 5 --json
{campaign}{script}
The real protocol cores of both agents run in virtual time: a night takes seconds. Probabilities are
between 0 and 1. The same options and seed always give the same run, byte for byte (compare
run_sha256); only wall_seconds differs. A person is simulated too: comes 30 to 180 s after a pause,
makes room, restarts what has stopped, resumes.
Exit status 1: something is not well; the command that replays it is printed.
"""
_SLOW, _HANG = 0.2, 0.05
"""Shares of --camera-faults: slow photos, and a camera that must be restarted by hand."""
_DEFAULTS = {
    "loss": 0.0, "duplicate": 0.0, "reorder": 0.0, "corrupt": 0.0, "delay_ms": 2.0, "roam": 0,
    "crashes": 0, "camera_faults": 0.0, "stale_frames": 0.0, "screen_faults": 0.0,
    "disk_faults": 0, "camera_seconds": 0.8, "subset_size": 500,
}  # fmt: skip
_PROBABILITIES = (
    ("loss", "of a datagram to be lost"),
    ("duplicate", "of a datagram to arrive twice"),
    ("reorder", "of a datagram to come up to 0.5 s late"),
    ("corrupt", "of a datagram to be damaged: bits flipped or cut short"),
    ("camera_faults", "of an exposure to fail, be empty or broken, hang, be slow or fire late"),
    ("stale_frames", "of a camera to return its last frame"),
    ("screen_faults", "of a disturbance of the screen during an exposure"),
)
_NUMBERS = (
    ("roam", "times that the phone gets another address"),
    ("crashes", "crashes of either agent, at any step"),
    ("disk_faults", "times that a disk is full: photos or journal of either side"),
)


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rig simulate`."""
    examples = _EPILOG.format(campaign=simulate_campaign.EXAMPLE, script=simulate_script.EXAMPLE)
    parser.epilog = examples + simulate_campaign.EPILOG + simulate_script.epilog()
    parser.add_argument("--captures", type=int, required=True, metavar="N", help="how many x-rays")
    parser.add_argument("--seed", type=int, required=True, metavar="S", help="any whole number")
    for name, text in _PROBABILITIES:
        parser.add_argument(
            _option(name), type=float, default=_DEFAULTS[name], metavar="P",
            help=f"probability {text} (default 0)",
        )  # fmt: skip
    for name, text in _NUMBERS:
        parser.add_argument(
            _option(name), type=int, default=_DEFAULTS[name], metavar="N",
            help=f"{text} (default 0)",
        )  # fmt: skip
    parser.add_argument(
        "--delay-ms", type=float, default=_DEFAULTS["delay_ms"], metavar="M",
        help="mean time of a datagram on the way, give or take half (default 2)",
    )  # fmt: skip
    parser.add_argument(
        "--camera-seconds", type=float, default=_DEFAULTS["camera_seconds"], metavar="S",
        help="median time of an exposure (default 0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--subset-size", type=int, default=_DEFAULTS["subset_size"], metavar="N",
        help="x-rays that share a subset (default 500)",
    )  # fmt: skip
    simulate_script.register(parser)
    simulate_campaign.register(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate; 1 when something is not well."""
    _check(args)
    if args.script is None:
        simulate_campaign.check(args)
    if args.campaign and args.script is None:
        return simulate_campaign.run(args, _faults(args), replay(args))
    started = time.monotonic()
    outcome, again = _play(args)
    wall = time.monotonic() - started
    if args.json:
        report = {**outcome.as_json(), "replay": again, "wall_seconds": round(wall, 3)}
        print(json.dumps(report))
    else:
        print(describe(outcome, wall))
    if not outcome.problems:
        return 0
    for problem in outcome.problems:
        print(f"not well: {problem}", file=sys.stderr)
    print(f"seed {args.seed}; this replays it:\n  {again}", file=sys.stderr)
    return 1


def _play(args: argparse.Namespace) -> tuple[Outcome, str]:
    """The run, and the command that gives it again."""
    from rig.simulation.night import simulate

    if args.script is not None:
        others = ["--campaign"] if args.campaign else []
        steps = simulate_script.read(args, [*others, *_chances(args)])
        outcome = simulate_script.simulate(args.captures, args.seed, steps)
        return outcome, simulate_script.replay(args.captures, args.seed, steps)
    with progress("captures in virtual time", quiet=args.json) as advance:
        return simulate(_night(args), advance), replay(args)


def replay(args: argparse.Namespace) -> str:
    """The command that gives this very run again."""
    words = ["rig", "simulate", "--captures", str(args.captures), "--seed", str(args.seed)]
    for option, value in _chances(args).items():
        words += [option, value]
    return shlex.join(words)


def _chances(args: argparse.Namespace) -> dict[str, str]:
    """Options that are not as by default."""
    given = {name: getattr(args, name) for name in _DEFAULTS}
    return {_option(n): str(value) for n, value in given.items() if value != _DEFAULTS[n]}


def describe(outcome: Outcome, wall: float) -> str:
    """The night in a few lines for people."""
    night, rig, books = outcome.night, outcome.rig, outcome.books
    traffic, retakes = rig.network.traffic, rig.watch.exposures - books.committed
    verdict = "all is well" if not outcome.problems else "NOT WELL, see below"
    waited, subsets = _duration(rig.operator.waited), len(outcome.journals)
    fate = (
        f"{traffic.lost} lost, {traffic.duplicated} doubled, {traffic.reordered} late, "
        f"{traffic.corrupted} damaged, {traffic.misdirected} to an old address"
    )
    photos = (
        f"{books.committed} committed, {books.skipped} skipped, "
        f"{books.duplicated} duplicated, {books.mislabelled} mislabelled"
    )
    troubles = (
        f"{rig.audit.crashes} crash(es), {rig.counts['roams']} change(s) of address, "
        f"{rig.counts['disk_faults']} full disk(s), {len(rig.aborts)} abort(s)"
    )
    lines = [
        f"{night.captures} captures in {subsets} subset(s), seed {night.seed}: {verdict}",
        f"  night      {_duration(rig.now)}, {rig.now / night.captures:.2f} s a capture",
        f"  photos     {photos}",
        f"  retakes    {retakes}; {len(rig.quarantine)} file(s) put aside",
        f"  datagrams  {traffic.sent}, {traffic.sent / night.captures:.2f} a capture; {fate}",
        f"  pauses     {rig.counts['pauses']}; {waited} waiting for a person",
        f"  troubles   {troubles}",
        f"  simulated  in {wall:.1f} s",
    ]
    if books.stale_frames:
        lines.append(
            f"  NOTE       {books.stale_frames} photo(s) mislabelled by the camera: it returned "
            "its last frame, which no protocol can see.\n"
            "             The optical check finds them: `rig verify`, or the intake of a batch."
        )
    return "\n".join(lines)


def _night(args: argparse.Namespace) -> Night:
    from rig.simulation.night import Night

    return Night(
        captures=args.captures,
        seed=args.seed,
        faults=_faults(args),
        crashes=args.crashes,
        roams=args.roam,
        disk_faults=args.disk_faults,
        subset_size=args.subset_size,
    )


def _faults(args: argparse.Namespace) -> Faults:
    from rig.simulation.faults import Faults

    return Faults(
        loss=args.loss,
        duplicate=args.duplicate,
        reorder=args.reorder,
        corrupt=args.corrupt,
        delay=args.delay_ms / 1000,
        camera=args.camera_faults * (1 - _SLOW - _HANG),
        slow=args.camera_faults * _SLOW,
        hang=args.camera_faults * _HANG,
        stale=args.stale_frames,
        disturb=args.screen_faults,
        camera_seconds=args.camera_seconds,
    )


def _check(args: argparse.Namespace) -> None:
    for name, _ in _PROBABILITIES:
        if not 0 <= getattr(args, name) <= 1:
            raise UserError(f"{_option(name)} is a probability; give 0 to 1.")
    for name, _ in _NUMBERS:
        if getattr(args, name) < 0:
            raise UserError(f"{_option(name)} is a count; give 0 or more.")
    for name in ("captures", "subset_size"):
        if getattr(args, name) < 1:
            raise UserError(f"{_option(name)} must be 1 or more.")
    if not 0 <= args.delay_ms <= 60_000:
        raise UserError("--delay-ms is out of range; give 0 to 60000.")
    if not 0.01 <= args.camera_seconds <= 600:
        raise UserError("--camera-seconds is out of range; give 0.01 to 600.")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min {rest:02} s" if hours else f"{minutes} min {rest:02} s"
