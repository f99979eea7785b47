"""VinDr-CXR's Table 2 and Figure 4: images with each finding, by majority of their readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rig.catalog.vindr_model import VindrTables, majority
from rig.catalog.vindr_names import FINDINGS, GLOBAL, LOCAL
from rig.errors import UserError


@dataclass(frozen=True, slots=True)
class Column:
    """One split's column of Table 2.

    Attributes:
        images: how many.
        readers: readers of an image -> images.
        boxes: rows with a box.
        positive: finding -> images of which more than half of the readers gave it. A finding that
            nobody was asked about is absent.
        ties: finding -> images of which exactly half gave it; not counted as positive.
        size: median width and height of the images, pixels; None when unknown.
    """

    images: int
    readers: Mapping[int, int]
    boxes: int
    positive: Mapping[str, int]
    ties: Mapping[str, int]
    size: tuple[float, float] | None = None

    def percent(self, finding: str) -> float:
        """Share of the images in percent."""
        return 100 * self.positive[finding] / self.images if self.images else 0.0

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "images": self.images,
            "readers": {str(number): images for number, images in self.readers.items()},
            "boxes": self.boxes,
            "size": self.size,
            "positive": dict(self.positive),
            "percent": {name: round(self.percent(name), 2) for name in self.positive},
            "ties": dict(self.ties),
        }


def table(
    tables: VindrTables, sizes: Mapping[str, tuple[int, int]] | None = None
) -> dict[str, Column]:
    """Split -> its column; *sizes*: image_id -> width and height, as far as known."""
    images: dict[str, list[str]] = {}
    for image, split in tables.splits.items():
        images.setdefault(split, []).append(image)
    drawn = Counter(box.split for box in tables.boxes if box.edges is not None)
    return {
        split: _column(tables, names, drawn[split], sizes or {})
        for split, names in sorted(images.items())
    }


def _column(
    tables: VindrTables, images: list[str], boxes: int, sizes: Mapping[str, tuple[int, int]]
) -> Column:
    readers, positive, ties = Counter[int](), Counter[str](), Counter[str]()
    asked: set[str] = set()
    for image in images:
        opinions = tables.opinions(image)
        readers[len(opinions)] += 1
        asked |= tables.asked(image)
        votes = Counter(name for said in opinions.values() for name in said)
        for name, yes in votes.items():
            positive[name] += majority(opinions, (name,))
            ties[name] += 2 * yes == len(opinions)
    known = [sizes[image] for image in images if image in sizes]
    names = [name for name in FINDINGS if name in asked]
    return Column(
        images=len(images),
        readers=dict(sorted(readers.items())),
        boxes=boxes,
        positive={name: positive[name] for name in names},
        ties={name: ties[name] for name in names if ties[name]},
        size=(median(w for w, _ in known), median(h for _, h in known)) if known else None,
    )


def draw(columns: Mapping[str, Column], file: Path) -> None:
    """Figure 4 as SVG: a bar per finding and split, local and global apart, the commonest first.

    Raises:
        UserError: matplotlib is not installed.
        OSError: *file* cannot be written.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            "The figure needs the Python package matplotlib, which is not installed: "
            "pip install 'capture-rig[export]'."
        ) from error
    # A fixed salt and no date: the same tables give the same bytes. No pyplot: no global state.
    with mpl.rc_context({"svg.hashsalt": "vindr", "svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 9), layout="constrained")
        panels = figure.subplots(2, 1, height_ratios=[1.0, 0.9])
        for axes, names, title in zip(
            panels, (LOCAL, GLOBAL), ("Local labels", "Global labels"), strict=True
        ):
            _panel(axes, columns, names, title)
        handles, labels = panels[0].get_legend_handles_labels()
        if len(columns) > 1:
            figure.legend(handles, labels, loc="outside upper right", ncols=3)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, format="svg", metadata={"Date": None})


def _panel(axes: Any, columns: Mapping[str, Column], names: tuple[str, ...], title: str) -> None:
    total = Counter[str]()
    for column in columns.values():
        total.update({name: column.positive.get(name, 0) for name in names})
    ranked = sorted(names, key=lambda name: (-total[name], name))
    width = 0.8 / max(len(columns), 1)
    for place, (split, column) in enumerate(columns.items()):
        counts = [column.positive.get(name, 0) for name in ranked]
        at = [row + place * width for row in range(len(ranked))]
        label = f"{split} ({column.images:,} images)"
        bars = axes.bar(at, counts, width=width, label=label)
        axes.bar_label(bars, labels=[f"{n:,}" for n in counts], padding=2, fontsize=8)
    middle = width * (len(columns) - 1) / 2
    axes.set_xticks([row + middle for row in range(len(ranked))], ranked, rotation=50, ha="right")
    for text in axes.get_xticklabels():
        text.set_rotation_mode("anchor")
    axes.margins(x=0.01, y=0.12)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("images")
    axes.set_title(f"{title}: images by majority of the readers")
