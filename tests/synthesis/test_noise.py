import numpy as np
import pytest

from rig.synthesis import noise
from rig.synthesis.noise import LowLight, SensorNoise
from rig.synthesis.rng import step_generator


@pytest.mark.parametrize("value", [30, 128, 200])
def test_the_variance_grows_with_the_value(value):
    image = np.full((300, 300), value, np.uint8)
    change = noise.apply_noise(image, SensorNoise(0.15, 4.0, 5)).astype(float) - value
    assert abs(change.mean()) < 0.1
    # Rounding adds a twelfth.
    assert change.var() == pytest.approx(0.15 * value + 16 + 1 / 12, rel=0.03)


def test_noise_of_pixels_is_independent(colour):
    grey = noise.apply_noise(np.full((256, 256), 128, np.uint8), SensorNoise(0.1, 4.0, 1)) - 128.0
    for other in (grey[1:, :] * grey[:-1, :], grey[:, 1:] * grey[:, :-1]):
        assert abs(other.mean()) < 0.05 * grey.var()
    colours = noise.apply_noise(np.full((256, 256, 3), 128, np.uint8), SensorNoise(0.1, 4.0, 1))
    assert np.corrcoef(colours.reshape(-1, 3).T)[0, 1] < 0.02


def test_the_seed_decides_every_pixel_whatever_the_strips(xray, monkeypatch):
    params = SensorNoise(0.1, 3.0, 7)
    out = noise.apply_noise(xray, params)
    monkeypatch.setattr(noise, "_STRIP", 10)
    assert np.array_equal(noise.apply_noise(xray, params), out)
    assert not np.array_equal(noise.apply_noise(xray, SensorNoise(0.1, 3.0, 8)), out)
    assert np.array_equal(noise.apply_noise(xray, SensorNoise(0.0, 0.0, 8)), xray)


def srgb(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("stops", "restored"), [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (3.0, 0.5)])
def test_low_light_is_linear_light_halved_per_stop(stops, restored):
    params = LowLight(stops, restored, 1e6, 0.0, 3)
    for value in (10, 80, 200):
        image = np.full((64, 64), value, np.uint8)
        v = value / 255
        light = v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        expected = 255 * srgb(np.array(light * 2 ** (-stops * (1 - restored))))
        assert abs(noise.apply_low_light(image, params).mean() - expected) < 0.6


def test_gain_brings_light_back_but_the_noise_with_it():
    image = np.full((128, 128), 128, np.uint8)
    well = noise.apply_low_light(image, LowLight(0.0, 1.0, 3000.0, 4.0, 3))
    dark = noise.apply_low_light(image, LowLight(4.0, 1.0, 3000.0, 4.0, 3))
    assert abs(float(dark.mean()) - float(well.mean())) < 3
    assert dark.std() > 3 * well.std()


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_level_sets_the_strength(level):
    generator = step_generator(level, "k", 0, "x")
    params = noise.sample_noise(generator, level, (9, 9))
    assert abs(params.read / (1, 2, 4, 7)[level - 1] - 1) <= 0.1
    assert abs(noise.sample_low_light(generator, level, (9, 9)).stops - level) <= 0.2
