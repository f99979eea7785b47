"""`rig doctor`: what is missing or risky on this machine, and how to mend it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rig.commands.findings import Finding
from rig.settings import add_home, home_of

EXAMPLES = """examples:
  rig doctor
  rig doctor --home /srv/rig --json
  rig doctor --port 9000 --udp 47000      look whether these ports are free

Exit 1 when something is bad. `rig check` looks into the home: its database and every photo.
"""
GB = 10**9
EARLIEST = 1_735_689_600  # 2025-01-01: a clock before that was never set


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig doctor`."""
    parser.epilog = EXAMPLES
    add_home(parser)
    parser.add_argument(
        "--port", type=int, default=8000, help="the controller's TCP port (%(default)s)"
    )
    parser.add_argument(
        "--udp",
        type=int,
        default=0,
        help="the display agent's UDP port, of its --listen (default: whether UDP works at all)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 when something is bad."""
    from rig.errors import UserError

    for name in ("port", "udp"):
        if not 0 <= getattr(args, name) <= 65535:
            raise UserError(f"--{name} must be from 0 to 65535, not {getattr(args, name)}.")
    found = list(examine(home_of(args), now=time.time(), port=args.port, udp=args.udp))
    worst = max(("ok", "warn", "bad").index(one.status) for one in found)
    if args.json:
        status = ("ok", "warn", "bad")[worst]
        print(json.dumps({"status": status, "findings": [asdict(one) for one in found]}))
    else:
        for one in found:
            print(f"{one.status:4}  {one.what}: {one.detail}")
            if one.remedy:
                print(f"      {one.remedy}")
    return 1 if worst == 2 else 0


def examine(home: Path, *, now: float, port: int = 8000, udp: int = 0) -> Iterator[Finding]:
    """Every finding about this machine and *home*."""
    from rig.commands import doctor_dicom, doctor_home, doctor_machine, doctor_network

    yield _python(sys.version_info[:3])
    yield from _dependencies()
    yield sqlite_library(sqlite3.sqlite_version_info)
    writable = doctor_home.writable(home)
    yield writable
    if writable.status == "ok":
        yield disk(shutil.disk_usage(home).free)
        yield from doctor_home.examine(home)
    yield clock(now)
    yield doctor_machine.clock_sync(doctor_machine.kernel_clock())
    yield from doctor_network.examine(home, port, udp)
    yield from doctor_machine.extras()
    yield from doctor_dicom.examine()
    yield doctor_machine.serial_ports()


def _python(version: tuple[int, int, int]) -> Finding:
    text = ".".join(map(str, version))
    if version < (3, 11):
        return Finding("Python", "bad", text, "Install Python 3.11 or newer.")
    return Finding("Python", "ok", text)


def _dependencies() -> Iterator[Finding]:
    missing: list[str] = []
    for requirement in importlib.metadata.requires("capture-rig") or []:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is None or "extra ==" in requirement:
            continue
        try:
            importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            missing.append(name[0])
    if missing:
        yield Finding("dependencies", "bad", f"missing: {', '.join(missing)}", "Run `make setup`.")
    else:
        yield Finding("dependencies", "ok", "all installed")


def sqlite_library(version: tuple[int, ...]) -> Finding:
    """How a SQLite of this version serves.

    3.35 brought RETURNING, which the store's inserts use. From 3.7.0 to 3.51.2 a commit that resets
    the WAL while a second checkpoint starts can lose pages (sqlite.org/wal.html, "The WAL-Reset
    Bug"; mended in 3.51.3, and in 3.50.7 and 3.44.6 for those lines).
    """
    text = ".".join(map(str, version))
    if version < (3, 35):
        return Finding(
            "SQLite", "bad", text, "Use a Python that is built with SQLite 3.35 or newer."
        )
    backported = (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    mended = version >= (3, 51, 3) or backported
    if not mended:
        return Finding(
            "SQLite",
            "warn",
            f"{text} has the WAL-reset bug by its version: two processes that write at the same "
            "instant can, very rarely, damage the database",
            "Use a Python with SQLite 3.51.3 or newer when you can; until then run `rig backup` "
            "often and few commands beside the controller.",
        )
    return Finding("SQLite", "ok", text)


def disk(free: int) -> Finding:
    """How a disk with *free* bytes looks: 10,000 photos of 4 MB need 40 GB."""
    text = f"{free / GB:.1f} GB free"
    if free < 1 * GB:
        return Finding("disk", "bad", text, "Make room: uploads stop below 0.25 GB.")
    if free < 40 * GB:
        return Finding("disk", "warn", text, "10,000 photos need about 40 GB.")
    return Finding("disk", "ok", text)


def clock(now: float) -> Finding:
    """How a clock that says *now* (Unix time) looks."""
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < EARLIEST:
        return Finding("clock", "bad", text, "Set the clock: photos carry its time.")
    return Finding("clock", "ok", text)
