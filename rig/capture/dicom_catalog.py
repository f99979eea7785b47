"""From DICOM files to a kept catalog."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rig.capture.dicom_place import FOLDER
from rig.capture.importing import import_catalog
from rig.catalog import dicom_rows
from rig.catalog.chexpert import Problem
from rig.catalog.dicom_import import Options, digest_of, inputs_of, prepare
from rig.catalog.dicom_link import check_place, write_link
from rig.catalog.dicom_rows import Outcome, Row
from rig.catalog.order import Order
from rig.dicom.finding import Input
from rig.dicom.pool import MakePool
from rig.dicom.pseudonyms import load_key
from rig.durable import PRIVATE, write_atomic
from rig.store import catalogs, copying
from rig.store.catalogs import Catalog
from rig.store.database import Database
from rig.store.errors import ConflictError, NotFoundError

REPORT = "import.json"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to.

    Attributes:
        kept: the catalog; None when nothing is usable, or while images wait for a person.
        folder: where its files are.
        inputs: all files, for whoever may know their names.
        rows: what became of each, in their order.
        indices: image id -> index in the catalog.
        annotated: counts of the annotations, empty without any.
        earlier: it had been imported before, with the same outcome.
        outdated: it was, and was searched for text by other rules than today's.
    """

    kept: Catalog | None
    folder: Path
    inputs: tuple[Input, ...]
    rows: tuple[Row, ...]
    indices: Mapping[str, int] = field(default_factory=dict)
    annotated: Mapping[str, int] = field(default_factory=dict)
    earlier: bool = False
    outdated: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Outcome -> files."""
        return dicom_rows.count(self.rows)

    @property
    def reasons(self) -> dict[str, dict[str, int]]:
        """Why files are held and refused, counted."""
        return dicom_rows.reasons(self.rows)

    @property
    def well(self) -> bool:
        """Everything is in the catalog, but for what is there twice."""
        counts = self.counts
        return self.kept is not None and not counts["refused"] and not counts["held"]


def import_dicom(
    database: Database,
    home: Path,
    *,
    new_id: str,
    name: str,
    paths: Sequence[Path],
    options: Options,
    order: Order,
    seed: int,
    wait_for_review: bool,
    link_file: Path | None,
    now_ns: int,
    actor: str,
    make_pool: MakePool,
    progress: Progress | None = None,
) -> Imported:
    """Import and keep. Takes long; blocks; may be interrupted and run again.

    Running it again with the same files and options changes nothing and tells the same.

    Args:
        database: of the home.
        home: holds the site key, the reviews and the new folder `catalogs/NAME`.
        new_id: 16 hex digits.
        name: of the catalog.
        paths: files, folders, DICOMDIRs.
        options: how to import.
        order: of the indices; `csv` is the order of the files.
        seed: for `shuffle`.
        wait_for_review: make no catalog while an image waits for a person.
        link_file: where to write who is who, or None.
        now_ns: Unix time.
        actor: who asked for it.
        make_pool: of worker processes.
        progress: called as (steps done, steps in all).

    Raises:
        ConflictError: another catalog has that name.
        UserError: the paths, annotations, splits or the link file cannot be used.
    """
    catalogs.check_name(name, "catalog")
    link = None if link_file is None else check_place(link_file, home)
    folder = home / FOLDER / name
    copying.make_private(folder)
    with copying.alone_in(folder, f"Another command imports {name} just now: wait for it."):
        inputs = inputs_of(paths, options)
        names = load_key(home, create=True)
        digest = digest_of(inputs, options, names)
        existing = _existing(database, folder, name, digest)
        if existing is not None:
            done = _again(database, folder, existing, inputs, options.how.detector)
        else:
            found = prepare(
                home, folder, inputs, names, options, make_pool=make_pool, progress=progress
            )
            done = Imported(None, folder, inputs, found.rows, annotated=found.annotated)
            waits = wait_for_review and bool(done.counts["held"])
            if found.csv is not None and not waits:
                _note(folder, digest, done, options.how.detector)
                kept = import_catalog(
                    database,
                    new_id=new_id,
                    name=name,
                    csv=found.csv,
                    data_dir=found.data_dir,
                    order=order,
                    seed=seed,
                    skip_bad=False,
                    left_out=[_problem(row) for row in found.rows if _is_out(row)],
                    now_ns=now_ns,
                    actor=actor,
                )
                done = Imported(
                    kept,
                    folder,
                    inputs,
                    found.rows,
                    _indices(database, kept),
                    found.annotated,
                )
        if link is not None:
            write_link(link, inputs, {row.number: row for row in done.rows})
        return done


def _is_out(row: Row) -> bool:
    return row.outcome is not Outcome.IMPORTED


def _problem(row: Row) -> Problem:
    # `line` is the number of the file; its name is nobody's business.
    return Problem(row.number, "", f"{row.outcome}: {row.reason}")


def _indices(database: Database, kept: Catalog) -> dict[str, int]:
    xrays = database.query(lambda connection: catalogs.xrays(connection, kept.id))
    return {one.view: one.index for one in xrays}


def _note(folder: Path, digest: str, done: Imported, detector: str) -> None:
    """Keep the report, before the catalog: whoever finds the catalog finds this."""
    told: dict[str, Any] = {"inputs": digest, "annotated": dict(done.annotated)}
    told["detector"] = detector
    told["rows"] = [
        {name: getattr(row, name) for name in Row.__dataclass_fields__} for row in done.rows
    ]
    write_atomic(folder / REPORT, json.dumps(told, indent=1).encode() + b"\n", mode=PRIVATE)


def _existing(database: Database, folder: Path, name: str, digest: str) -> Catalog | None:
    """The catalog *name*, if it is what an import of the same inputs made.

    Raises:
        ConflictError: it is something else.
    """
    try:
        kept = database.query(lambda connection: catalogs.find(connection, name))
    except NotFoundError:
        return None
    try:
        told = json.loads((folder / REPORT).read_bytes())
    except (OSError, ValueError):
        told = {}
    if told.get("inputs") != digest:
        raise ConflictError(
            f"A catalog named {name} exists already, of other files or made with other options; "
            "catalogs never change. Choose another name."
        )
    return kept


def _again(
    database: Database, folder: Path, kept: Catalog, inputs: tuple[Input, ...], detector: str
) -> Imported:
    told = json.loads((folder / REPORT).read_bytes())
    return Imported(
        kept,
        folder,
        inputs,
        tuple(_row(one) for one in told["rows"]),
        _indices(database, kept),
        told["annotated"],
        earlier=True,
        outdated=told.get("detector") != detector,
    )


def _row(told: Mapping[str, Any]) -> Row:
    lists = {"reasons": tuple(told["reasons"]), "rules": tuple(told["rules"])}
    lists["scores"] = tuple((rule, score) for rule, score in told.get("scores", ()))
    return Row(**{**told, **lists, "outcome": Outcome(told["outcome"])})
