"""`python -m bench.dicom_sheet FILE... --out SHEET.jpg`: images as rendered beside their windows.

Captions hold what `rig.dicom.header.Header` may tell, the values, and how the greys were set; under
them the stored values as a histogram, with what is black and what is white marked.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from pydicom.uid import UID

from rig.dicom.decoding import Stored, decode
from rig.dicom.header import Header, header_of
from rig.dicom.reading import read
from rig.dicom.rendering import Grey, grey_of, paint

PICTURE, TEXT, PLOT, GAP = 380, 300, 150, 12
_PAPER, _INK, _BARS, _BLACK, _WHITE = "white", "black", "#9aa7b5", "#1f5fbf", "#c2410c"


def sheet(files: Sequence[Path], columns: int = 2) -> Image.Image:
    """A page of *files*."""
    cards = [_card(file) for file in files]
    width, height = cards[0].size
    rows = -(-len(cards) // columns)
    page = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#d7dce2")
    for at, card in enumerate(cards):
        row, column = divmod(at, columns)
        page.paste(card, (GAP + column * (width + GAP), GAP + row * (height + GAP)))
    return page


def _card(file: Path) -> Image.Image:
    dataset = read(file)
    stored = decode(dataset)
    grey = grey_of(dataset, stored)
    card = Image.new("RGB", (PICTURE + TEXT, PICTURE), _PAPER)
    shown = ImageOps.contain(Image.fromarray(paint(grey, stored)), (PICTURE, PICTURE))
    card.paste(shown, ((PICTURE - shown.width) // 2, (PICTURE - shown.height) // 2))
    pen = ImageDraw.Draw(card)
    font = ImageFont.load_default(14)
    for line, text in enumerate(_caption(header_of(dataset), stored, grey)):
        pen.text((PICTURE + 14, 10 + line * 21), text, fill=_INK, font=font)
    _plot(pen, stored, grey, (PICTURE + 14, PICTURE - PLOT - 26))
    return card


def _caption(header: Header, stored: Stored, grey: Grey) -> list[str]:
    what = " ".join(filter(None, (header.modality, header.body_part, header.view)))
    window = grey.window
    how = f"{window.function} {window.centre:g} / {window.width:g}" if window else str(grey.how)
    return [
        what or "modality not told",
        f"{header.columns} x {header.rows}, {header.bits_stored} bits",
        _short(UID(header.syntax).name),
        header.photometric + (": turned" if grey.inverted else ""),
        f"values {stored.min()} to {stored.max()}",
        f"window in the header: {'yes' if header.windowed else 'none'}",
        how,
    ]


def _short(name: str) -> str:
    """The name of a transfer syntax up to its first comma or bracket."""
    return re.split(r",| \(", name)[0].replace(" Image Compression", "")


def _plot(pen: ImageDraw.ImageDraw, stored: Stored, grey: Grey, corner: tuple[int, int]) -> None:
    """Histogram of the stored values; lines where black ends and where white begins."""
    left, top = corner
    wide = TEXT - 28
    first, last = int(stored.min()), int(stored.max())
    counts, _ = np.histogram(stored, bins=wide, range=(first, last + 1))
    heights = np.sqrt(counts / max(1, counts.max())) * PLOT
    for x, high in enumerate(heights):
        pen.line([(left + x, top + PLOT), (left + x, top + PLOT - int(high))], fill=_BARS)
    levels = grey.levels[first - grey.lowest : last - grey.lowest + 1]
    for ends, colour, word in ((levels <= 0, _BLACK, "black"), (levels >= 1, _WHITE, "white")):
        inner = np.flatnonzero(np.diff(ends.astype(np.int8)))
        for place in inner[:2]:
            x = left + round(place / max(1, last - first) * (wide - 1))
            pen.line([(x, top), (x, top + PLOT)], fill=colour, width=2)
            side, aside = ("ra", -4) if place > (last - first) / 2 else ("la", 4)
            pen.text(
                (x + aside, top), word, fill=colour, font=ImageFont.load_default(12), anchor=side
            )
    font = ImageFont.load_default(12)
    pen.text((left, top + PLOT + 4), str(first), fill=_INK, font=font)
    pen.text((left + wide, top + PLOT + 4), str(last), fill=_INK, font=font, anchor="ra")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom_sheet", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="SHEET")
    args = parser.parse_args(argv)
    sheet(args.files).save(args.out, quality=82, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
