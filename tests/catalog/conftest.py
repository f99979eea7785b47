"""A small CheXpert-format dataset that a test can bend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rig.catalog.model import COLUMNS

Write = Callable[..., Path]


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Write a small grey JPEG at a path below the data folder."""

    def write(path: str, grey: int = 90, size: tuple[int, int] = (24, 16)) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, grey).save(file)
        return file

    return write


@pytest.fixture
def row() -> Callable[..., list[str]]:
    """A row of 19 values with the given ones set."""

    def make(path: str, **cells: str) -> list[str]:
        values = dict.fromkeys(COLUMNS, "")
        values.update({"Path": path, "Sex": "Female", "Age": "61", "Frontal/Lateral": "Frontal"})
        values.update({name.replace("_", " "): value for name, value in cells.items()})
        return list(values.values())

    return make


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a CSV with CheXpert's header (or another one)."""

    def write(
        *rows: list[str],
        header: list[str] | None = None,
        name: str = "train.csv",
        newline: str = "\n",
        bom: bool = False,
    ) -> Path:
        lines = [",".join(header or COLUMNS), *(",".join(r) for r in rows)]
        text = newline.join(lines) + newline
        file = tmp_path / name
        file.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
        return file

    return write
