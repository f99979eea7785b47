"""The doubtful photos on one picture: wrongly refused, wrongly accepted, and the closest calls."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

import rig.sample
from rig.intake.limits import Limits

if TYPE_CHECKING:
    from bench.verify_count import Row

TILE = (264, 198)
CAPTION = 30
COLUMNS, ROWS = 5, 4


def sheet(rows: Sequence[Row], file: Path) -> None:
    """Draw the most doubtful of *rows* into *file* (JPEG); only bundled x-rays, free to pass on."""
    with rig.sample.csv_path().open(newline="") as handle:
        free = {
            "/".join(Path(r["Path"]).with_suffix("").parts[-3:]) for r in csv.DictReader(handle)
        }
    picked: list[Row] = []
    for row in sorted((r for r in rows if r.key in free), key=doubt, reverse=True):
        if all(row.file != other.file for other in picked) and len(picked) < COLUMNS * ROWS:
            picked.append(row)
    height = TILE[1] + CAPTION
    canvas = Image.new("RGB", (COLUMNS * TILE[0], -(-len(picked) // COLUMNS) * height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for at, row in enumerate(picked):
        x, y = at % COLUMNS * TILE[0], at // COLUMNS * height
        with Image.open(row.file) as picture:
            picture.draft("RGB", (TILE[0] * 2, TILE[1] * 2))
            canvas.paste(picture.convert("RGB").resize(TILE), (x, y))
        word = "verified" if row.found.verified else "refused"
        share = f" {row.share:.0%}" if row.share not in {0.0, 1.0} else ""
        text = (
            f"{row.kind}{share}, {row.preset}: {word}\n"
            f"score {row.found.score:.2f}, other {row.found.worst_cluster:.1%}, "
            f"unproven {row.found.unproven:.1%}"
        )
        draw.multiline_text((x + 4, y + TILE[1] + 2), text, "red" if row.wrong else "black", font)
    canvas.save(file, quality=72, optimize=True)


def doubt(row: Row) -> float:
    """How doubtful: above 1 the answer is wrong, else how near the limits it was."""
    wrong, found, limits = 2.0 if row.wrong else 0.0, row.found, Limits()
    if found.score < 0.3:
        return wrong
    by_score = 1 - min(abs(found.score - limits.score) / 0.25, 1)
    by_cluster = 1 - min(abs(found.unproven - limits.unproven) / limits.unproven, 1)
    return wrong + max(by_score, by_cluster)
