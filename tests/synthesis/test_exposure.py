import math

import numpy as np
import pytest

from rig.synthesis import exposure
from rig.synthesis.exposure import Exposure
from rig.synthesis.rng import step_generator


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_every_level_is_the_same_sigmoid(xray, colour, level):
    params = exposure.sample(step_generator(level, "k", 0, "exposure"), level, (9, 9))
    assert params == Exposure(0.5, 5.0)
    for image in (xray, colour):
        expected = [int(255 / (1 + math.exp(5 * (0.5 - v / 255)))) for v in range(256)]
        assert np.array_equal(exposure.apply(image, params), np.array(expected)[image])


def test_cutoff_and_gain_are_used():
    ramp = np.arange(256, dtype=np.uint8)[None]
    out = exposure.apply(ramp, Exposure(0.2, 100.0))[0]
    assert out[:45].max() < 40
    assert out[60:].min() > 240
    assert exposure.apply(ramp, Exposure(0.5, 0.0)).tolist() == [[127] * 256]
