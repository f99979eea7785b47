"""The tables of `rig dataset stats` as one picture each (SVG), the same for the same dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rig.dataset.export.extras import package
from rig.dataset.statistics import ALL, Statistics

_COLOURS = {
    "positive": "#b2182b",
    "uncertain": "#f4a582",
    "negative": "#92c5de",
    "blank": "#dddddd",
}
_BAR = "#2166ac"


def draw(
    stats: Statistics,
    out: Path,
    *,
    blanks: bool = False,
    image_labels: Mapping[str, int] | None = None,
) -> list[Path]:
    """Draw into the folder *out*: labels, images, environments, balance, findings.

    A picture of something that the dataset has not is left out.

    Args:
        stats: the figures.
        out: made when missing.
        blanks: list blank labels apart from negative ones.
        image_labels: finding -> x-rays by majority of the readers, drawn instead of the boxes'.

    Raises:
        DatasetError: matplotlib is not installed.
        OSError: *out* cannot be written.
    """
    matplotlib = package("matplotlib", "--plots")
    out.mkdir(parents=True, exist_ok=True)
    found = image_labels or (stats.findings.xrays if stats.findings else {})
    pictures: dict[str, tuple[bool, Callable[[Any], None]]] = {
        "labels": (True, lambda figure: _labels(figure, stats, blanks)),
        "images": (True, lambda figure: _images(figure, stats)),
        "environments": (bool(stats.environments), lambda figure: _environments(figure, stats)),
        "balance": (_varies(stats), lambda figure: _balance(figure, stats)),
        "findings": (bool(found), lambda figure: _findings(figure, found)),
    }
    files = []
    # A fixed salt and no date: the same dataset gives the same bytes. No pyplot: no global state.
    with matplotlib.rc_context({"svg.hashsalt": stats.name, "svg.fonttype": "none"}):
        for name, (wanted, paint) in pictures.items():
            if wanted:
                figure = package("matplotlib.figure", "--plots").Figure(layout="constrained")
                paint(figure)
                files.append(out / f"{name}.svg")
                figure.savefig(files[-1], format="svg", metadata={"Date": None})
    return files


def _varies(stats: Statistics) -> bool:
    return any(value is not None for value in stats.balance.values())


def _labels(figure: Any, stats: Statistics, blanks: bool) -> None:
    """CheXphoto's Table 1: shares of x-rays."""
    figure.set_size_inches(8, 5)
    axes = figure.subplots()
    table = {o: c.as_json(blanks=blanks) for o, c in stats.observations[ALL].items()}
    names = list(table)
    left = [0.0] * len(names)
    for meaning in ("positive", "uncertain", "negative", *(("blank",) if blanks else ())):
        share = [table[name]["percent"][meaning] for name in names]
        axes.barh(names, share, left=left, label=meaning, color=_COLOURS[meaning])
        left = [a + b for a, b in zip(left, share, strict=True)]
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"share of {stats.xrays[ALL]:,} x-rays, %")
    axes.set_title(f"{stats.name}: labels" + ("" if blanks else " (blank counts as negative)"))
    figure.legend(loc="outside lower center", ncols=4)


def _images(figure: Any, stats: Statistics) -> None:
    """CheXphoto's Table 3: images per set and split."""
    names = sorted({name for table in stats.sets.values() for name in table})
    figure.set_size_inches(8, 1.5 + 0.4 * len(names) * len(stats.sets))
    axes = figure.subplots()
    height = 0.8 / max(len(stats.sets), 1)
    for place, (split, table) in enumerate(stats.sets.items()):
        counts = [table[name].images if name in table else 0 for name in names]
        rows = [row + place * height for row in range(len(names))]
        bars = axes.barh(rows, counts, height=height, label=split)
        axes.bar_label(bars, labels=[f"{n:,}" if n else "" for n in counts], padding=2)
    axes.set_yticks([row + height * (len(stats.sets) - 1) / 2 for row in range(len(names))], names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("images")
    axes.set_title(f"{stats.name}: images (an x-ray with several twins counts once in synthetic)")
    figure.legend(loc="outside lower center", ncols=3)


def _environments(figure: Any, stats: Statistics) -> None:
    """Environments by devices."""
    rooms = list(stats.environments)
    devices = sorted({device for found in stats.environments.values() for device in found})
    counts = [[stats.environments[room].get(device, 0) for device in devices] for room in rooms]
    figure.set_size_inches(5 + 1.2 * len(devices), 1.8 + 0.4 * len(rooms))
    axes = figure.subplots()
    picture = axes.imshow(counts, cmap="Blues", vmin=0, aspect="auto")
    axes.set_xticks(range(len(devices)), devices)
    axes.set_yticks(range(len(rooms)), rooms)
    most = max(map(max, counts))
    for y, row in enumerate(counts):
        for x, number in enumerate(row):
            colour = "white" if number > 0.6 * most else "black"
            axes.text(x, y, f"{number:,}", ha="center", va="center", color=colour)
    figure.colorbar(picture, ax=axes, label="photos")
    axes.set_title("Photos by environment and device")


def _balance(figure: Any, stats: Statistics) -> None:
    """How far each label goes with the environment."""
    known = {name: value for name, value in stats.balance.items() if value is not None}
    figure.set_size_inches(8, 4.5)
    axes = figure.subplots()
    bars = axes.barh(list(known), list(known.values()), color=_BAR)
    axes.bar_label(bars, fmt="%.2f", padding=2)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("Cramér's V between environment and label (0 independent, 1 the same)")
    axes.set_title(f"{stats.name}: label balance across environments")


def _findings(figure: Any, found: Mapping[str, int]) -> None:
    """VinDr-CXR's Figure 4: x-rays with each finding by majority of the readers."""
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    figure.set_size_inches(9, 4.5)
    axes = figure.subplots()
    bars = axes.bar([name for name, _ in ranked], [count for _, count in ranked], color=_BAR)
    axes.bar_label(bars, labels=[f"{count:,}" for _, count in ranked], padding=2)
    axes.tick_params(axis="x", rotation=60)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
    axes.margins(y=0.1)
    axes.set_ylabel("x-rays")
    axes.set_title("Findings and diagnoses by majority of the readers")
