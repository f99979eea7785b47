"""Statistics and checks as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rig.dataset.collection import ReaderFindings
from rig.dataset.statistics import ALL, Statistics
from rig.dataset.vindr import ImageLabels


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned: the first to the left, the others to the right."""
    every = [list(header), *map(list, rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(header))]
    lines = []
    for row in every:
        first, *rest = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def statistics_text(stats: Statistics, *, blanks: bool = False) -> str:
    """Table 1, Table 3, patient overlap and environments."""
    parts = [stats.name, ""]
    splits = [split for split in stats.observations if split != ALL]
    for split in [*splits, ALL] if len(splits) > 1 else splits:
        parts += [
            f"Labels, {split} ({stats.xrays[split]} x-rays)",
            _labels(stats, split, blanks),
            "",
        ]
    rows = [
        [f"{split} {name}", *(f"{n:,}" for n in amount.as_json().values())]
        for split, table in stats.sets.items()
        for name, amount in table.items()
    ]
    parts += ["Images", text_table(("set", "patients", "studies", "images"), rows), ""]
    parts.append(f"Patients in more than one split: {len(stats.overlap)}")
    if stats.gaps:
        parts.append(f"X-rays without a photo: {stats.gaps}")
    if stats.environments:
        parts += ["", "Environments", _environments(stats)]
        worst = max((v for v in stats.balance.values() if v is not None), default=None)
        if worst is not None:
            parts.append(f"Largest Cramer's V between environment and a label: {worst:.2f}")
        parts += ["", "Cramer's V of environment and label", _balance(stats)]
    parts += ["", "Collection", _collection(stats)]
    if stats.findings is not None:
        parts += ["", "Findings of the readers", _findings(stats.findings)]
    return "\n".join(parts)


def labels_text(labels: ImageLabels) -> str:
    """Image labels by majority of the readers."""
    rows = [[name, f"{count:,}"] for name, count in labels.positive.items()]
    return f"Image labels, {labels.images:,} x-rays\n" + text_table(("label", "x-rays"), rows)


def _balance(stats: Statistics) -> str:
    rows = [[n, "-" if v is None else f"{v:.2f}"] for n, v in stats.balance.items()]
    return text_table(("observation", "V"), rows)


def _collection(stats: Statistics) -> str:
    found = stats.collection
    years = "unknown" if found.years is None else "-".join(map(str, dict.fromkeys(found.years)))
    size = "unknown" if found.size is None else f"{found.size[0]:g} x {found.size[1]:g}"
    age = "unknown" if found.age is None else f"{found.age:g} (of {found.ages_known:,} known)"
    sex = "unknown"
    if found.male is not None:
        sex = f"{found.male:.1f}% / {found.female:.1f}% (of {found.sexes_known:,} known)"
    rows = [
        ["years of the photos", years],
        ["x-rays", f"{found.xrays:,}"],
        ["images", f"{found.images:,}"],
        ["median photo size", size],
        ["median age", age],
        ["male / female", sex],
        ["size on disk", f"{found.gigabytes:.3f} GB"],
    ]
    if stats.findings is not None:
        told = ", ".join(f"{n}: {count:,}" for n, count in stats.findings.readers.items())
        rows.append(["x-rays by readers", told])
    return text_table(("", "value"), rows)


def _findings(found: ReaderFindings) -> str:
    names = list(dict.fromkeys([*found.xrays, *found.boxes]))
    rows = [[n, f"{found.xrays.get(n, 0):,}", f"{found.boxes.get(n, 0):,}"] for n in names]
    table = text_table(("finding", "x-rays (majority)", "boxes in images"), rows)
    return f"{table}\nBoxes that fall out of their picture: {found.dropped:,}"


def _labels(stats: Statistics, split: str, blanks: bool) -> str:
    names = ["positive", "uncertain", "negative", *(["blank"] if blanks else [])]
    rows = []
    for observation, counts in stats.observations[split].items():
        found = counts.as_json(blanks=blanks)
        cells = [f"{found[name]:,} ({found['percent'][name]:.1f}%)" for name in names]
        rows.append([observation, *cells])
    return text_table(("observation", *names), rows)


def _environments(stats: Statistics) -> str:
    devices = sorted({device for found in stats.environments.values() for device in found})
    rows = [
        [name, *(f"{found.get(device, 0):,}" for device in devices)]
        for name, found in stats.environments.items()
    ]
    return text_table(("environment", *devices), rows)
