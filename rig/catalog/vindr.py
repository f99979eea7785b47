"""VinDr-CXR's annotations, both ways: read, written, and said in CheXpert's words.

`annotations_{train,test}.csv` has `image_id`, `class_name`, `x_min`, `y_min`, `x_max`, `y_max` and,
for the training set, `rad_id`. `image_labels_{train,test}.csv` is wide: `image_id`, `rad_id` (not
in every file) and a column of 0 and 1 per finding. All columns are found by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rig.catalog.model import OBSERVATIONS, SPLITS
from rig.catalog.vindr_model import RowProblem, VindrTables, majority
from rig.catalog.vindr_names import CHEXPERT
from rig.catalog.vindr_read import Places, read_annotations, read_labels
from rig.catalog.vindr_write import write_tables
from rig.errors import UserError

__all__ = ["VindrTables", "chexpert_labels", "read_files", "read_tables", "write_tables"]

_SHOWN = 5
_ALSO = {"val": "valid", "validation": "valid", "annotations": "train", "labels": "train"}


def read_tables(folder: Path) -> VindrTables:
    """Read every `annotations_*.csv` and `image_labels_*.csv` in *folder*.

    Raises:
        UserError: there is none, one cannot be read, or a row is broken (the first are told).
    """
    tables, problems = read_files(files_in(folder))
    if problems:
        more = f" ... and {len(problems) - _SHOWN} more." if len(problems) > _SHOWN else ""
        raise UserError(" ".join(map(str, problems[:_SHOWN])) + more)
    return tables


def files_in(folder: Path) -> list[Path]:
    """The tables in *folder* (or its folder `annotations`), sorted.

    Raises:
        UserError: there is none.
    """
    for place in (folder, folder / "annotations"):
        found = [*place.glob("annotations*.csv"), *place.glob("image_labels*.csv")]
        if found:
            return sorted(found)
    raise UserError(f"{folder} holds no annotations_*.csv and no image_labels_*.csv.")


def read_files(files: Sequence[Path]) -> tuple[VindrTables, tuple[RowProblem, ...]]:
    """Read *files*; rows that cannot be used are left out and told.

    Raises:
        UserError: a file cannot be read at all, or its name says no split.
    """
    tables = VindrTables()
    problems: list[RowProblem] = []
    places = Places()
    for file in files:
        split = _split(file)
        if file.stem.startswith("annotations"):
            boxes, named = read_annotations(file, split, problems, places)
            tables = VindrTables(
                (*tables.boxes, *boxes),
                tables.labels,
                tables.columns,
                {**tables.named, split: named},
            )
        else:
            labels, columns = read_labels(file, split, problems, places)
            tables = VindrTables(
                tables.boxes,
                (*tables.labels, *labels),
                {**tables.columns, split: columns},
                tables.named,
            )
    return tables, tuple(problems)


def _split(file: Path) -> str:
    name = file.stem.rpartition("_")[2].lower()
    split = _ALSO.get(name, name)
    if split not in SPLITS:
        raise UserError(
            f"{file.name} does not say its split: name it like annotations_train.csv "
            f"({', '.join(SPLITS)})."
        )
    return split


def chexpert_labels(tables: VindrTables, image_id: str) -> dict[str, str]:
    """The 14 observations of an image by the majority of its readers.

    A reader who gave any finding that means an observation (`CHEXPERT`) affirms it. `1.0` more than
    half affirm it, `0.0` they were asked and do not, empty: VinDr does not ask, or nobody read the
    image.
    """
    opinions, asked = tables.opinions(image_id), tables.asked(image_id)
    labels = {}
    for observation in OBSERVATIONS:
        names = CHEXPERT.get(observation, ())
        if not opinions or asked.isdisjoint(names):
            labels[observation] = ""
        else:
            labels[observation] = "1.0" if majority(opinions, names) else "0.0"
    return labels
