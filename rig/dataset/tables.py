"""Statistics and checks as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rig.dataset.statistics import ALL, Statistics


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
    return "\n".join(parts)


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
