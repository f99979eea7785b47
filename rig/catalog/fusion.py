"""One set of boxes out of several readers': weighted boxes fusion (Solovyev et al. 2021).

Computed by ensemble-boxes. Within an image and finding, boxes that overlap from `iou` on become one
whose corners are the mean of theirs. Every reader weighs the same, every box has score 1, and a
fused box's score is the share of the image's readers who drew it (`box_and_model_avg`: a reader who
drew two in the same place counts once).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rig.catalog.vindr_model import Box, Columns, Edges, Labels, VindrTables, majority
from rig.catalog.vindr_names import FINDINGS, GLOBAL, LOCAL, NO_FINDING
from rig.errors import UserError

IOU = 0.4
"""From which overlap on two boxes are the same: readers draw the same finding by 0.4 to 0.9."""
SHARE = 0.5
"""More than this share of the readers must have drawn a fused box."""


@dataclass(frozen=True, slots=True)
class Fused:
    """What came of it.

    Attributes:
        tables: without readers; boxes, and (if there were any) labels that fit them: a local label
            is given where a box is kept, a global one by majority of the readers.
        shares: for each row of `tables.boxes` with a box, the share of readers, 0..1.
        boxes_in: boxes that went in.
        dropped: fused boxes that too few readers drew.
        undecided: images of which no finding and no No finding has a majority.
        scattered: (image, finding) that most readers gave, but of which too few drew the same box.
    """

    tables: VindrTables
    shares: tuple[float, ...]
    boxes_in: int
    dropped: int
    undecided: tuple[str, ...]
    scattered: tuple[tuple[str, str], ...]


def fuse(
    tables: VindrTables,
    *,
    iou: float = IOU,
    share: float = SHARE,
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> Fused:
    """Fuse the boxes of every image.

    Args:
        tables: boxes of several readers, and if you like their labels.
        iou: intersection over union from which boxes are the same, 0..1.
        share: keep boxes that more than this share of the image's readers drew; 0 keeps all.
        sizes: image_id -> width and height, to make coordinates 0..1. Without, the extent of the
            image's boxes does: overlaps and means do not depend on the scale.

    Raises:
        UserError: the extra `readers` is not installed, or a box is larger than its image.
    """
    boxes: list[Box] = []
    shares: list[float] = []
    labels: list[Labels] = []
    undecided: list[str] = []
    scattered: list[tuple[str, str]] = []
    dropped = 0
    for image, split in tables.splits.items():
        opinions = tables.opinions(image)
        found = fuse_image(
            tables.boxes_of.get(image, ()), len(opinions), iou, (sizes or {}).get(image)
        )
        kept = [(name, edges, score) for name, edges, score in found if score > share + 1e-6]
        dropped += len(found) - len(kept)
        boxes += [Box(image, "", name, edges, split) for name, edges, _ in kept]
        shares += [score for *_, score in kept]
        drawn = {name for name, *_ in kept}
        given = {name for name in FINDINGS if majority(opinions, (name,))}
        scattered += [(image, name) for name in LOCAL if name in given - drawn]
        said = drawn | {name for name in GLOBAL if name in given and name != NO_FINDING}
        if not said and NO_FINDING in given:
            said = {NO_FINDING}
            boxes.append(Box(image, "", NO_FINDING, None, split))
        if not said:
            undecided.append(image)
        labels.append(Labels(image, "", frozenset(said), split))
    columns = {
        split: Columns(one.names, one.findings, readers=False)
        for split, one in tables.columns.items()
    }
    return Fused(
        tables=VindrTables(
            tuple(boxes),
            tuple(row for row in labels if row.split in columns),
            columns,
            dict.fromkeys(tables.named, False),
        ),
        shares=tuple(shares),
        boxes_in=sum(box.edges is not None for box in tables.boxes),
        dropped=dropped,
        undecided=tuple(undecided),
        scattered=tuple(scattered),
    )


def fuse_image(
    boxes: tuple[Box, ...], readers: int, iou: float, size: tuple[int, int] | None = None
) -> list[tuple[str, Edges, float]]:
    """Finding, edges and share of readers (0..1) of every fused box of one image.

    Args:
        boxes: of all readers.
        readers: how many read the image, with boxes or without.
        iou: from which overlap on boxes are the same.
        size: width and height of the image.

    Raises:
        UserError: as `fuse`.
    """
    drawn = [(box, box.edges) for box in boxes if box.edges is not None]
    if not drawn:
        return []
    width, height = size or (max(e[2] for _, e in drawn), max(e[3] for _, e in drawn))
    if out := next((box for box, e in drawn if e[2] > width or e[3] > height), None):
        raise UserError(f"A box of image {out.image} is larger than the image: is its size right?")
    who = list(dict.fromkeys(box.reader for box, _ in drawn))
    lists: list[list[Edges]] = [[] for _ in range(max(readers, len(who)))]
    kinds: list[list[int]] = [[] for _ in lists]
    for box, (left, top, right, bottom) in drawn:
        place = who.index(box.reader)
        lists[place].append((left / width, top / height, right / width, bottom / height))
        kinds[place].append(LOCAL.index(box.finding) if box.finding in LOCAL else -1)
    found, scores, names = _package().weighted_boxes_fusion(
        lists,
        [[1.0] * len(one) for one in lists],
        kinds,
        weights=None,
        iou_thr=iou,
        skip_box_thr=0.0,
        conf_type="box_and_model_avg",
    )
    rows = [
        (
            LOCAL[int(name)],
            (a * width, b * height, c * width, d * height),
            min(round(float(score), 6), 1.0),
        )
        for (a, b, c, d), score, name in zip(found.tolist(), scores, names, strict=True)
        if name >= 0
    ]
    return sorted(rows, key=lambda row: (LOCAL.index(row[0]), -row[2], row[1]))


def _package() -> Any:
    """ensemble-boxes, which compiles functions when it is loaded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("ensemble_boxes")
    except ImportError as error:
        raise UserError(
            "Fusion needs the Python package ensemble-boxes, which is not installed: "
            "pip install 'capture-rig[readers]'."
        ) from error
