"""`rig batch`: photos that came by cable or card, and when the phone may delete its own."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.commands.progress import progress
from rig.errors import UserError
from rig.settings import add_home, home_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from rig.intake.batch import BatchReport, PhotoResult
    from rig.intake.copying import Copied
    from rig.intake.legacy_store import Exported
    from rig.intake.match import CommittedCapture
    from rig.store.database import Database

TOGETHER = 100
"""Photos noted in one transaction."""
SHOWN = 30
"""Files that the text lists; `--json` lists all."""
_EPILOG = """\
examples:
  rig batch import s0123456789abcdef /media/card/DCIM --workers 4
  rig batch release s0123456789abcdef          the phone may delete what lies here whole
  rig batch release s0123456789abcdef --no     it may not

import copies the session's committed photos (and their .json sidecars) out of DIR and its folders,
byte for byte, then verifies them by their pixels. DIR is a card, a phone's folder, or what
`adb pull` or the phone's cable made of it. What counts are the bytes: a photo under another name is
taken in under its own. Every other file stays where it is and is listed with the reason. Run it
again to go on after an interruption. Exit status: 0 every committed photo is verified, 1 some are
missing or rejected (they are listed: `rig reshoot` shoots them again), 2 bad input.
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
    one.add_argument("--again", action="store_true", help="look at every photo again")
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
            with progress("copying") as advance:
                found = _copied(database, home, args.session, args.dir, advance)
        _note_received(database, args.session, found)
        pool = None
        if args.workers > 1:
            pool = make_pool(args.workers)
            stack.callback(pool.shutdown, cancel_futures=True)
        advance = stack.enter_context(progress("verifying"))
        report = take_in(
            database, home, args.session, again=args.again, executor=pool, progress=advance
        )
    said = as_json(args.session, found, report)
    print(json.dumps(said) if args.json else _text(args.session, found, report))
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
    arrived: bool = False,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BatchReport:
    """Verify the received photos of *session* and record what comes of it as events.

    These are the verdicts, corners that moved (`drifted`: the controller pauses a session that is
    being shot), and old photos that a re-shoot has replaced (`photo_replaced`).

    Args:
        database: the store.
        home: the home folder.
        session: its id.
        again: look at every photo again.
        arrived: look only at new photos of committed captures; the session goes on meanwhile.
        executor: verifies chunks in other processes.
        progress: called with (done, total) photos looked at.

    Raises:
        NotFoundError: there is no such session.
        UserError: the home's thresholds cannot be read.
    """
    from rig.capture import photos
    from rig.intake.drifting import moved
    from rig.intake.from_store import take_in_session, verdict
    from rig.intake.home_limits import limits_of
    from rig.intake.quarantine import keep_apart, replaced

    fresh: list[PhotoResult] = []
    limits = limits_of(home)

    def record(connection: Connection, result: PhotoResult) -> None:
        told = verdict(result)
        photos.verified(connection, session, now_ns=time.time_ns(), **told)
        fresh.append(result)

    report = take_in_session(
        database,
        home,
        session,
        record=record,
        again=again,
        arrived=arrived,
        executor=executor,
        progress=progress,
        limits=limits,
    )
    steps = () if again else database.query(lambda c: moved(c, session, fresh, limits))
    for step in steps:
        note = partial(_note, kind="drifted", session=session, index=step.index,
                       attempt=step.attempt, body=step.body())  # fmt: skip
        database.write_now(note)
    for old in keep_apart(home, database.query(lambda c: replaced(c, session))):
        note = partial(_note, kind="photo_replaced", session=old.session, index=old.index,
                       attempt=old.attempt, body=old.body())  # fmt: skip
        database.write_now(note)
    return report


def _note(
    connection: Connection,
    kind: str,
    session: str,
    index: int,
    attempt: int,
    body: dict[str, Any],
) -> None:
    from rig.capture import projections
    from rig.store.events import Event

    now = time.time_ns()
    event = Event(kind, now, now, "controller", session, None, index, attempt, body)
    projections.record(connection, event)


def _note_received(database: Database, session: str, found: Copied | Exported) -> None:
    from rig.capture import photos
    from rig.intake.legacy_store import Exported

    if isinstance(found, Exported):
        originals = dict(found.originals)
        audit = found.audit.as_json()
        database.write_now(
            lambda c: photos.exported(c, session, audit, now_ns=time.time_ns(), actor="command")
        )

    else:
        originals = {kept: name for name, kept in found.renamed}

    def note(connection: Connection, some: Sequence[CommittedCapture]) -> None:
        for one in some:
            photos.received(
                connection,
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

    # Those already there too: an earlier run may have stopped between copying and noting.
    every = (*found.copied, *found.present)
    for at in range(0, len(every), TOGETHER):
        database.write_now(partial(note, some=every[at : at + TOGETHER]))


def _copied(
    database: Database, home: Path, session: str, folder: Path, advance: Callable[[int, int], None]
) -> Copied:
    """Copy out of *folder*; what cannot be looked at is a row too."""
    from rig.intake.batch import PhotoResult
    from rig.intake.folder import brought, printable
    from rig.intake.from_store import copy_in
    from rig.intake.match import Status

    there = brought(folder)
    rows = tuple(
        PhotoResult(printable(path.name), None, None, Status.UNREADABLE, why)
        for path, why in there.unusable
    )
    found = copy_in(database, home, session, there.files, advance)
    return replace(found, refused=(*rows, *found.refused))


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
    else:
        told["renamed"] = [{"name": name, "as": kept} for name, kept in found.renamed]
    return told


def _text(session: str, found: Copied | Exported, report: BatchReport) -> str:
    told = as_json(session, found, report)
    counts = f"{told['copied']} photos copied, {told['present']} were here already"
    lines = [f"{counts}, {told['verified']} verified."]
    lines += [f"renamed: {r['name']}: taken in as {r['as']}" for r in told.get("renamed", ())]
    rows = told["not_verified"]
    lines += [f"{row['status']}: {row['name']}: {row['reason']}" for row in rows[:SHOWN]]
    if more := Counter(row["status"] for row in rows[SHOWN:]):
        listed = ", ".join(f"{count} {status}" for status, count in more.items())
        lines.append(f"... and {more.total()} more ({listed}); --json lists all.")
    if report.missing:
        lines.append(f"To shoot again: {', '.join(map(str, report.missing))}")
        lines.append(f"`rig reshoot {session}` makes the sessions for them.")
    return "\n".join(lines)
