"""The index marker on the screen: where it stands, and that a photo of it is read right or not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from display_agent.compose import MarkerLabel, compose
from display_agent.cursor import CursorSpec
from display_agent.fit import BadImage, overlap
from display_agent.look import Look, look_of
from display_agent.marker import GREY, lay_out
from rig.errors import UserError
from rig.intake.marker import decode_marker, find_tags
from rig.intake.marker_ids import ATTEMPTS, MAX_INDEX, Marker, encode_ids
from rig.simulation.optics import shoot

MARKED = Look(marker=True)
SCREENS = [(1920, 1080), (1080, 1920), (1280, 1024), (2560, 1440), (3840, 2160), (1366, 768)]
XRAYS = [(320, 390), (390, 320), (512, 512), (1600, 900), (900, 1600), (1280, 1024), (2000, 100)]


def _xray(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(60, 250, (9, 11), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("xray", XRAYS)
def test_no_tag_touches_the_xray_the_edge_or_another(screen, xray):
    """A module of black lies between at least, on every screen and for every aspect."""
    layout = lay_out(xray, screen)
    m = layout.module
    assert len(layout.tags) == 8
    for at, (x, y, wide, high) in enumerate(layout.tags):
        assert wide == high == 10 * m
        grown = (x - m, y - m, wide + 2 * m, high + 2 * m)
        assert min(grown[:2]) >= 0
        assert grown[0] + grown[2] <= screen[0]
        assert grown[1] + grown[3] <= screen[1]
        assert not overlap(grown, layout.rect)
        assert not any(overlap(grown, other) for other in layout.tags[:at])


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("xray", XRAYS)
def test_modules_are_large_enough_and_the_aspect_is_kept(screen, xray):
    """A 160th of the screen; the x-ray is shrunk for that when there is no other way."""
    layout = lay_out(xray, screen)
    assert layout.module >= max(screen) / 160
    _, _, wide, high = layout.rect
    assert wide / high == pytest.approx(xray[0] / xray[1], rel=0.02)


def test_an_xray_that_leaves_margins_is_as_large_as_without_a_marker():
    """Square on a wide screen: nothing is lost."""
    plain, marked = (
        compose(_xray((500, 500)), (1920, 1080), look, label=MarkerLabel(1))
        for look in (Look(), MARKED)
    )
    assert marked.rect == plain.rect
    assert marked.shrunk == 1.0
    x, y, w, h = plain.rect
    inside = np.s_[y : y + h, x : x + w]
    assert (np.asarray(marked.frame)[inside] == np.asarray(plain.frame)[inside]).all()


def test_an_xray_that_fills_the_screen_is_shrunk_and_that_is_told():
    """As little as possible."""
    made = compose(_xray((1600, 900)), (1920, 1080), MARKED, label=MarkerLabel(1))
    assert 0.8 < made.shrunk < 0.9
    assert made.rect[2] / 1920 == pytest.approx(made.shrunk, abs=0.001)


def test_a_screen_too_small_for_tags_is_refused():
    """With what to do."""
    with pytest.raises(BadImage, match="without it"):
        lay_out((40, 30), (64, 48))


def test_an_index_that_no_marker_can_carry_is_refused():
    """Not shown wrong."""
    with pytest.raises(UserError, match="without the marker"):
        compose(_xray((50, 50)), (640, 360), MARKED, label=MarkerLabel(MAX_INDEX + 1))


def test_the_tags_are_drawn_in_two_levels_grey_enough_to_be_found():
    """Black and one grey of at least 96, nothing between."""
    made = compose(_xray((500, 500)), (1920, 1080), MARKED, label=MarkerLabel(300, 2))
    pixels = np.asarray(made.frame)
    for x, y, wide, high in made.tags:
        assert set(np.unique(pixels[y : y + high, x : x + wide])) == {0, GREY}
    assert GREY >= 96


@pytest.mark.parametrize("kelvin", [1667, 2700, 9300, 25000])
def test_tinted_tags_are_still_grey_enough(kelvin):
    """Their luma stays at 96 or more, and a photo's grey is read."""
    look = look_of({"colour_temperature": f"{kelvin}K"}, seed=0, marker=True)
    made = compose(_xray((500, 500)), (1280, 720), look, label=MarkerLabel(300, 2))
    x, y, _, _ = made.tags[0]
    assert np.asarray(made.frame.convert("L"))[y, x] >= 96
    assert decode_marker(np.asarray(made.frame)) == Marker(300, 2)


@pytest.mark.parametrize("screen", SCREENS)
def test_the_frame_itself_is_read(screen):
    """On every screen, with a cursor about; all eight tags and no other."""
    look = Look(marker=True, cursor=CursorSpec("moved", 1))
    made = compose(_xray((320, 390)), screen, look, label=MarkerLabel(1017, 3))
    pixels = np.asarray(made.frame)
    assert decode_marker(pixels) == Marker(1017, 3)
    assert {tag.id for tag in find_tags(pixels)} == set(encode_ids(1017, 3))


def _photo(frame: Image.Image, preset: str, seed: int) -> np.ndarray:
    shot = shoot(frame, preset, np.random.default_rng(seed))  # type: ignore[arg-type]
    out = io.BytesIO()
    shot.photo.save(out, "JPEG", quality=88)
    return np.asarray(Image.open(out))


@pytest.mark.parametrize(("preset", "count", "least"), [("typical", 5, 5), ("hard", 8, 6)])
def test_simulated_photos_are_read_right_or_not_at_all(preset, count, least):
    """Tilt, glare, moire, blur, noise; of 200 each, 200 and 195 were read and none wrong."""
    right = 0
    for at in range(count):
        index = (at * 7919 * 16 + 1) % MAX_INDEX
        made = compose(
            _xray((390, 320), at), SCREENS[at % 4], MARKED, label=MarkerLabel(index, at + 1)
        )
        read = decode_marker(_photo(made.frame, preset, 300 + at))
        assert read in (None, Marker(index, (at + 1) % ATTEMPTS))
        right += read is not None
    assert right >= least


def test_a_photo_of_a_half_switched_screen_is_not_read():
    """Upper part new, lower part old, wherever the edge lies within the tags."""
    old, new = (
        compose(_xray((390, 320), i), (1920, 1080), MARKED, label=MarkerLabel(i)) for i in (41, 42)
    )
    for edge in (300, 700):
        torn = new.frame.copy()
        torn.paste(old.frame.crop((0, edge, 1920, 1080)), (0, edge))
        assert decode_marker(_photo(torn, "typical", edge)) is None


def test_a_blend_of_two_frames_is_never_a_third():
    """A slow panel in mid-change."""
    old, new = (
        compose(_xray((390, 320), i), (1920, 1080), MARKED, label=MarkerLabel(i)) for i in (41, 42)
    )
    for at, share in enumerate((0.3, 0.5, 0.7)):
        read = decode_marker(_photo(Image.blend(old.frame, new.frame, share), "typical", at))
        assert read in (None, Marker(41, 1), Marker(42, 1))
