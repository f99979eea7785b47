"""The photo of the card from its bytes, and the drawing that comes out of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from display_agent.testcard import alignment_card
from rig.intake.alignment import measure
from rig.intake.alignment_items import Verdict
from rig.intake.alignment_photo import align_photo, decode_photo
from rig.intake.alignment_picture import SIDE, draw
from rig.intake.read import UnreadableImage

SCREEN = (1280, 720)
GOOD, BAD = np.array([90, 220, 120]), np.array([255, 100, 90])


def _photo(cut: int = 0) -> np.ndarray:
    """The card on a dark desk, straight from the front; *cut* pixels of its left are missing."""
    desk = Image.new("RGB", (1600, 1200), (20, 20, 20))
    desk.paste(alignment_card(SCREEN).frame, (160, 240))
    return np.array(desk)[:, cut:]


def _near(picture: Image.Image, at: tuple[float, float], colour: np.ndarray, reach: int) -> bool:
    """Whether *colour* is drawn within *reach* pixels of a place of the picture."""
    x, y = round(at[0]), round(at[1])
    part = np.asarray(picture)[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    return bool((np.abs(part.astype(int) - colour).sum(axis=2) < 12).any())


def test_a_good_photo_has_its_outline_in_green_and_the_words_below() -> None:
    """Scaled to 1280 pixels; every corner of the screen is marked where it is."""
    photo = _photo()
    found = measure(photo, SCREEN)
    assert found.verdict is Verdict.OK
    picture = draw(photo, found)
    assert picture.width == SIDE
    assert picture.height > 960
    scale = SIDE / 1600
    for x, y in ((160, 240), (1440, 240), (1440, 960), (160, 960)):
        assert _near(picture, (x * scale, y * scale), GOOD, 20)
    assert not _near(picture, (640, 480), BAD, 2000)
    below = np.asarray(picture)[970:]
    assert (below > 200).any(), "no words"
    assert np.array_equal(np.asarray(draw(photo, found)), np.asarray(picture))


def test_what_is_wrong_is_red() -> None:
    """Two corners are cut off: crosses at that edge, the outline in red."""
    photo = _photo(cut=300)
    found = measure(photo, SCREEN)
    assert set(found.lost) == {"top left", "bottom left"}
    picture = draw(photo, found)
    assert _near(picture, (10, 240 * SIDE / 1300), BAD, 60)
    assert _near(picture, (10, 960 * SIDE / 1300), BAD, 60)


def test_a_photo_without_a_card_is_drawn_too() -> None:
    """The person sees what the phone saw, and why it does not do."""
    photo = np.full((300, 400, 3), 90, np.uint8)
    picture = draw(photo, measure(photo, SCREEN))
    assert picture.width == 400
    assert _near(picture, (0, 320), BAD, 60)


def _jpeg(**exif: object) -> bytes:
    made = Image.fromarray(_photo())
    told = made.getexif()
    for key, value in exif.items():
        told.get_ifd(ExifTags.IFD.Exif)[0xA405 if key == "focal" else 0] = value
    out = io.BytesIO()
    made.save(out, "JPEG", quality=90, exif=told)
    return out.getvalue()


@pytest.mark.parametrize(("told", "found"), [(26, 26.0), (0, None), (1, None), (65000, None)])
def test_the_focal_length_is_the_cameras_unless_it_is_nonsense(
    told: int, found: float | None
) -> None:
    """0 means unknown in EXIF."""
    assert decode_photo(_jpeg(focal=told), "x").focal_35 == found


def test_bytes_become_measures_and_a_jpeg() -> None:
    """What the worker process is given and gives back."""
    found, drawn = align_photo(_jpeg(focal=27), "x", SCREEN, width_mm=300)
    assert (found.focal_35, found.focal_known, found.verdict) == (27.0, True, Verdict.OK)
    with Image.open(io.BytesIO(drawn)) as picture:
        assert (picture.format, picture.width) == ("JPEG", SIDE)


@pytest.mark.parametrize("data", [b"", b"junk", _jpeg()[:3000]])
def test_damage_is_a_sentence(data: bytes) -> None:
    """Nothing, something else, a cut file."""
    with pytest.raises(UnreadableImage, match="The photo"):
        align_photo(data, "The photo", SCREEN)


def test_a_picture_too_large_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can hold billions of pixels."""
    monkeypatch.setattr("rig.intake.alignment_photo.MOST_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="more than"):
        decode_photo(_jpeg(), "The photo")
