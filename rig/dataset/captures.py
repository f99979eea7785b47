"""`captures.parquet`: one row per photo or gap, and `environments.csv`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rig.catalog.model import Xray
from rig.dataset import conditions, layout, row_groups
from rig.dataset.errors import DatasetError
from rig.dataset.labels import write_csv
from rig.dataset.model import CapturedPhoto, Gap
from rig.dataset.row_groups import RowWriter
from rig.planning.model import Environment

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
    ("bytes", pa.int64()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("rectified_sha256", pa.string()),
    ("source_sha256", pa.string()),
    ("source_row", pa.list_(pa.string())),
    ("score", pa.float64()),
    ("homography", pa.list_(pa.float64())),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo as it lies in the dataset.

    Attributes:
        photo: what was built of.
        path: relative to the dataset.
        sha256: of the bytes there.
        bytes: how many.
        size: width and height in pixels as stored; None for what is no picture.
        rectified: SHA-256 of the rectified copy; None without one.
    """

    photo: CapturedPhoto
    path: str
    sha256: str
    bytes: int
    size: tuple[int, int] | None = None
    rectified: str | None = None


def photo_row(stored: Stored) -> dict[str, Any]:
    """The row of a photo."""
    p = stored.photo
    flat = None if p.homography is None else [float(v) for line in p.homography for v in line]
    width, height = stored.size or (None, None)
    return _xray_columns(p.xray) | {
        "path": stored.path,
        "session": p.session or None,
        "subset": p.subset or None,
        "environment": p.environment.name,
        "device": p.device,
        "attempt": p.attempt,
        "time": p.t_trigger_ns // 1000 or None,
        "t_trigger_ns": p.t_trigger_ns or None,
        "photo_sha256": p.sha256,
        "file_sha256": stored.sha256,
        "bytes": stored.bytes,
        "width": width,
        "height": height,
        "rectified_sha256": stored.rectified,
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


def film_row(
    film: Xray, path: str, sha256: str, length: int, size: tuple[int, int] | None
) -> dict[str, Any]:
    """The row of a film's photo: it has no index, no session and no environment."""
    width, height = size or (None, None)
    return {
        "key": film.key,
        "split": film.split,
        "path": path,
        "device": layout.FILM,
        "photo_sha256": film.sha256,
        "file_sha256": sha256,
        "bytes": length,
        "width": width,
        "height": height,
        "source_row": list(film.row),
    }


class CaptureWriter(RowWriter):
    """Writes rows as they come; every factor is a column, null where unknown.

    Rows are to come by index and device. The file is complete when the block ends.
    """

    def __init__(self, file: Path, root: str, factors: Sequence[str]) -> None:
        named = ((FACTOR + name, pa.string()) for name in factors)
        metadata = {b"format": FORMAT, b"dataset": root.encode()}
        fields = [*_COLUMNS, *named, *conditions.fields(factors)]
        super().__init__(file, pa.schema(fields, metadata=metadata))


def iter_captures(
    root: Path, columns: Sequence[str] | None = None, *, also: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """The rows of a dataset's `captures.parquet`, streamed; none when it has no such file.

    Args:
        root: the dataset.
        columns: those wanted; every one but `time` by default.
        also: those wanted, too, where the file has them: an older one may not.

    Raises:
        DatasetError: the file is damaged or has not the columns.
    """
    file = root / layout.CAPTURES
    if not file.is_file():
        return
    try:
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            # Python's own times end at microseconds; `t_trigger_ns` has it all.
            wanted = [n for n in names if n != "time"] if columns is None else list(columns)
            wanted += [n for n in also if n in names and n not in wanted]
            if unknown := [n for n in wanted if n not in names]:
                raise DatasetError(f"{file} has no column {unknown[0]!r}.")
            yield from row_groups.rows(parquet, wanted)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error


def read_captures(root: Path) -> list[dict[str, Any]]:
    """All rows of `iter_captures` at once; raises as that."""
    return list(iter_captures(root))


def is_build_of(folder: Path, root: str) -> bool:
    """Whether *folder* is an earlier build of the dataset *root*."""
    try:
        found = pq.read_schema(folder / layout.CAPTURES).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return found.get(b"format") == FORMAT and found.get(b"dataset") == root.encode()


@dataclass(slots=True)
class Environments:
    """Counts photos by environment as they are stored, for `environments.csv`."""

    _counts: dict[str, int] = field(default_factory=dict)
    _levels: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def add(self, environment: Environment) -> None:
        """Count one photo."""
        self._counts[environment.name] = self._counts.get(environment.name, 0) + 1
        self._levels.setdefault(environment.name, environment.levels)

    def __len__(self) -> int:
        return len(self._counts)

    def write(self, file: Path) -> None:
        """One row per environment: its levels and how many photos it has."""
        factors = list(dict.fromkeys(name for found in self._levels.values() for name in found))
        rows = (
            (name, *(self._levels[name].get(f, "") for f in factors), str(self._counts[name]))
            for name in sorted(self._counts)
        )
        write_csv(file, rows, ("environment", *factors, "images"))
