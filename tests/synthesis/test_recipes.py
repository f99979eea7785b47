import dataclasses

import numpy as np
import pytest

from rig.synthesis.recipes import DIGITAL, SPATIAL, Recipe, Step, apply_recipe, named_recipe
from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.transform import SynthesisError, params_to_json


def test_the_released_recipes():
    assert DIGITAL.steps == (Step("random_digital", 1),)
    assert SPATIAL.steps == (Step("glare_matte", 1), Step("moire", 1), Step("tilt", 1))


def test_photographic_is_another_name_of_spatial():
    assert named_recipe("photographic", 3) == named_recipe("spatial", 3) == SPATIAL.at_level(3)


@pytest.mark.parametrize("name", ["", "Spatial", "blurry"])
def test_unknown_recipes_are_refused(name):
    with pytest.raises(SynthesisError, match="no recipe"):
        named_recipe(name)


def test_steps_are_checked_when_written():
    with pytest.raises(SynthesisError, match="no transform 'sepia'"):
        Step("sepia")
    with pytest.raises(SynthesisError, match="Level 9"):
        named_recipe("digital", 9)


def test_a_chain_is_its_steps_one_after_the_other(xray):
    twin = apply_recipe(xray, SPATIAL, seed=4, key="a")
    image = xray
    for applied in twin.steps:
        image = TRANSFORMS[applied.step.transform].apply(image, applied.params)
    assert np.array_equal(twin.image, image)


def test_homographies_are_composed_in_order(xray):
    recipe = Recipe("twice", (Step("tilt", 2), Step("moire"), Step("tilt", 4)))
    twin = apply_recipe(xray, recipe, seed=4, key="a")
    first, second = (
        TRANSFORMS["tilt"].homography(twin.steps[n].params, (130, 107)) for n in (0, 2)
    )
    expected = second @ first
    assert np.allclose(twin.homography, expected / expected[2, 2])
    assert not np.allclose(twin.homography, first @ second / (first @ second)[2, 2])


def test_a_recipe_that_moves_nothing_has_the_identity(xray):
    assert np.array_equal(apply_recipe(xray, DIGITAL, seed=1, key="a").homography, np.eye(3))


@pytest.mark.parametrize("recipe", [DIGITAL, SPATIAL])
def test_seed_and_key_decide_and_nothing_else(xray, recipe):
    def made(seed, key):
        return apply_recipe(xray, recipe, seed=seed, key=key).image.tobytes()

    assert made(1, "a") == made(1, "a")
    assert len({made(1, "a"), made(2, "a"), made(1, "b"), made(2, "b")}) == 4


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_every_transform_keeps_mode_type_and_input(name, xray, colour):
    for image in (xray, colour):
        before = image.copy()
        for level in (1, 4):
            twin = apply_recipe(image, Recipe(name, (Step(name, level),)), seed=3, key="a")
            assert twin.image.dtype == np.uint8
            grown = TRANSFORMS[name].output_size(twin.steps[0].params, image.shape[1::-1])
            assert twin.image.shape == (*grown[::-1], *image.shape[2:])
            assert grown == image.shape[1::-1] or name == "rotation"
            assert np.array_equal(image, before)


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_every_transform_works_on_one_pixel(name):
    for image in (np.full((1, 1), 99, np.uint8), np.full((1, 1, 3), 99, np.uint8)):
        twin = apply_recipe(image, Recipe(name, (Step(name, 4),)), seed=3, key="a")
        assert twin.image.shape == image.shape


@pytest.mark.parametrize(
    "name", [n for n in TRANSFORMS if n not in {"identity", "exposure", "rotation"}]
)
def test_a_higher_level_changes_more(name, xray):
    """On average over images; identity and exposure have no strength, rotation its own test."""

    def change(level):
        recipe = Recipe(name, (Step(name, level),))
        twins = [apply_recipe(xray, recipe, seed=0, key=f"{n}").image for n in range(12)]
        return np.mean([abs(twin.astype(float) - xray).mean() for twin in twins])

    assert 0 < change(1) < change(2) < change(4)


def test_parameters_are_frozen_and_named_as_the_manifest_names_them(xray):
    names = {
        "contrast_up": {"factor"},
        "brightness_down": {"factor"},
        "random_digital": {"contrast", "brightness"},
        "glare_matte": {"x", "y", "sigma", "peak", "cap"},
        "moire": {"gap", "opacity", "thickness", "layers"},
        "tilt": {"corners"},
        "identity": set(),
    }
    for name, fields in names.items():
        params = apply_recipe(xray, Recipe("r", (Step(name),)), seed=0, key="a").steps[0].params
        assert set(params_to_json(params)) == fields
        for field in fields:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(params, field, 0)


def test_identity_is_the_image(xray):
    twin = apply_recipe(xray, Recipe("r", (Step("identity"),)), seed=0, key="a")
    assert np.array_equal(twin.image, xray)
