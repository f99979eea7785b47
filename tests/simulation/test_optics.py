"""Made-up photographs: reproducible, with the truth known, and as bad as asked for."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from PIL import Image

from rig.simulation.optics import PRESETS, photograph, shoot, transform
from rig.simulation.scenery import clutter

SIZE = (480, 270)
PIXELS = 0.1  # megapixels


@pytest.fixture(scope="module")
def frame():
    """Smooth blobs with an asymmetric bright corner block, grey."""
    noise = np.random.default_rng(0).uniform(0, 255, (SIZE[1] // 9, SIZE[0] // 9))
    image = cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    image[:60, :60] = 255
    return Image.fromarray(image)


def _rectified(shot, size):
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centres = np.linalg.inv(half) @ shot.homography @ half
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return cv2.warpPerspective(np.asarray(shot.photo.convert("L")), centres, size, flags=flags)


def _tilt(homography, size):
    """Angle of the screen against the optical axis, from the vanishing line, for a known camera."""
    distance = 1.4 * max(size)
    # A plane turned by the tilt has depth distance + x sin(t) along its steepest direction.
    centred = homography @ np.array([[1, 0, size[0] / 2], [0, 1, size[1] / 2], [0, 0, 1]])
    slope = math.hypot(centred[2, 0], centred[2, 1]) / centred[2, 2]
    return math.degrees(math.asin(slope * distance))


def test_none_is_the_frame_itself(frame):
    """Identity, in pixels and in geometry."""
    shot = shoot(frame, "none", np.random.default_rng(1))
    assert shot.photo is frame
    assert (shot.homography == np.eye(3)).all()
    assert shot.corners.tolist() == [[0, 0], [480, 0], [480, 270], [0, 270]]


@pytest.mark.parametrize("preset", ["easy", "typical", "hard"])
def test_the_same_seed_gives_the_same_photo_and_another_gives_another(frame, preset):
    """Reproducible to the byte."""
    one, again, other = (
        photograph(frame, preset, np.random.default_rng(seed), megapixels=PIXELS)
        for seed in (3, 3, 4)
    )
    assert one.mode == "RGB"
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("size", [SIZE, SIZE[::-1]])
def test_the_whole_screen_is_upright_inside_the_photo(preset, size):
    """All corners at least 2 % from the edge, in order, not mirrored, tilt within the class."""
    grey = Image.new("L", size, 128)
    for seed in range(12):
        shot = shoot(grey, preset, np.random.default_rng(seed), megapixels=0.02)
        corners, bounds = shot.corners, np.array(shot.photo.size)
        margin = 0.02 * bounds
        assert (corners > margin).all()
        assert (corners < bounds - margin).all()
        assert cv2.isContourConvex(corners.astype(np.float32))
        assert corners[0, 0] < corners[1, 0]
        assert corners[0, 1] < corners[3, 1]
        assert np.linalg.det(shot.homography[:2, :2]) > 0
        assert 0 < _tilt(shot.homography, size) <= PRESETS[preset].tilt_deg + 1e-6


def test_worse_presets_are_worse_and_every_one_shows_its_frame(frame):
    """Undone with the true homography, the frame is recognized, less and less well."""
    truth = np.asarray(frame).astype(float)
    scores = []
    for preset in ("easy", "typical", "hard"):
        shots = (shoot(frame, preset, np.random.default_rng(s), megapixels=0.2) for s in range(4))
        found = [np.corrcoef(_rectified(s, SIZE).ravel(), truth.ravel())[0, 1] for s in shots]
        scores.append(float(np.mean(found)))
    assert scores[0] > 0.97
    assert scores[0] > scores[1] > scores[2] > 0.6


def test_the_homography_is_true_to_a_fraction_of_a_pixel():
    """A white square on black is found where the homography says (pixel-edge coordinates)."""
    pixels = np.zeros((270, 480), np.uint8)
    pixels[100:140, 300:360] = 255
    shot = shoot(Image.fromarray(pixels), "easy", np.random.default_rng(2), megapixels=0.4)
    corners = np.array([[300, 100], [360, 100], [360, 140], [300, 140]], np.float64)
    expected = transform(shot.homography, corners)
    bright = (np.asarray(shot.photo.convert("L")) > 150).astype(np.uint8)
    bright[:, : int(shot.corners[:, 0].min())] = 0
    moments = cv2.moments(bright, binaryImage=True)
    centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"] + 0.5
    assert np.abs(centre - expected.mean(axis=0)).max() < 0.6
    area = cv2.contourArea(expected.astype(np.float32))
    assert moments["m00"] == pytest.approx(area, rel=0.06)


def test_a_tripod_holds_the_pose_while_the_sensor_goes_on_drawing(frame):
    """Same tripod, same homography, other noise."""
    one, two = (
        shoot(
            frame,
            "typical",
            np.random.default_rng(seed),
            megapixels=PIXELS,
            tripod=np.random.default_rng(9),
        )
        for seed in (1, 2)
    )
    assert (one.homography == two.homography).all()
    difference = np.asarray(one.photo).astype(int) - np.asarray(two.photo).astype(int)
    assert difference.any()
    assert np.abs(difference).mean() < 8


def test_the_photo_has_the_megapixels_asked_for_and_follows_the_screens_orientation():
    """1788 x 1341 by default, 4:3 either way."""
    wide = photograph(Image.new("L", (192, 108)), "easy", np.random.default_rng(0))
    assert wide.size == (1788, 1341)
    tall = photograph(
        Image.new("RGB", (108, 192)), "easy", np.random.default_rng(0), megapixels=0.3
    )
    assert tall.width < tall.height
    assert tall.width * tall.height == pytest.approx(0.3e6, rel=0.01)


def test_the_room_around_the_screen_is_cluttered_and_dim():
    """Something to be mistaken for a screen, but never as bright as its white."""
    room = clutter((200, 150), np.random.default_rng(0))
    assert room.shape == (150, 200, 3)
    assert room.std() > 0.02
    assert 0 <= room.min() < room.max() < 0.5


def test_an_unknown_preset_is_named(frame):
    """With the choices."""
    with pytest.raises(ValueError, match="'worst'; choose none, easy, typical, hard"):
        shoot(frame, "worst", np.random.default_rng(0))
