"""`rig simulate --campaign`: a whole campaign, from its plan until everything is complete."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from rig.commands.progress import progress
from rig.errors import UserError

if TYPE_CHECKING:
    from rig.simulation.campaign import CampaignOutcome
    from rig.simulation.faults import Faults

EXAMPLE = """\
  rig simulate --campaign --captures 10507 --environments 30 --stations 2 --seed 1 \\
               --loss 0.05 --camera-faults 0.02 --screen-faults 0.01 --crashes 30 \\
               --controller-restarts 12 --aborts 4 --pauses 6 --pauses-now 6 --stops 6 \\
               --reshoots 6 --device-faults 12 --light-faults 6 --lost-stations 2
"""
EPILOG = """
With --campaign the real planning, store and session engine take part, and one person who looks
after all stations: changes rooms as long as the plan says, starts, resumes, re-arms. The controller
is killed between, within and right after transactions and finds everything again; events of the
stations wait meanwhile. Devices of the rooms answer late, garbled, not at all or with an alarm, the
light leaves its band, stations are lost; sessions end early and are taken up again, photos are shot
once more. In the end every index must be committed once over all sessions but those that shoot
again, of which the newest counts; every event be in the log once, and the tables be what the log
makes of them.
"""
_DEFAULTS = {
    "environments": 30, "stations": 2, "controller_restarts": 0, "aborts": 0, "pauses": 0,
    "pauses_now": 0, "stops": 0, "reshoots": 0, "device_faults": 0, "light_faults": 0,
    "lost_stations": 0,
}  # fmt: skip
_TEXTS = {
    "environments": "in so many environments at least, as far as sizes allow (default 30)",
    "stations": "on so many stations at once (default 2)",
    "controller_restarts": "times that the controller is killed (default 0)",
    "aborts": "times that somebody aborts a session (default 0)",
    "pauses": "times that somebody pauses a session (default 0)",
    "pauses_now": "times that somebody pauses one in the middle of a photo (default 0)",
    "stops": "times that somebody ends a session early (default 0)",
    "reshoots": "times that somebody wants photos of a session again (default 0)",
    "device_faults": "times that a device of a room misbehaves (default 0)",
    "light_faults": "times that the light leaves its band (default 0)",
    "lost_stations": "times that a station goes off for long (default 0)",
}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a campaign has."""
    parser.add_argument(
        "--campaign", action="store_true",
        help="a whole campaign: planned, shot on several stations, with a controller",
    )  # fmt: skip
    group = parser.add_argument_group("only with --campaign")
    for name, text in _TEXTS.items():
        group.add_argument(_option(name), type=int, metavar="N", help=text)


def check(args: argparse.Namespace) -> None:
    """Refuse what makes no sense.

    Raises:
        UserError: a sentence.
    """
    given = [name for name in _DEFAULTS if getattr(args, name) is not None]
    if not args.campaign:
        if given:
            raise UserError(f"{_option(given[0])} makes sense only with --campaign.")
        return
    if args.subset_size != 500:
        raise UserError(
            "--subset-size does not go with --campaign: its plan makes subsets of 250 to 500, or "
            "smaller ones where --environments asks for more. Leave it out."
        )
    for name in given:
        least = 1 if name in {"environments", "stations"} else 0
        if getattr(args, name) < least:
            raise UserError(f"{_option(name)} is a count; give {least} or more.")
    if _of(args, "environments") > args.captures:
        raise UserError("--environments must not be more than --captures.")


def run(args: argparse.Namespace, faults: Faults, replay: str) -> int:
    """Simulate; 1 when something is not well."""
    from rig.simulation.campaign import CampaignNight, simulate_campaign

    night = CampaignNight(
        captures=args.captures,
        environments=_of(args, "environments"),
        stations=_of(args, "stations"),
        seed=args.seed,
        faults=faults,
        crashes=args.crashes,
        roams=args.roam,
        disk_faults=args.disk_faults,
        restarts=_of(args, "controller_restarts"),
        aborts=_of(args, "aborts"),
        pauses=_of(args, "pauses"),
        pauses_now=_of(args, "pauses_now"),
        stops=_of(args, "stops"),
        reshoots=_of(args, "reshoots"),
        device_faults=_of(args, "device_faults"),
        light_faults=_of(args, "light_faults"),
        lost=_of(args, "lost_stations"),
    )
    started = time.monotonic()
    with progress("captures in virtual time", quiet=args.json) as advance:
        outcome = simulate_campaign(night, advance)
    wall = time.monotonic() - started
    again = _replay(args, replay)
    report = outcome.as_json() | {"replay": again, "wall_seconds": round(wall, 3)}
    print(json.dumps(report) if args.json else describe(outcome, wall))
    if not outcome.problems:
        return 0
    for problem in outcome.problems:
        print(f"not well: {problem}", file=sys.stderr)
    print(f"seed {args.seed}; this replays it:\n  {again}", file=sys.stderr)
    return 1


def describe(outcome: CampaignOutcome, wall: float) -> str:
    """The campaign in a few lines for people."""
    told: dict[str, Any] = outcome.as_json()
    hours = told["virtual_hours"]
    verdict = "all is well" if not outcome.problems else "NOT WELL, see below"
    head = (
        f"{told['captures']} captures in {told['subsets']} subsets and {told['environments']} "
        f"environments on {told['stations']} station(s), seed {told['seed']}: {verdict}"
    )
    photos = (
        f"{told['committed']} committed, {told['skipped']} skipped, "
        f"{told['duplicated']} duplicated; {told['retakes']} retakes"
    )
    spent = (
        f"{hours['shooting']:.1f} h shooting, {hours['changing']:.1f} h while rooms were changed, "
        f"{hours['waiting']:.1f} h waiting for the person"
    )
    troubles = (
        f"{told['crashes']} crash(es) of agents, {told['controller_restarts']} restart(s) of the "
        f"controller, {told['pauses']} pause(s), {told['aborts']} abort(s), {told['roams']} "
        f"change(s) of address, {told['disk_faults']} full disk(s), {told['lost_stations']} lost "
        f"station(s), {told['device_faults']} fault(s) of devices, {told['light_faults']} of light"
    )
    ended = (
        f"{told['sessions']}, {told['stopped']} of them ended early, {told['reshoots']} to shoot "
        f"{told['shot_again']} photo(s) again, {told['in_force']} indices by a newer one"
    )
    lines = [
        head,
        f"  photos     {photos}",
        f"  sessions   {ended}",
        f"  events     {told['events']}, each kept once; {told['events_sent_again']} sent again",
        f"  stations   {spent}",
        f"  elapsed    {told['elapsed_hours']:.1f} h",
        f"  troubles   {troubles}",
        f"  simulated  in {wall:.1f} s",
    ]
    return "\n".join(lines)


def _replay(args: argparse.Namespace, known: str) -> str:
    words = ["--campaign"]
    for name in _DEFAULTS:
        if getattr(args, name) is not None:
            words += [_option(name), str(getattr(args, name))]
    return f"{known} {shlex.join(words)}"


def _of(args: argparse.Namespace, name: str) -> int:
    value: int | None = getattr(args, name)
    return _DEFAULTS[name] if value is None else value


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
