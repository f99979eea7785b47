"""From a CSV on disk to a kept catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Connection

from rig.capture import projections
from rig.catalog.chexpert import CatalogImport, Problem, import_csv
from rig.catalog.order import Order
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database
from rig.store.errors import ConflictError, NotFoundError, StoreError
from rig.store.events import Event

SHOWN = 5
"""Bad rows that the refusal names."""


class BadRowsError(StoreError):
    """The CSV has rows that cannot be used.

    Attributes:
        problems: all of them, by line.
        good: rows that can be used.
    """

    def __init__(self, sentence: str, problems: tuple[Problem, ...], good: int) -> None:
        super().__init__(sentence)
        self.problems = problems
        self.good = good


def import_catalog(
    database: Database,
    *,
    new_id: str,
    name: str,
    csv: Path,
    data_dir: Path,
    order: Order,
    seed: int,
    skip_bad: bool,
    now_ns: int,
    actor: str,
    left_out: Sequence[Problem] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Catalog:
    """Import and keep; refuses as a whole when a row is bad, unless *skip_bad*. Takes long; blocks.

    What was *left_out* before the CSV was written is kept with its own bad rows.

    Raises:
        ConflictError: the name is taken.
        BadRowsError: rows that cannot be used, each with its line.
        StoreError: no row that is good.
        CatalogError: the CSV or folder cannot be read.
    """
    catalogs.check_name(name, "catalog")
    # Looked up before the long work, and again when it is kept.
    database.query(lambda connection: check_free(connection, name))
    found = import_csv(csv.resolve(), data_dir.resolve(), order=order, seed=seed, progress=progress)
    _check(found, csv, skip_bad=skip_bad)
    kept = Catalog(
        id=new_id,
        name=name,
        csv=str(csv.resolve()),
        data_dir=str(data_dir.resolve()),
        ordering=order,
        seed=seed,
        count=len(found.xrays),
        problems=[asdict(problem) for problem in (*left_out, *found.problems)],
        created_ns=now_ns,
    )

    def write(connection: Connection) -> None:
        catalogs.save(connection, kept, found.xrays)
        body = {"name": name, "count": kept.count, "left_out": len(kept.problems)}
        projections.record(connection, Event("catalog_imported", now_ns, now_ns, actor, body=body))

    database.write_now(write)
    return kept


def check_free(connection: Connection, name: str) -> None:
    """No catalog has this *name*.

    Raises:
        ConflictError: one has.
    """
    try:
        catalogs.find(connection, name)
    except NotFoundError:
        return
    raise ConflictError(f"A catalog named {name} exists already; choose another name.")


def _check(found: CatalogImport, csv: Path, *, skip_bad: bool) -> None:
    if found.problems and not skip_bad:
        shown = "; ".join(f"line {one.line}: {one.reason}" for one in found.problems[:SHOWN])
        more = len(found.problems) - SHOWN
        raise BadRowsError(
            f"{csv.name} has {len(found.problems)} bad rows ({shown}"
            + (f"; and {more} more" if more > 0 else "")
            + "). Mend them, or leave them out with --skip-bad.",
            found.problems,
            len(found.xrays),
        )
    if not found.xrays:
        raise StoreError(f"{csv.name} has no usable row.")
