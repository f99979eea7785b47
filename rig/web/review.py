"""The queue of images that an import of DICOM files holds back, as the pages and the API show it.

`rig.dicom` is loaded when it is asked for: it needs the extra of that name.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from rig.capture.dicom_place import FOLDER, HELD, REVIEWS
from rig.store import catalogs
from rig.store.errors import NotFoundError
from rig.web.problems import Problem

if TYPE_CHECKING:
    from types import ModuleType

    from rig.dicom.deciding import Entry

PAGE = 60
"""Images of one page of the list."""


def _deciding() -> ModuleType:
    """`rig.dicom.deciding`.

    Raises:
        Problem: the extra is not installed here.
    """
    try:
        return importlib.import_module("rig.dicom.deciding")
    except ImportError as error:
        detail = "The controller needs the extra 'dicom': pip install 'capture-rig[dicom]'."
        raise Problem(503, detail) from error


def folder_of(home: Path, name: str) -> Path:
    """Where the import *name* lies.

    Raises:
        StoreError: the name is none.
    """
    return home / FOLDER / catalogs.check_name(name, "catalog")


def waiting(home: Path) -> tuple[tuple[str, int], ...]:
    """Imports with images that nobody decided about: name and how many, by name."""
    decided = {file.name for file in (home / REVIEWS).glob("*.json")}
    counts: dict[str, int] = {}
    for file in (home / FOLDER).glob(f"*/{HELD}/*.json"):
        if file.name not in decided:
            name = file.parent.parent.name
            counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts.items()))


def queue(home: Path, name: str) -> tuple[Entry, ...]:
    """All held images of an import, those that wait first.

    Raises:
        Problem: no such import.
    """
    deciding = _deciding()
    try:
        entries: tuple[Entry, ...] = deciding.queue(home, folder_of(home, name))
    except deciding.NotHeldError as error:
        raise Problem(404, str(error)) from error
    return entries


def entry(home: Path, name: str, image_id: str) -> Entry:
    """One held image.

    Raises:
        Problem: no such import or image.
    """
    deciding = _deciding()
    try:
        found: Entry = deciding.entry(home, folder_of(home, name), image_id)
    except deciding.NotHeldError as error:
        raise Problem(404, str(error)) from error
    return found


def picture(home: Path, name: str, image_id: str) -> Path:
    """The PNG of a held image.

    Raises:
        Problem: no such import or image.
    """
    entry(home, name, image_id)
    file: Path = _deciding().picture(folder_of(home, name), image_id)
    return file


def decide(
    home: Path,
    name: str,
    image_id: str,
    decision: str,
    *,
    boxes: Sequence[tuple[int, int, int, int]],
    by: str,
    note: str,
    time_ns: int,
) -> Entry:
    """Record a decision; the entry as it is then.

    Raises:
        Problem: no such import or image.
        UserError: a box is wrong, or nobody says who decides.
    """
    deciding = _deciding()
    try:
        deciding.decide(
            home,
            folder_of(home, name),
            image_id,
            decision,
            boxes=boxes,
            by=by,
            note=note,
            time_ns=time_ns,
        )
    except deciding.NotHeldError as error:
        raise Problem(404, str(error)) from error
    return entry(home, name, image_id)


def is_kept(connection: Connection, name: str) -> bool:
    """Whether the import made a catalog already, which never changes."""
    try:
        catalogs.find(connection, name)
    except NotFoundError:
        return False
    return True


def command(name: str, *, kept: bool) -> str:
    """What to type when all is decided. Paths are kept nowhere: they may hold patients' names."""
    if kept:
        return f"rig catalog import-dicom {name}-reviewed PATH..."
    return f"rig catalog import-dicom {name} PATH... --wait-for-review"


def list_view(entries: Sequence[Entry], first: int) -> dict[str, Any]:
    """What the list shows, from entry *first* (from 1) on."""
    begin = min(max(first, 1), max(len(entries), 1))
    counts = dict.fromkeys(("waits", "accepted", "refused"), 0)
    rules: dict[str, int] = {}
    for one in entries:
        counts[str(one.state)] += 1
        for rule in {doubt["rule"] for doubt in one.to_json()["doubts"]}:
            rules[rule] = rules.get(rule, 0) + 1
    return {
        "rows": [one.to_json() for one in entries[begin - 1 : begin - 1 + PAGE]],
        "total": len(entries),
        "first": begin,
        "before": max(1, begin - PAGE) if begin > 1 else None,
        "after": begin + PAGE if begin - 1 + PAGE < len(entries) else None,
        "counts": counts,
        "rules": sorted(rules.items(), key=lambda one: (-one[1], one[0])),
    }


def image_view(entries: Sequence[Entry], found: Entry) -> dict[str, Any]:
    """What the page of one image shows; `next` is the next one that waits."""
    ids = [one.held.image_id for one in entries]
    here = ids.index(found.held.image_id) if found.held.image_id in ids else 0
    later = [*entries[here + 1 :], *entries[:here]]
    waiting = [one.held.image_id for one in later if one.review is None]
    shown = found.to_json()
    boxes = shown["review"]["boxes"] if found.review else shown["boxes"]
    return {
        "one": shown,
        "header": found.held.header,
        "boxes": boxes,
        "next": waiting[0] if waiting else None,
        "waiting": len(waiting) + (found.review is None),
    }
