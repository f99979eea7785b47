"""Rectified copies: geometry, colours, metadata, refusals."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from rig.intake.geometry import scaling, translation
from rig.intake.read import UnreadableImage
from rig.intake.rectify import rectified, rectify


@pytest.fixture
def shot(sample, photo_of):
    """A simulated photo and the truth."""
    xray = sample.pixels[3]
    photo, truth = photo_of(xray, 11, "easy")
    return xray, photo, truth


def difference(a, b):
    """Correlation of two pictures of a size, after a little blur."""
    one, two = (cv2.GaussianBlur(x.astype(np.float32), (0, 0), 2).ravel() for x in (a, b))
    return float(np.corrcoef(one, two)[0, 1])


def test_a_copy_is_the_xray_upright(shot):
    """What comes out lies on the x-ray."""
    xray, photo, truth = shot
    made = rectify(photo, truth, xray.shape[::-1])
    assert made.shape == (*xray.shape, 3)
    assert difference(cv2.cvtColor(made, cv2.COLOR_RGB2GRAY), xray) > 0.97


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_photo_gives_the_same_copy(shot, turn):
    """The homography knows which way up the camera was."""
    xray, photo, truth = shot
    height, width = photo.shape[:2]
    quarter = {
        1: np.array([[0, 1, 0], [-1, 0, width], [0, 0, 1.0]]),
        2: np.array([[-1, 0, width], [0, -1, height], [0, 0, 1.0]]),
        3: np.array([[0, -1, height], [1, 0, 0], [0, 0, 1.0]]),
    }[turn]
    turned = np.ascontiguousarray(np.rot90(photo, turn))
    straight = rectify(photo, truth, xray.shape[::-1]).astype(int)
    again = rectify(turned, quarter @ truth, xray.shape[::-1]).astype(int)
    assert np.abs(straight - again).mean() < 1.0


def test_the_edges_are_exact():
    """A pixel-edge homography: scaled by two, each pixel becomes the mean of four."""
    photo = np.zeros((8, 8), np.uint8)
    photo[2:6, 2:6] = np.arange(16).reshape(4, 4) * 10
    made = rectify(photo, translation(2, 2) @ scaling(2, 2), (2, 2))
    assert np.abs(made.astype(int) - [[25, 45], [105, 125]]).max() <= 1


def test_fine_structure_does_not_alias():
    """Stripes finer than the copy's pixels become grey, not other stripes."""
    photo = np.tile(np.array([0, 255], np.uint8), (400, 400))
    made = rectify(photo, scaling(800 / 130, 400 / 65), (130, 65))
    assert made[5:-5, 5:-5].std() < 12
    assert abs(float(made[5:-5, 5:-5].mean()) - 127.5) < 6


def test_what_is_outside_the_photo_is_black():
    made = rectify(np.full((10, 10), 200, np.uint8), translation(-5, 0), (10, 10))
    assert made[:, :3].max() == 0
    assert made[:, 7:].min() == 200


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2),
        [[1, 0, 0], [0, 1, 0], [-0.02, 0, 1]], [[1, 0, 0], [0, 0, 0], [0, 0, 1]],
    ],
)  # fmt: skip
def test_a_homography_of_nothing_is_refused(matrix):
    """Singular, not finite, or with the horizon in the x-ray."""
    with pytest.raises(ValueError, match="homography"):
        rectify(np.zeros((99, 99), np.uint8), matrix, (100, 100))


@pytest.mark.parametrize("size", [(0, 5), (-1, 5), (100_000, 100_000)])
def test_a_size_that_is_not_sane_is_refused(size):
    with pytest.raises(ValueError, match="pixels"):
        rectify(np.zeros((9, 9), np.uint8), np.eye(3), size)


def test_a_copy_has_colours_and_profile_and_nothing_else(shot):
    """No EXIF: no place, no orientation; the same bytes each time."""
    xray, photo, truth = shot
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    out = io.BytesIO()
    Image.fromarray(photo).save(out, "JPEG", exif=exif.tobytes(), icc_profile=profile)
    made = rectified(out.getvalue(), truth.tolist(), xray.shape[::-1])
    with Image.open(io.BytesIO(made)) as copy:
        assert copy.size == xray.shape[::-1]
        assert copy.mode == "RGB"
        assert copy.info["icc_profile"] == profile
        assert not copy.getexif()
    assert b"Exif" not in made
    assert made == rectified(out.getvalue(), truth.tolist(), xray.shape[::-1])


def test_a_photo_that_is_cut_short_is_refused(shot):
    xray, photo, truth = shot
    out = io.BytesIO()
    Image.fromarray(photo).save(out, "JPEG")
    with pytest.raises(UnreadableImage):
        rectified(out.getvalue()[:5000], truth.tolist(), xray.shape[::-1])
