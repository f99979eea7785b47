"""What must hold between boxes and labels of each reader, and where it does not.

VinDr-CXR's readers were kept from forgetting the global label, and from marking lesions in an image
they called `No finding` (Nguyen et al. 2022, "Technical Validation"); the released local labels are
those that have a box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rig.catalog.vindr_model import VindrTables
from rig.catalog.vindr_names import FINDINGS, GLOBAL, LOCAL, NO_FINDING

RULES: dict[str, str] = {
    "global label": "a reader gives at least one global label",
    "no finding alone": "No finding stands alone, without label and box",
    "local label, box": "a local label has a box of that finding",
    "box, local label": "a box has the local label of its finding",
    "global box": "global labels have no box",
    "labels missing": "who draws boxes in an image gives its labels",
}
"""Rule -> what it asks for."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a reader broke in an image; `reader` is empty for a consensus."""

    rule: str
    image: str
    reader: str
    sentence: str


def broken_rules(tables: VindrTables) -> Iterator[Broken]:
    """Every broken rule, image by image in the order of the tables.

    A table that is not there breaks no rule: with labels alone or boxes alone, only what can be
    seen is checked.
    """
    for image in tables.splits:
        labels = {row.reader: row.positive for row in tables.labels_of.get(image, ())}
        drawn: dict[str, set[str]] = {}
        for box in tables.boxes_of.get(image, ()):
            drawn.setdefault(box.reader, set()).add(box.finding)
            if box.edges is not None and box.finding in GLOBAL:
                yield Broken("global box", image, box.reader, f"drew a box of {box.finding}")
        for reader in dict.fromkeys((*labels, *drawn)):
            said = labels.get(reader) if tables.labels else None
            drew = drawn.get(reader, set()) if tables.boxes else None
            for rule, sentence in _of_reader(tables, said, drew):
                yield Broken(rule, image, reader, sentence)


def _of_reader(
    tables: VindrTables, said: frozenset[str] | None, drew: set[str] | None
) -> Iterator[tuple[str, str]]:
    if tables.labels and said is None:
        yield "labels missing", f"drew {_list(drew or ())} and gave no labels"
    if said is not None and said.isdisjoint(GLOBAL):
        yield "global label", "gave no global label"
    every = (said or frozenset()) | (drew or set())
    if NO_FINDING in every and len(every) > 1:
        others = _list(every - {NO_FINDING})
        yield "no finding alone", f"gave No finding, and {others}"
    if said is not None and drew is not None:
        local = said.intersection(LOCAL)
        boxes = drew.intersection(LOCAL)
        if local - boxes:
            yield "local label, box", f"gave {_list(local - boxes)} and drew no box of it"
        if boxes - local:
            yield "box, local label", f"drew {_list(boxes - local)} and did not give the label"


def _list(names: object) -> str:
    return ", ".join(name for name in FINDINGS if name in names)  # type: ignore[operator]
