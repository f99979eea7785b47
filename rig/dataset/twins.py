"""The synthetic twins of a dataset, a chunk of x-rays at a time, and their one manifest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rig.catalog.model import Xray
from rig.dataset import layout
from rig.dataset.reuse import Earlier
from rig.synthesis import manifest
from rig.synthesis.recipes import named_recipe
from rig.synthesis.runner import Failure, Item, synthesize

CHUNK = 2000
"""X-rays whose rows of the manifest are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Made:
    """Twins in the order of their x-rays, each with its row of the manifest; and what failed."""

    twins: tuple[tuple[Xray, manifest.Row], ...]
    failed: tuple[Failure, ...]


class Twins:
    """Makes twins into *folder* and writes `manifest.jsonl` there when any were asked for.

    Rows come set by set in the order of the x-rays. Their `source` is the path that the catalog's
    CSV writes: where somebody's files lie is no part of a dataset.
    """

    def __init__(self, folder: Path, earlier: Earlier) -> None:
        self._folder, self._earlier = folder, earlier
        self._growing = folder / f".{layout.MANIFEST}.growing"
        self._handle: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is None:
            return
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()
        self._growing.replace(self._folder / layout.MANIFEST)

    def make(
        self,
        xrays: Sequence[Xray],
        kind: str,
        *,
        seed: int,
        executor: Executor | None,
        progress: Callable[[int, int], None] | None,
    ) -> Made:
        """Make the twins of *xrays* of the set *kind*; see `synthesize`."""
        items = [Item(x.key, x.file, layout.synthetic(x, kind)) for x in xrays]
        journal = self._folder / manifest.NAME
        kept = self._earlier.twins(self._folder, (str(item.output) for item in items))
        if kept:
            manifest.write(journal, kept)
        summary = synthesize(
            items,
            named_recipe(kind),
            seed=seed,
            out_dir=self._folder,
            executor=executor,
            progress=progress,
        )
        rows = manifest.read(journal)
        journal.unlink()
        found = [(x, rows[str(i.output)]) for x, i in zip(xrays, items, strict=True)]
        self._append({**row, "source": xray.path} for xray, row in found)
        made = tuple((x, row) for x, row in found if "failed" not in row)
        return Made(made, summary.failed)

    def _append(self, rows: Iterable[manifest.Row]) -> None:
        if self._handle is None:
            self._handle = self._growing.open("wb")
        manifest.append(self._handle, rows)
