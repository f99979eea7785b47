"""A folder of an export: it appears whole or not at all and replaces only its own like."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.dataset.errors import DatasetError
from rig.dataset.files import (
    partial_name,
    recover,
    remove_tree,
    replace_folder,
    settle,
    write_durably,
)

MARKER = ".rig-export.json"
"""Says of which dataset and form a folder is an export."""


@contextmanager
def new_folder(root: Path, form: str, out: Path | None) -> Iterator[tuple[Path, Path]]:
    """Yield (folder to fill, its final name); it gets its name when the block ends well.

    Args:
        root: the dataset.
        form: of the export.
        out: the folder; `<dataset>-<form>` beside the dataset by default.

    Raises:
        DatasetError: *out* is inside the dataset, holds it, or is something else.
    """
    root = root.resolve()
    final = root.with_name(f"{root.name}-{form}") if out is None else out.absolute()
    if root == final or root in final.parents or final in root.parents:
        raise DatasetError(f"{final} and the dataset {root} must not be inside each other.")
    mark = {"format": "capture-rig-export/1", "form": form, "dataset": root.name}
    final.parent.mkdir(parents=True, exist_ok=True)
    recover(final)
    if final.exists() and not _is_ours(final, mark):
        raise DatasetError(
            f"{final} exists and is not an earlier {form} export of {root.name}; choose another "
            "--out or move it away."
        )
    partial = partial_name(final)
    remove_tree(partial)
    partial.mkdir()
    try:
        yield partial, final
        with write_durably(partial / MARKER) as handle:
            handle.write(json.dumps(mark) + "\n")
        settle(partial)
        replace_folder(partial, final)
    except BaseException:
        remove_tree(partial)
        raise


def _is_ours(folder: Path, mark: dict[str, Any]) -> bool:
    """An empty folder is nobody's and may be taken."""
    if not folder.is_dir():
        return False
    try:
        return bool(json.loads((folder / MARKER).read_text(encoding="utf-8")) == mark)
    except (OSError, ValueError):
        return not any(folder.iterdir())


def place(source: Path, target: Path, *, copy: bool) -> None:
    """Put the picture *source* at *target*: a hard link where there are such, else a copy.

    Raises:
        OSError: it cannot be read or written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not copy:
        try:
            target.hardlink_to(source)
        except OSError:  # another file system, or one without links
            pass
        else:
            return
    shutil.copyfile(source, target)
