"""What `rig manual import` and `rig films import` have in common: a folder, a home, processes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rig.commands.progress import progress
from rig.errors import UserError
from rig.settings import home_of

if TYPE_CHECKING:
    from rig.store.database import Database

SHOWN = 30
"""Rows of one kind that a text lists; `--json` lists all."""


@dataclass(frozen=True, slots=True)
class Bringing:
    """What an import works with.

    Attributes:
        home: the home folder.
        database: its store.
        executor: processes; None when one is enough.
        progress: to be called with (done, total).
    """

    home: Path
    database: Database
    executor: Executor | None
    progress: Callable[[int, int], None]


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The folder that is brought, FOLDER."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder with the photos")


def add_owner(parser: argparse.ArgumentParser, campaign: str, device: str) -> None:
    """Whose photos they are and how many processes look at them; *campaign*, *device*: help."""
    parser.add_argument("--campaign", required=True, metavar="NAME", help=campaign)
    parser.add_argument("--device", required=True, metavar="DEV", help=device)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: all processors)"
    )


@contextmanager
def bringing(args: argparse.Namespace, doing: str) -> Iterator[Bringing]:
    """Open what an import needs; *doing* is the word before its progress.

    Raises:
        UserError: no such folder or home, or no process at all.
    """
    from rig.synthesis.pool import default_workers, make_pool

    if not args.folder.is_dir():
        raise UserError(f"{args.folder} is not a folder.")
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers must be at least 1, not {args.workers}.")
    home = home_of(args)
    workers = args.workers or default_workers()
    with ExitStack() as stack:
        database = stack.enter_context(open_store(home))
        pool = None
        if workers > 1:
            pool = make_pool(workers)
            stack.callback(pool.shutdown, cancel_futures=True)
        yield Bringing(home, database, pool, stack.enter_context(progress(doing)))


def open_store(home: Path) -> Database:
    """The database of *home*; raises UserError when there is none."""
    from rig.store.database import Database

    if not (home / "rig.db").is_file():
        raise UserError(f"{home} holds no rig.db; name the controller's home with --home.")
    return Database.open(home / "rig.db")


def at_most(rows: list[str], *, first: str = "") -> list[str]:
    """The first `SHOWN` of *rows*, each after *first*, and a line that counts the rest."""
    lines = [f"{first}{row}" for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        lines.append(f"... and {len(rows) - SHOWN} more; --json lists all.")
    return lines
