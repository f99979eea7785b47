"""What is in VinDr-CXR's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rig.catalog.vindr_names import LOCAL

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom: pixel edges of the annotated image."""


@dataclass(frozen=True, slots=True)
class Box:
    """A row of `annotations_*.csv`.

    Attributes:
        image: the image_id.
        reader: the rad_id, or empty where the file has none.
        finding: one of `FINDINGS`.
        edges: None for `No finding`, and for another global label without a box.
        split: of the file.
    """

    image: str
    reader: str
    finding: str
    edges: Edges | None
    split: str


@dataclass(frozen=True, slots=True)
class Labels:
    """A row of `image_labels_*.csv`: what *reader* said of *image*; what is absent was denied."""

    image: str
    reader: str
    positive: frozenset[str]
    split: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a label file, so that it can be written as it was.

    Attributes:
        names: column as spelled, in the order of the file.
        findings: the finding of each.
        readers: whether there is a rad_id.
    """

    names: tuple[str, ...]
    findings: tuple[str, ...]
    readers: bool


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be used: name of the file, line from 1, the reason as a sentence."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


@dataclass(frozen=True)
class VindrTables:
    """The tables of a folder.

    Attributes:
        boxes: rows of all `annotations_*.csv`, in their order.
        labels: rows of all `image_labels_*.csv`, in their order.
        columns: split -> the columns of its label file.
        named: split -> whether its annotation file has a rad_id.
    """

    boxes: tuple[Box, ...] = ()
    labels: tuple[Labels, ...] = ()
    columns: Mapping[str, Columns] = field(default_factory=dict)
    named: Mapping[str, bool] = field(default_factory=dict)

    @cached_property
    def splits(self) -> Mapping[str, str]:
        """image_id -> `train`, `valid` or `test`, by the name of the file that has it."""
        return {row.image: row.split for row in self.rows()}

    @cached_property
    def boxes_of(self) -> Mapping[str, tuple[Box, ...]]:
        """image_id -> its boxes."""
        found: dict[str, list[Box]] = {}
        for box in self.boxes:
            found.setdefault(box.image, []).append(box)
        return {image: tuple(boxes) for image, boxes in found.items()}

    @cached_property
    def labels_of(self) -> Mapping[str, tuple[Labels, ...]]:
        """image_id -> what each of its readers said."""
        found: dict[str, list[Labels]] = {}
        for row in self.labels:
            found.setdefault(row.image, []).append(row)
        return {image: tuple(rows) for image, rows in found.items()}

    def rows(self) -> Iterator[Box | Labels]:
        """Every row."""
        yield from self.labels
        yield from self.boxes

    def opinions(self, image: str) -> dict[str, frozenset[str]]:
        """What each reader of *image* found: their labels, else (without any) the boxes drawn.

        A reader who did both has one opinion, the labels; `rig readers check` says where the two
        differ.
        """
        said = {row.reader: row.positive for row in self.labels_of.get(image, ())}
        if said:
            return said
        drew: dict[str, set[str]] = {}
        for box in self.boxes_of.get(image, ()):
            drew.setdefault(box.reader, set()).add(box.finding)
        return {reader: frozenset(names) for reader, names in drew.items()}

    def asked(self, image: str) -> frozenset[str]:
        """Findings that the readers of *image* were asked about: absence of these is a denial."""
        if rows := self.labels_of.get(image):
            columns = self.columns.get(rows[0].split)
            return frozenset(columns.findings) if columns else frozenset()
        # Boxes alone tell all local findings, and of the global ones only what is written.
        said = {box.finding for box in self.boxes_of.get(image, ())}
        return frozenset(LOCAL) | said if said else frozenset()


def majority(opinions: Mapping[str, frozenset[str]], names: tuple[str, ...]) -> bool:
    """Whether more than half of the readers found any of *names*; a tie is no majority."""
    yes = sum(not positive.isdisjoint(names) for positive in opinions.values())
    return 2 * yes > len(opinions)
