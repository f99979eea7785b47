"""Parquet written and read row by row in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1024
"""Rows kept as Python objects at a time."""
GROUP = 32 * ROWS
"""Rows of a group of the file.

Both writer and reader hold what is known of every group (place, size, least and greatest value of
each column) until they close the file: some 50 kB for forty columns. In groups of `ROWS` rows that
was 120 MB for ten million; rows that wait for their group as Arrow's own columns take 20 MB.
"""


class RowWriter:
    """Writes rows of *schema* to *file*; a name that a row has not is null.

    The file is complete when the block ends. The same rows give the same bytes.
    """

    def __init__(self, file: Path, schema: pa.Schema, *, compression: str = "zstd") -> None:
        self._schema = schema
        self._fields = [(field.name, field.type) for field in schema]
        self._writer = pq.ParquetWriter(file, schema, compression=compression)
        self._rows: list[Mapping[str, Any]] = []
        self._ready: list[pa.RecordBatch] = []
        self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._pack()
            self._write()
        self._writer.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Append one row."""
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._pack()
            if self._waiting >= GROUP:
                self._write()

    def _pack(self) -> None:
        """Make columns of the rows."""
        if self._rows:
            columns = [pa.array([r.get(n) for r in self._rows], kind) for n, kind in self._fields]
            self._ready.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
            self._waiting += len(self._rows)
            self._rows.clear()

    def _write(self) -> None:
        """Write what waits as one group."""
        if self._ready:
            table = pa.Table.from_batches(self._ready, self._schema)
            self._writer.write_table(table, row_group_size=self._waiting)
            self._ready.clear()
            self._waiting = 0


def rows(parquet: pq.ParquetFile, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of *parquet*, group by group; all columns unless some are named.

    One iteration over all groups keeps some 300 kB of each until it ends, 100 MB for ten million
    rows of seven columns.
    """
    wanted = None if columns is None else list(columns)
    for group in range(parquet.num_row_groups):
        for batch in parquet.iter_batches(batch_size=ROWS, row_groups=[group], columns=wanted):
            yield from batch.to_pylist()
