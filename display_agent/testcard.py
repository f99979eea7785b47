"""The test card of the alignment shot: what a photo of it tells is measured elsewhere.

Four corner tags give pose and margins; a ramp of grey patches the exposure; a star and gratings the
focus; words a person can read say whether it is upright and not mirrored.
"""

from __future__ import annotations

import math

from PIL import Image, ImageDraw, ImageFont

from display_agent.compose import Composition
from display_agent.fit import Size
from display_agent.marker import GREY, tag_image
from rig.intake.card import GROUND, PATCHES, SPOKES, card_tags, patch_boxes, star

__all__ = ["PATCHES", "alignment_card", "patch_boxes"]
_PERIODS = (2, 4, 8)
"""Pixels of a dark and a light line together, in the three gratings."""


def alignment_card(size: Size) -> Composition:
    """The card for a screen of *size* pixels, mode L; its rectangle is the whole screen.

    Raises:
        UserError: the screen is too small for tags that a camera could read.
    """
    card = Image.new("L", size, GROUND)
    tags = card_tags(size)
    for number, box in tags.items():
        card.paste(tag_image(number, box[2]), box[:2])
    _text(card)
    _ramp(card)
    _star(card)
    _gratings(card)
    return Composition(card, (0, 0, *size), tags=tuple(tags.values()))


def _ramp(card: Image.Image) -> None:
    for level, (x, y, wide, high) in zip(PATCHES, patch_boxes(card.size), strict=True):
        card.paste(level, (x, y, x + wide, y + high))


def _text(card: Image.Image) -> None:
    width, height = card.size
    pen = ImageDraw.Draw(card)
    words = f"ALIGNMENT  {width} x {height}"
    points = max(8, min(width, height) // 24)
    font = ImageFont.load_default(points)
    while pen.textlength(words, font=font) > width * 0.5 and points > 8:
        points -= 1
        font = ImageFont.load_default(points)
    pen.text((width / 2, height / 6), words, fill=GREY, font=font, anchor="mm")
    mark = min(width, height) // 30
    top = (width / 2, height / 16)
    pen.polygon([top, (top[0] - mark, top[1] + mark), (top[0] + mark, top[1] + mark)], fill=GREY)


def _star(card: Image.Image) -> None:
    """A Siemens star in the middle: blur shows as a grey disc that grows."""
    one = star(card.size)
    x, y = int(one.x), int(one.y)
    box = (x - one.radius, y - one.radius, x + one.radius, y + one.radius)
    pen = ImageDraw.Draw(card)
    pen.ellipse(box, fill=0)
    step = 180 / SPOKES
    for spoke in range(SPOKES):
        pen.pieslice(box, 2 * spoke * step, (2 * spoke + 1) * step, fill=255)


def _gratings(card: Image.Image) -> None:
    """Lines of three periods, upright left of the star and level right of it."""
    width, height = card.size
    side = min(width, height) // 12
    centre = math.ceil(min(width, height) * 0.28)
    for row, period in enumerate(_PERIODS):
        tile = Image.new("L", (side, side), 0)
        for at in range(0, side, period):
            tile.paste(255, (at, 0, min(side, at + period // 2), side))
        top = height // 2 + (row - 1) * (side + side // 4) - side // 2
        card.paste(tile, (width // 2 - centre - side // 2, top))
        turned = tile.transpose(Image.Transpose.ROTATE_90)
        card.paste(turned, (width // 2 + centre - side // 2, top))
