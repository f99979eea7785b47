"""`rig batch`: photos that came by cable or card, and when the phone may delete its own."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.progress import progress
from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from rig.intake.batch import BatchReport
    from rig.intake.from_store import Copied
    from rig.intake.legacy_store import Exported
    from rig.store.database import Database

_EPILOG = """\
examples:
  rig batch import s0123456789abcdef /media/card/DCIM --workers 4
  rig batch release s0123456789abcdef          the phone may delete what lies here whole
  rig batch release s0123456789abcdef --no     it may not

import copies the session's committed photos (and their .json sidecars) out of DIR and its folders,
then verifies them by their pixels. Files of other sessions stay where they are and are listed. Run
it again to go on after an interruption. Exit status: 0 every committed photo is verified, 1 some
are missing or rejected (they are listed: shoot them again), 2 bad input.
For a session in legacy mode DIR is the copy of the phone's CheXpeditor folder: it is audited, and a
photo counts only when the optical check has verified it; nothing switches that off.

release reads every file of the batch again; unless all have arrived it changes nothing (exit 2).
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    parser.epilog = _EPILOG
    sub = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    one = sub.add_parser("import", help="copy photos of a session from a folder and verify them")
    one.add_argument("session", metavar="SESSION", help="session id, s and 16 hex digits")
    one.add_argument("dir", type=Path, metavar="DIR", help="folder with the photos")
    one.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1)")
    one.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_home(one)
    one.set_defaults(run=run_import)
    let = sub.add_parser("release", help="allow that the phone deletes the photos of a session")
    let.add_argument("session", metavar="SESSION", help="session id, s and 16 hex digits")
    let.add_argument("--no", action="store_true", help="do not allow it any more")
    let.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_home(let)
    let.set_defaults(run=run_release)


def run_import(args: argparse.Namespace) -> int:
    """Copy, record what arrived, verify; 0 when nothing is missing."""
    from rig.intake.from_store import copy_in
    from rig.intake.legacy_store import copy_export, is_legacy
    from rig.store.database import Database
    from rig.synthesis.pool import make_pool

    if not args.dir.is_dir():
        raise UserError(f"{args.dir} is not a folder.")
    if args.workers < 1:
        raise UserError(f"--workers must be at least 1, not {args.workers}.")
    home = home_of(args)
    if not (home / "rig.db").is_file():
        raise UserError(f"{home} holds no rig.db; name the controller's home with --home.")
    with ExitStack() as stack:
        database = stack.enter_context(Database.open(home / "rig.db"))
        found: Copied | Exported
        if database.query(lambda connection: is_legacy(connection, args.session)):
            found = copy_export(database, home, args.session, args.dir)
        else:
            files = [file for file in args.dir.rglob("*") if file.is_file()]
            found = copy_in(database, home, args.session, files)
        _note_received(database, args.session, found)
        pool = None
        if args.workers > 1:
            pool = make_pool(args.workers)
            stack.callback(pool.shutdown, cancel_futures=True)
        advance = stack.enter_context(progress("verifying"))
        report = take_in(database, home, args.session, executor=pool, progress=advance)
    print(json.dumps(as_json(args.session, found, report)) if args.json else _text(found, report))
    return 0 if report.well else 1


def run_release(args: argparse.Namespace) -> int:
    """Allow (or not) that the phone deletes what lies here whole."""
    from rig.store.database import Database
    from rig.web.release import set_release

    home = home_of(args)
    if not (home / "rig.db").is_file():
        raise UserError(f"{home} holds no rig.db; name the controller's home with --home.")
    with Database.open(home / "rig.db") as database:
        found = set_release(
            database,
            home,
            args.session,
            allow=not args.no,
            now_ns=time.time_ns(),
            actor="command",
        )
    told = {"session": args.session, "allowed": found.allowed, "photos": len(found.photos)}
    if args.json:
        print(json.dumps(told))
    elif found.allowed:
        print(f"The phone may delete {len(found.photos)} photos of session {args.session}.")
    else:
        print(f"The phone keeps all its photos of session {args.session}.")
    return 0


def take_in(
    database: Database,
    home: Path,
    session: str,
    *,
    again: bool = False,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BatchReport:
    """Verify the received photos of *session* and record the verdicts as events."""
    from rig.capture import photos
    from rig.intake.from_store import take_in_session, verdict

    return take_in_session(
        database,
        home,
        session,
        record=lambda connection, result: photos.verified(
            connection, session, now_ns=time.time_ns(), **verdict(result)
        ),
        again=again,
        executor=executor,
        progress=progress,
    )


def _note_received(database: Database, session: str, found: Copied | Exported) -> None:
    from rig.capture import photos
    from rig.intake.legacy_store import Exported

    originals = found.originals if isinstance(found, Exported) else {}
    if isinstance(found, Exported):
        audit = found.audit.as_json()
        database.write_now(
            lambda c: photos.exported(c, session, audit, now_ns=time.time_ns(), actor="command")
        )

    # Those already there too: an earlier run may have stopped between copying and noting.
    for one in (*found.copied, *found.present):
        note = partial(
            photos.received,
            session=session,
            name=one.name,
            index=one.index,
            attempt=one.attempt,
            sha256=one.sha256,
            size=one.size,
            now_ns=time.time_ns(),
            actor="command",
            original=originals.get(one.name),
        )
        database.write_now(note)


def as_json(session: str, found: Copied | Exported, report: BatchReport) -> dict[str, Any]:
    """The JSON object of an import: counts, gaps, and every file that is not verified."""
    from rig.intake.legacy_store import Exported
    from rig.intake.match import Status

    rows = [*found.refused, *(r for r in report.results if r.status is not Status.VERIFIED)]
    told = {
        "session": session,
        "copied": len(found.copied),
        "present": len(found.present),
        "verified": report.count(Status.VERIFIED),
        "missing": list(report.missing),
        "not_verified": [
            {"name": r.name, "index": r.index, "status": r.status.value, "reason": r.reason}
            for r in rows
        ],
    }
    if isinstance(found, Exported):
        told["suspects"] = found.audit.as_json()["suspects"]
    return told


def _text(found: Copied | Exported, report: BatchReport) -> str:
    told = as_json("", found, report)
    counts = f"{told['copied']} photos copied, {told['present']} were here already"
    lines = [f"{counts}, {told['verified']} verified."]
    lines += [f"{row['status']}: {row['name']}: {row['reason']}" for row in told["not_verified"]]
    if report.missing:
        lines.append(f"To shoot again: {', '.join(map(str, report.missing))}")
    return "\n".join(lines)
