"""`rig room`: look at a room's configuration, set a level by hand, list serial ports."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.errors import UserError

if TYPE_CHECKING:
    from rig.environment.config import RoomFile
    from rig.environment.verified import Verified

EXAMPLES = """examples:
  rig room ports                        serial ports, as `port = "usb:..."` names them
  rig room check room.toml              open each port, read the light sensors; sets nothing
  rig room apply room.toml lamp bright  set a level, read it back, look with the light sensor
  rig room apply room.toml lamp bright --trace trace --json

`check` and `apply` open the ports themselves: stop the controller that has them first. Exit status
1: a port or sensor does not answer, or the level is not confirmed to be so.
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands of `rig room`."""
    parser.epilog = EXAMPLES
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    check = sub.add_parser("check", help="read a room's file and look at its ports and sensors")
    apply = sub.add_parser("apply", help="set one level and read it back")
    ports = sub.add_parser("ports", help="list the serial ports of this machine")
    for one in (check, apply):
        one.add_argument("file", metavar="ROOM.toml", type=Path)
        one.add_argument("--trace", metavar="DIR", type=Path, help="folder for byte traces")
    apply.add_argument("actuator", metavar="ACTUATOR")
    apply.add_argument("level", metavar="LEVEL")
    for one, run in ((check, run_check), (apply, run_apply), (ports, run_ports)):
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
        one.set_defaults(run=run)


def valid_room(path: Path) -> RoomFile:
    """The room of a file whose devices know every state that is asked of them.

    Raises:
        ActuatorError: unreadable, a bad key, or a state that a device does not know.
    """
    from rig.environment.config import load_room
    from rig.environment.room import Room

    file = load_room(path)
    Room(file.actuators).validate()
    return file


def run_check(args: argparse.Namespace) -> int:
    """Open every port and read every light sensor; nothing is set."""
    file = valid_room(args.file)
    rows = asyncio.run(_check(file, args.trace))
    fine = all(row["ok"] for row in rows)
    if args.json:
        print(json.dumps({"ok": fine, "watch_s": file.watch_s, "actuators": rows}))
        return 0 if fine else 1
    for row in rows:
        where = f", only for {row['station']}" if row["station"] else ""
        levels = ", ".join(row["levels"]) or "any"
        print(f"{'ok  ' if row['ok'] else 'BAD '} {row['name']} ({row['driver']}{where}): {levels}")
        print(f"     {row['says']}")
    if not rows:
        print(f"{args.file.name} has no actuators.")
    return 0 if fine else 1


def run_apply(args: argparse.Namespace) -> int:
    """Set one level."""
    done = asyncio.run(_apply(valid_room(args.file), args))
    applied = done.applied
    told = {
        "actuator": args.actuator, "requested": applied.requested, "confirmed": applied.confirmed,
        "readback": applied.readback, "why": done.why, "at_ns": applied.at_ns,
    }  # fmt: skip
    if args.json:
        print(json.dumps(told))
    else:
        words = {True: "confirmed", False: "NOT SO", None: "set; it cannot tell whether it is so"}
        print(f"{args.actuator} {applied.requested}: {words[applied.confirmed]}")
        for line in (applied.readback, done.why):
            if line:
                print(f"  {line}")
    return 1 if applied.confirmed is False else 0


def run_ports(args: argparse.Namespace) -> int:
    """List the serial ports."""
    from rig.environment.listing import list_all

    rows = list_all()
    if args.json:
        print(json.dumps({"ports": rows}))
        return 0
    for row in rows:
        ident = row["usb"] or "no USB device"
        print(f"{row['device']}  {ident}  {row['description']}")
        for name in row["by_id"]:
            print(f"    {name}")
    if not rows:
        print("No serial port: is the device plugged in, and does its driver know it?")
    return 0


async def _check(file: RoomFile, trace: Path | None) -> list[dict[str, Any]]:
    from rig.environment.model import ActuatorError
    from rig.environment.room import Room

    room, rows = Room(file.actuators, trace=_folder(trace)), []
    try:
        for name, table in file.actuators.items():
            try:
                says, ok = await room.look(name), True
            except ActuatorError as error:
                says, ok = str(error), False
            rows.append(
                {
                    "name": name, "driver": table.driver, "port": table.port, "ok": ok,
                    "station": table.station, "levels": list(table.levels), "says": says,
                }
            )  # fmt: skip
    finally:
        await room.close(safe=False)
    return rows


async def _apply(file: RoomFile, args: argparse.Namespace) -> Verified:
    from rig.environment.room import Room
    from rig.environment.verified import apply_verified

    if args.actuator not in file.actuators:
        known = ", ".join(file.actuators) or "none"
        raise UserError(f"{args.file.name} has no actuator {args.actuator!r}; it has: {known}.")
    room = Room(file.actuators, trace=_folder(args.trace))
    try:
        return await apply_verified(room, file, args.actuator, args.level)
    finally:
        await room.close(safe=False)  # a person set it, a person leaves it so


def _folder(trace: Path | None) -> Path | None:
    if trace is not None:
        trace.mkdir(parents=True, exist_ok=True)
    return trace
