"""Photos of the original app come home: audited, renamed as the rig names photos, copied whole.

A legacy name says nothing that can be trusted later, so a photo is kept under the name that XCAP/1
would have given it; the name it had on the phone stands in the sidecar and in the event log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, RowMapping, select

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.intake.batch import PhotoResult
from rig.intake.legacy_export import Asked, Audit, Problem, audit_export
from rig.intake.match import CommittedCapture, Status
from rig.planning.metadata import photo_metadata
from rig.protocol.names import PhotoName, encode_name, sidecar_name
from rig.store import captures, catalogs, tables
from rig.store.database import Database
from rig.store.errors import ConflictError, NotFoundError

_UNDER_WAY = frozenset({"loading", "armed", "running", "pausing", "stopping"})
_STATUS = {
    "missing": Status.MISSING,
    "doubled": Status.DOUBLED,
    "same": Status.DOUBLED,
    "empty": Status.UNREADABLE,
    "damaged": Status.UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export became.

    Attributes:
        audit: what is wrong with it.
        copied: photos copied now.
        present: photos that were here already.
        refused: a row for every problem.
        originals: by the name a photo is kept under, the name it had on the phone.
    """

    audit: Audit
    copied: tuple[CommittedCapture, ...]
    present: tuple[CommittedCapture, ...]
    refused: tuple[PhotoResult, ...]
    originals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Run:
    """What the store knows of a legacy session."""

    session: RowMapping
    campaign: RowMapping
    env: str
    claims: Mapping[int, RowMapping]
    xrays: Mapping[int, tuple[str, str]]
    """index -> (key, SHA-256 of the x-ray)"""

    @property
    def asked(self) -> Asked:
        names = {index: [*one["earlier"], one["name"]] for index, one in self.claims.items()}
        suspects = {index: one["suspect"] for index, one in self.claims.items() if one["suspect"]}
        row = self.session
        return Asked(row["first"], row["last"], names, len(self.claims), suspects)


def is_legacy(connection: Connection, session: str) -> bool:
    """Whether *session* was shot through the original app.

    Raises:
        NotFoundError: there is no such session.
    """
    table = tables.session
    row = connection.execute(select(table.c.legacy).where(table.c.id == session)).first()
    if row is None:
        raise NotFoundError(f"No session is named {session!r}.")
    return bool(row.legacy)


def copy_export(database: Database, home: Path, session: str, export: Path) -> Exported:
    """Audit *export* and copy its sound photos byte for byte into the session's folder.

    Durable and idempotent. Nothing is verified yet: what the photos show is for the optical check.

    Raises:
        NotFoundError: there is no such session.
        ConflictError: the session is still being shot.
        UserError: *export* is no folder.
    """
    with database.read() as connection:
        run = _read(connection, session)
    if run.session["state"] in _UNDER_WAY:
        raise ConflictError(f"Session {session} is being shot: pause it or wait until it is done.")
    audit = audit_export(run.asked, export)
    folder = captures.incoming(home, session)
    same = {problem.index for problem in audit.problems if problem.kind == "same"}
    copied, present, originals = [], [], {}
    for index, path in sorted(audit.photos.items()):
        if index in same:
            continue
        data = _bytes_of(path)
        capture, sidecar = _named(run, index, path.name, data)
        originals[capture.name] = path.name
        if _holds(folder / capture.name, data):
            present.append(capture)
            continue
        write_atomic(folder / sidecar_name(capture.name), sidecar, mode=PRIVATE)
        write_atomic(folder / capture.name, data, mode=PRIVATE)
        copied.append(capture)
    rows = tuple(_row(run, problem) for problem in audit.problems)
    return Exported(audit, tuple(copied), tuple(present), rows, originals)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error


def _holds(file: Path, data: bytes) -> bool:
    return file.is_file() and file.read_bytes() == data


def _row(run: _Run, problem: Problem) -> PhotoResult:
    claim = run.claims.get(problem.index)
    name = str(problem.index) if claim is None else str(claim["name"])
    why = f"Index {problem.index}: {problem.why}."
    return PhotoResult(name, problem.index, None, _STATUS[problem.kind], why)


def _named(run: _Run, index: int, original: str, data: bytes) -> tuple[CommittedCapture, bytes]:
    """The photo under the name that XCAP/1 would have given it, and its sidecar."""
    claim, (key, source) = run.claims[index], run.xrays[index]
    attempt = _attempt(claim, original)
    digest = hashlib.sha256(data).hexdigest()
    metadata = photo_metadata(
        key=key,
        env=run.env,
        index=index,
        sha256=source,
        campaign=run.campaign["id"],
        subset=run.session["subset"],
        device=run.campaign["device"],
        session=run.session["id"],
    )
    name = encode_name(
        PhotoName(
            campaign=run.campaign["id"],
            subset=run.session["subset"],
            index=index,
            attempt=attempt,
            env=run.env,
            key=key,
            meta16=hashlib.sha256(metadata).hexdigest()[:16],
            photo16=digest[:16],
        )
    )
    told = {
        "legacy": True,
        "original_name": original,
        "name": name,
        "sha256": digest,
        "size": len(data),
        "attempt": attempt,
        "claimed_by": claim["by"],
        "suspect": claim["suspect"],
        "metadata": json.loads(metadata),
    }
    sidecar = json.dumps(told, indent=1, sort_keys=True).encode()
    asked_ns = claim["time_ns"] - round((claim["rtt_ms"] or 0) * 1e6)
    return CommittedCapture(index, attempt, digest, name, len(data), asked_ns), sidecar


def _attempt(claim: RowMapping, original: str) -> int:
    """Which attempt *original* was asked for at: the claimed one, or an earlier one."""
    if original == claim["name"]:
        return int(claim["attempt"])
    return int(claim["earlier"].index(original)) + 1


def _read(connection: Connection, session: str) -> _Run:
    s, c, t = tables.session, tables.campaign, tables.subset
    row = connection.execute(select(s).where(s.c.id == session)).mappings().first()
    if row is None:
        raise NotFoundError(f"No session is named {session!r}.")
    campaign = connection.execute(select(c).where(c.c.id == row["campaign"])).mappings().one()
    wanted = t.c.campaign == row["campaign"], t.c.id == row["subset"]
    env = connection.execute(select(t.c.environment).where(*wanted)).scalar_one()
    claim = tables.claim
    claims = connection.execute(select(claim).where(claim.c.session == session)).mappings()
    xrays = catalogs.xrays(connection, campaign["catalog"], row["first"], row["last"])
    return _Run(
        row,
        campaign,
        env,
        {one["idx"]: one for one in claims},
        {one.index: (one.key, one.sha256) for one in xrays},
    )
