import numpy as np
import pytest

from rig.synthesis import screen_door
from rig.synthesis.rng import step_generator
from rig.synthesis.screen_door import ScreenDoor


def reference(params, size, points=200):
    """Light of each pixel along one row: the mean of a lit or dark grid over the aperture."""
    out = []
    for x in range(size):
        offset = (np.arange(points) + 0.5) / points - 0.5
        place = (x + 0.5 + offset * params.aperture) / params.pitch + params.phase[0]
        out.append((place % 1 < params.fill).mean() / params.fill)
    return np.array(out)


@pytest.mark.parametrize(("pitch", "fill"), [(1.05, 0.8), (3.0, 0.6), (0.97, 0.9), (7.3, 1.0)])
def test_a_pixel_sees_the_mean_of_the_grid_over_its_aperture(pitch, fill):
    params = ScreenDoor(pitch, fill, 0.5, 0.0, (0.2, 0.0))
    image = np.full((16, 90), 80, np.uint8)
    out = screen_door.apply(image, params).astype(float)
    across = out.mean(axis=0) / out.mean()
    expected = reference(params, 90)
    assert abs(across - expected / expected.mean()).max() < 0.03


def test_the_beat_is_as_long_as_sampling_theory_says():
    """A grid of pitch p, sampled every pixel, is seen as a wave of p / (p - 1) pixels."""
    params = ScreenDoor(1.0625, 0.7, 0.5, 0.0, (0.0, 0.0))
    row = screen_door.apply(np.full((17, 340), 100, np.uint8), params).astype(float).mean(axis=0)
    spectrum = abs(np.fft.rfft(row - row.mean()))
    assert 340 / spectrum.argmax() == pytest.approx(17)


@pytest.mark.parametrize("degrees", [0.0, 1.5, 33.0])
def test_brightness_stays(degrees):
    image = np.full((300, 300), 120, np.uint8)
    out = screen_door.apply(image, ScreenDoor(1.07, 0.78, 0.5, degrees, (0.3, 0.6)))
    assert out.mean() == pytest.approx(120, abs=1.5)
    assert out.std() > 3


def test_a_quarter_turn_turns_the_pattern():
    image = np.full((60, 60), 120, np.uint8)
    straight = screen_door.apply(image, ScreenDoor(3.0, 0.6, 0.5, 0.0, (0.0, 0.0)))
    turned = screen_door.apply(image, ScreenDoor(3.0, 0.6, 0.5, 90.0, (0.0, 0.0)))
    assert abs(np.rot90(straight, -1).astype(int) - turned).mean() < 1


def test_a_screen_without_gaps_changes_nothing(colour):
    out = screen_door.apply(colour, ScreenDoor(1.05, 1.0, 0.5, 1.0, (0.0, 0.0)))
    assert np.array_equal(out, colour)


@pytest.mark.parametrize("level", [1, 4])
def test_what_is_drawn(level):
    for n in range(20):
        params = screen_door.sample(step_generator(n, "k", 0, "s"), level, (9, 9))
        assert 1.03 <= params.pitch <= 1.12
        assert abs(params.degrees) <= 2
        assert params.fill == (0.98 if level == 1 else 0.82)
