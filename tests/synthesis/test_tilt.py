import numpy as np
import pytest
from PIL import Image

from rig.synthesis import tilt
from rig.synthesis.rng import step_generator
from rig.synthesis.tilt import Tilt
from rig.synthesis.transform import SynthesisError

SIZE = (130, 107)


def draw(level, n=0):
    return tilt.sample(step_generator(n, "k", 2, "tilt"), level, SIZE)


def pillow(image, params):
    """Pillow's own perspective, whose coefficients lead from output to input."""
    height, width = image.shape[:2]
    rows, right = [], []
    for (x, y), (u, v) in zip(
        params.corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True
    ):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    data = np.linalg.solve(np.array(rows, float), np.array(right, float))
    picture = Image.fromarray(image)
    kind, bicubic = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    return np.asarray(picture.transform(picture.size, kind, data.tolist(), bicubic))


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_parity_with_pillow(small_chexpert, ssim, level):
    for n in range(3):
        generator = step_generator(n, "k", 2, "tilt")
        params = tilt.sample(generator, level, (390, 320))
        out, expected = tilt.apply(small_chexpert, params), pillow(small_chexpert, params)
        assert ssim(out, expected) >= 0.992
        assert abs(out.astype(float) - expected).mean() <= 0.9


def test_colour_is_tilted_as_grey_is(xray):
    params = draw(2)
    out = tilt.apply(np.dstack([xray] * 3), params)
    assert np.array_equal(out, np.dstack([tilt.apply(xray, params)] * 3))


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_corners_move_inwards_by_at_most_a_twentieth_per_level(level):
    home = np.array([(0, 0), (130, 0), (130, 107), (0, 107)])
    inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    moved = [(np.array(draw(level, n).corners) - home) * inwards / SIZE for n in range(100)]
    assert np.min(moved) >= 0
    assert 0.045 * level < np.max(moved) <= 0.05 * level
    # Each of the eight is drawn on its own.
    assert abs(np.corrcoef(np.reshape(moved, (100, 8)).T) - np.eye(8)).max() < 0.4


def test_the_homography_takes_the_image_corners_to_the_corners():
    """Pixel-edge coordinates: the image reaches from (0, 0) to (width, height)."""
    params = draw(3)
    matrix = tilt.homography(params, SIZE)
    for (x, y), corner in zip(
        [(0, 0), (130, 0), (130, 107), (0, 107)], params.corners, strict=True
    ):
        u, v, w = matrix @ (x, y, 1)
        assert (u / w, v / w) == pytest.approx(corner, abs=1e-9)


def test_the_homography_says_where_a_mark_goes():
    """The centre of mass of a bright square lies where the matrix puts it, to 0.05 px."""
    image = np.zeros((200, 240), np.uint8)
    image[60:80, 150:170] = 250
    params = Tilt(((17.0, 9.0), (233.0, 4.0), (222.0, 181.0), (6.0, 195.0)))
    out = tilt.apply(image, params).astype(float)
    y, x = np.mgrid[0:200, 0:240] + 0.5
    measured = ((out * x).sum() / out.sum(), (out * y).sum() / out.sum())
    u, v, w = tilt.homography(params, (240, 200)) @ (160, 70, 1)
    assert measured == pytest.approx((u / w, v / w), abs=0.05)


def test_corners_left_in_place_change_nothing(xray):
    still = Tilt(((0.0, 0.0), (130.0, 0.0), (130.0, 107.0), (0.0, 107.0)))
    assert np.array_equal(tilt.apply(xray, still), xray)


def test_outside_is_black(xray):
    out = tilt.apply(xray + 30, Tilt(((40.0, 40.0), (90.0, 40.0), (90.0, 80.0), (40.0, 80.0))))
    assert out[:36].max() == out[:, :36].max() == out[84:].max() == out[:, 94:].max() == 0
    assert out[45:75, 45:85].min() > 0


def test_corners_on_one_line_are_refused(xray):
    with pytest.raises(SynthesisError, match="span no area"):
        tilt.apply(xray, Tilt(((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))))
