"""Catalogs as they are kept: the ordered x-rays, written once, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from rig.catalog.model import OBSERVATIONS, Xray
from rig.store.errors import ConflictError, NotFoundError, StoreError
from rig.store.tables import catalog, xray

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""Names of catalogs, campaigns and stations."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """A kept catalog, without its x-rays.

    Attributes:
        id: 16 hex digits.
        name: unique, matches `NAME`.
        csv: the source CSV, absolute.
        data_dir: the folder the images were read from, absolute.
        ordering: `csv`, `patient` or `shuffle`.
        seed: of the shuffle.
        count: number of x-rays; their indices are 1..count.
        problems: rows that were left out: `{"line", "path", "reason"}`.
        created_ns: Unix time.
    """

    id: str
    name: str
    csv: str
    data_dir: str
    ordering: str
    seed: int
    count: int
    problems: list[dict[str, Any]]
    created_ns: int


def check_name(name: str, what: str) -> str:
    """*name*, if it may name a *what*.

    Raises:
        StoreError: it holds anything but letters, digits, dots, dashes and underscores.
    """
    if not NAME.fullmatch(name):
        raise StoreError(
            f"{name[:70]!r} cannot name a {what}: use 1 to 64 letters, digits, dots, dashes or "
            "underscores, beginning with a letter or digit."
        )
    return name


def save(connection: Connection, kept: Catalog, xrays: Iterable[Xray]) -> None:
    """Write *kept* and all its x-rays in the caller's transaction.

    Raises:
        ConflictError: a catalog of that name exists.
    """
    check_name(kept.name, "catalog")
    if connection.scalar(select(catalog.c.id).where(catalog.c.name == kept.name)):
        raise ConflictError(
            f"A catalog named {kept.name} exists already and catalogs never change. "
            "Choose another name."
        )
    row = {field: getattr(kept, field) for field in Catalog.__dataclass_fields__}
    connection.execute(insert(catalog).values(**row))
    rows = [_to_row(kept.id, one) for one in xrays]
    if rows:
        connection.execute(insert(xray), rows)


def find(connection: Connection, name: str) -> Catalog:
    """The catalog named *name*.

    Raises:
        NotFoundError: there is none.
    """
    row = connection.execute(select(catalog).where(catalog.c.name == name)).mappings().first()
    if row is None:
        known = ", ".join(connection.scalars(select(catalog.c.name).order_by(catalog.c.name)))
        raise NotFoundError(f"No catalog is named {name!r}. Known: {known or 'none yet'}.")
    return Catalog(**row)


def every(connection: Connection) -> list[Catalog]:
    """All catalogs, oldest first."""
    query = select(catalog).order_by(catalog.c.created_ns, catalog.c.name)
    return [Catalog(**row) for row in connection.execute(query).mappings()]


def xrays(
    connection: Connection, catalog_id: str, first: int = 1, last: int | None = None
) -> tuple[Xray, ...]:
    """The x-rays with *first* <= index <= *last* (default: to the end), in order."""
    query = select(xray).where(xray.c.catalog == catalog_id, xray.c.idx >= first)
    if last is not None:
        query = query.where(xray.c.idx <= last)
    return tuple(
        _from_row(row) for row in connection.execute(query.order_by(xray.c.idx)).mappings()
    )


def labels(connection: Connection, catalog_id: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Index and the labels of each x-ray, as `OBSERVATIONS` are ordered; by index.

    For figures over a whole catalog: `xrays` makes far more of each row than they need.
    """
    query = select(xray.c.idx, xray.c.row).where(xray.c.catalog == catalog_id).order_by(xray.c.idx)
    for index, row in connection.execute(query):
        yield index, tuple(row[-len(OBSERVATIONS) :])


def image_file(connection: Connection, sha256: str) -> Path:
    """The file that held the image of this hash when it was imported.

    Raises:
        NotFoundError: no catalog has such an image.
    """
    file = connection.scalar(select(xray.c.file).where(xray.c.sha256 == sha256).limit(1))
    if file is None:
        raise NotFoundError(f"No catalog holds an image with SHA-256 {sha256[:16]}...")
    return Path(file)


def _to_row(catalog_id: str, one: Xray) -> dict[str, Any]:
    return {
        "catalog": catalog_id,
        "idx": one.index,
        "key": one.key,
        "path": one.path,
        "file": str(one.file),
        "sha256": one.sha256,
        "width": one.width,
        "height": one.height,
        "split": one.split,
        "row": list(one.row),
    }


def _from_row(row: RowMapping) -> Xray:
    return Xray(
        index=row["idx"],
        key=row["key"],
        path=row["path"],
        file=Path(row["file"]),
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
        split=row["split"],
        row=tuple(row["row"]),
    )
