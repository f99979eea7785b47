"""`rig doctor`: what is missing or risky on this machine, and how to mend it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rig.settings import add_home, home_of

EXAMPLES = """examples:
  rig doctor
  rig doctor --home /srv/rig --json
"""
GB = 10**9
EARLIEST = 1_735_689_600  # 2025-01-01: a clock before that was never set


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what to do about it."""

    what: str
    status: Literal["ok", "warn", "bad"]
    detail: str
    remedy: str = ""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rig doctor`."""
    parser.epilog = EXAMPLES
    add_home(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 when something is bad."""
    found = list(examine(home_of(args), now=time.time()))
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


def examine(home: Path, *, now: float) -> Iterator[Finding]:
    """Every finding about this machine and *home*."""
    yield _python(sys.version_info[:3])
    yield from _dependencies()
    yield _sqlite(sqlite3.sqlite_version_info)
    writable = _writable(home)
    yield writable
    if writable.status == "ok":
        yield disk(shutil.disk_usage(home).free)
        yield _controller(home)
        yield _private(home)
    yield clock(now)


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


def _sqlite(version: tuple[int, ...]) -> Finding:
    text = ".".join(map(str, version))
    if version < (3, 35):
        return Finding(
            "SQLite", "bad", text, "Use a Python that is built with SQLite 3.35 or newer."
        )
    return Finding("SQLite", "ok", text)


def _writable(home: Path) -> Finding:
    probe = home / f".doctor-{secrets.token_hex(4)}"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with probe.open("wb") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        remedy = "Choose another --home or RIG_HOME, or mend its rights."
        return Finding("home", "bad", f"{home} cannot be written: {error.strerror}", remedy)
    return Finding("home", "ok", str(home))


def disk(free: int) -> Finding:
    """How a disk with *free* bytes looks: 10,000 photos of 4 MB need 40 GB."""
    text = f"{free / GB:.1f} GB free"
    if free < 1 * GB:
        return Finding("disk", "bad", text, "Make room: uploads stop below 0.25 GB.")
    if free < 40 * GB:
        return Finding("disk", "warn", text, "10,000 photos need about 40 GB.")
    return Finding("disk", "ok", text)


def _controller(home: Path) -> Finding:
    from rig.store.lock import holder

    who = holder(home)
    if who is None:
        return Finding("controller", "ok", "none runs on this home")
    return Finding("controller", "ok", f"process {who.pid} at {who.url or 'an unknown address'}")


def _private(home: Path) -> Finding:
    open_to_all = [
        name
        for name in ("rig.db", "secret", "serve.json")
        if (home / name).exists() and (home / name).stat().st_mode & 0o077
    ]
    if open_to_all:
        files = ", ".join(open_to_all)
        return Finding("privacy", "bad", f"others can read {files}", f"chmod 600 {files}")
    return Finding("privacy", "ok", "nobody else reads the home's files")


def clock(now: float) -> Finding:
    """How a clock that says *now* (Unix time) looks."""
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < EARLIEST:
        return Finding("clock", "bad", text, "Set the clock: photos carry its time.")
    return Finding("clock", "ok", text)
