"""`captures.parquet`: one row per photo or gap, and `environments.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rig.catalog.model import Xray
from rig.dataset import conditions, layout
from rig.dataset.errors import DatasetError
from rig.dataset.labels import write_csv
from rig.dataset.model import CapturedPhoto, Gap

FORMAT = b"capture-rig-dataset/1"
"""Marks a folder as a build of ours."""
FACTOR = "factor_"
"""Prefix of the columns with the levels of the environment."""

_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("index", pa.int64()),
    ("key", pa.string()),
    ("split", pa.string()),
    ("path", pa.string()),
    ("gap", pa.string()),
    ("session", pa.string()),
    ("subset", pa.int32()),
    ("environment", pa.string()),
    ("device", pa.string()),
    ("attempt", pa.int32()),
    ("time", pa.timestamp("us", "UTC")),
    ("t_trigger_ns", pa.int64()),
    ("photo_sha256", pa.string()),
    ("file_sha256", pa.string()),
    ("source_sha256", pa.string()),
    ("source_row", pa.list_(pa.string())),
    ("score", pa.float64()),
    ("homography", pa.list_(pa.float64())),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo as it lies in the dataset: path relative to it, and the digest of its bytes there."""

    photo: CapturedPhoto
    path: str
    sha256: str


def photo_row(stored: Stored) -> dict[str, Any]:
    """The row of a photo."""
    p = stored.photo
    flat = None if p.homography is None else [float(v) for line in p.homography for v in line]
    return _xray_columns(p.xray) | {
        "path": stored.path,
        "session": p.session,
        "subset": p.subset,
        "environment": p.environment.name,
        "device": p.device,
        "attempt": p.attempt,
        "time": p.t_trigger_ns // 1000 or None,
        "t_trigger_ns": p.t_trigger_ns or None,
        "photo_sha256": p.sha256,
        "file_sha256": stored.sha256,
        "score": p.score,
        "homography": flat,
        **{FACTOR + name: level for name, level in p.environment.levels.items()},
        **conditions.columns(p.conditions),
    }


def gap_row(gap: Gap, xray: Xray | None) -> dict[str, Any]:
    """The row of a gap: the reason, and nothing about a photo."""
    known = {} if xray is None else _xray_columns(xray)
    return {"index": gap.index, "key": gap.key, "gap": gap.reason} | known


def _xray_columns(xray: Xray) -> dict[str, Any]:
    return {
        "index": xray.index,
        "key": xray.key,
        "split": xray.split,
        "source_sha256": xray.sha256,
        "source_row": list(xray.row),
    }


def write_captures(file: Path, rows: Sequence[Mapping[str, Any]], root: str) -> None:
    """Write *rows* by index and device; every factor is a column, null where it does not apply."""
    factors = sorted({name for row in rows for name in row if name.startswith(FACTOR)})
    known = conditions.fields([name.removeprefix(FACTOR) for name in factors])
    fields = [*_COLUMNS, *((name, pa.string()) for name in factors), *known]
    schema = pa.schema(fields, metadata={b"format": FORMAT, b"dataset": root.encode()})
    ordered = sorted(rows, key=lambda row: (row["index"], row.get("device") or ""))
    columns = [pa.array([row.get(name) for row in ordered], kind) for name, kind in fields]
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), file, compression="zstd")


def read_captures(root: Path) -> list[dict[str, Any]]:
    """The rows of a dataset's `captures.parquet`; empty when it has none.

    Raises:
        DatasetError: the file is damaged.
    """
    file = root / layout.CAPTURES
    if not file.is_file():
        return []
    try:
        # As nanoseconds: Python's own times end at microseconds, and to refuse would lose the row.
        table = pq.read_table(file).drop_columns(["time"])
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error
    return rows


def is_build_of(folder: Path, root: str) -> bool:
    """Whether *folder* is an earlier build of the dataset *root*."""
    try:
        found = pq.read_schema(folder / layout.CAPTURES).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return found.get(b"format") == FORMAT and found.get(b"dataset") == root.encode()


def write_environments(file: Path, photos: Sequence[CapturedPhoto]) -> None:
    """One row per environment: its levels and how many photos it has."""
    counts: dict[str, int] = {}
    levels: dict[str, Mapping[str, str]] = {}
    for photo in photos:
        counts[photo.environment.name] = counts.get(photo.environment.name, 0) + 1
        levels.setdefault(photo.environment.name, photo.environment.levels)
    factors = list(dict.fromkeys(name for found in levels.values() for name in found))
    rows = (
        (name, *(levels[name].get(factor, "") for factor in factors), str(counts[name]))
        for name in sorted(counts)
    )
    write_csv(file, rows, ("environment", *factors, "images"))
