"""The page of long work: what runs, how far it is, what went wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from sqlalchemy import Connection, select
from starlette.responses import Response

from rig.store import tables
from rig.web.deps import Rig, operator
from rig.web.jobs import JobState
from rig.web.render import page
from rig.web.synthesis_view import OWN

router = APIRouter(include_in_schema=False, dependencies=operator)

SHOWN: Final = 30
_KINDS: Final = {
    "build": "Build a dataset", "synthesis": "Make synthetic twins", "import": "Import x-rays",
    "intake": "Check the photos of a session", "export": "Export a dataset",
    "check": "Check a dataset", "dicom import": "Import DICOM files",
}  # fmt: skip
_UNITS: Final = {
    "build": "photos", "synthesis": "twins", "import": "x-rays", "intake": "photos",
    "export": "images", "check": "files",
    "dicom import": "files",
}  # fmt: skip
_MAY_RESUME: Final = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED})
_NEXT: Final = {
    JobState.INTERRUPTED: "The controller stopped in the middle of it. Resume goes on; what is "
    "finished is not done again.",
    JobState.CANCELLED: "Somebody cancelled it. What was finished is kept; resume does the rest.",
    JobState.FAILED: "Mend the cause, then resume: what is finished is not done again.",
}


@router.get("/jobs")
async def jobs_page(rig: Rig, before: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """The newest jobs, or those created before a time (Unix, nanoseconds)."""
    return page("jobs.html", **await rig.database.aquery(lambda c: jobs_view(c, before)))


def jobs_view(connection: Connection, before: int | None = None) -> dict[str, Any]:
    """Everything on the page."""
    job = tables.job
    query = select(job).order_by(job.c.created_ns.desc(), job.c.id).limit(SHOWN + 1)
    if before is not None:
        query = query.where(job.c.created_ns < before)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    shown = [_row(row, row["wanted"]) for row in rows[:SHOWN]]
    following = rows[SHOWN - 1]["created_ns"] if len(rows) > SHOWN else None
    active = [one for one in shown if one["state"] == JobState.RUNNING]
    return {
        "running": active,
        "ended": [one for one in shown if one["state"] != JobState.RUNNING],
        "following": following,
        "older": before is not None,
    }


def _row(row: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    state = JobState(row["state"])
    return {
        **row,
        "state": state,
        "what": _KINDS.get(row["kind"], str(row["kind"]).capitalize()),
        "unit": _UNITS.get(row["kind"], "steps"),
        "of": _of(row, wanted),
        "percent": 100 * row["done"] // row["total"] if row["total"] else None,
        "link": _link(row),
        "told": _told(row["kind"], row["result"]) if state is JobState.DONE else [],
        "next": _NEXT.get(state),
        "may_cancel": state is JobState.RUNNING,
        "may_resume": state in _MAY_RESUME,
    }


def _of(row: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> str:
    """What it is done to, in words."""
    if wanted is None:
        return ""
    names = [wanted.get(key) for key in ("campaign", "catalog", "name", "dataset", "to", "recipe")]
    told = [str(one) for one in names if isinstance(one, str) and one]
    if row["kind"] == "synthesis":
        recipe = str(wanted.get("recipe") or "")
        if not recipe:
            told.append("a recipe of one's own")
        elif not recipe.startswith(OWN) and isinstance(wanted.get("level"), int):
            told.append(f"level {wanted['level']}")
    return ", ".join(told)


def _link(row: Mapping[str, Any]) -> str | None:
    if row["session"]:
        return f"/sessions/{row['session']}"
    dataset = (row["wanted"] or {}).get("dataset")
    if isinstance(dataset, str):
        return f"/datasets/{quote(dataset)}"
    return {
        "build": "/datasets", "synthesis": "/synthesis",
        "import": "/catalogs", "dicom import": "/catalogs",
    }.get(row["kind"])  # fmt: skip


def _told(kind: str, result: Mapping[str, Any] | None) -> list[str]:
    """The counts in a result, as words."""
    words = {
        "natural": "photos", "synthetic": "synthetic photos", "made": "made",
        "skipped": "were there already", "gap_count": "gaps", "failed_count": "failed",
        "images": "images", "count": "problems" if kind == "check" else "x-rays",
        "xrays": "x-rays", "verified": "show what they should", "rejected": "rejected",
    }  # fmt: skip
    counts = result or {}
    return [
        f"{counts[key]} {word}" for key, word in words.items() if isinstance(counts.get(key), int)
    ]
