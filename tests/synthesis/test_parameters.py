import pytest

from rig.synthesis.parameters import check_overrides, params_from_json
from rig.synthesis.recipes import Recipe, Step, apply_recipe
from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.transform import SynthesisError, params_to_json


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_what_is_written_is_read_again(name, xray):
    for level in (1, 4):
        recipe = Recipe("r", (Step(name, level),))
        params = apply_recipe(xray, recipe, seed=2, key="a").steps[0].params
        assert params_from_json(name, params_to_json(params)) == params


MOIRE = {"gap": 2.5, "opacity": 0.3, "thickness": 1, "layers": [[90, 0.5, [1, 2]]]}


def test_whole_numbers_are_numbers():
    params = params_from_json("moire", MOIRE)
    assert params.layers == ((90.0, 0.5, (1.0, 2.0)),)
    assert isinstance(params.thickness, float)
    assert params_from_json("motion", {"length": 5.0}).length == 5


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("motion", {"length": 5.5}, "length of motion is 5.5; it has to be a whole number"),
        ("motion", {"length": True}, "has to be a whole number"),
        ("motion", {"length": 0}, "length is 0; it has to be in 1"),
        ("blur", {"radius": "3"}, "radius of blur is '3'; it has to be a number"),
        ("blur", {"radius": float("inf")}, "has to be a number"),
        ("blur", {"radius": 10**400}, "has to be a number"),
        ("blur", {}, r"blur misses radius; blur takes radius \(a number\)"),
        ("blur", {"radius": 1, "sigma": 2}, "no parameter 'sigma'; blur takes radius"),
        ("blur", [1], "not an object"),
        ("identity", {"x": 1}, "identity takes none"),
        ("glare_glossy", {"box": [1, 2, 3], "opacity": 9}, "a list of 4 whole numbers"),
        ("tilt", {"corners": [[0, 0]] * 4}, "span no area"),
        ("tilt", {"corners": [[0, 0], [0, 9], [9, 9], [9, 0]]}, "clockwise"),
        ("moire", MOIRE | {"layers": [[90, 0, [1, 2]]]}, "spread of a layer is 0"),
        ("moire", MOIRE | {"layers": [[90, 0.5]]}, "layers of moire is"),
        ("moire", MOIRE | {"gap": -1}, "gap is -1"),
        ("rotation", {"degrees": 1e9}, "degrees is 1e"),
        ("sepia", {}, "no transform 'sepia'"),
    ],
)
def test_what_somebody_else_wrote_is_checked(name, values, reason):
    with pytest.raises(SynthesisError, match=reason):
        params_from_json(name, values)


def test_some_parameters_may_be_set_and_the_others_drawn(xray):
    step = Step("glare_matte", 2, {"x": 5})
    assert step.overrides == {"x": 5.0}
    free = apply_recipe(xray, Recipe("r", (Step("glare_matte", 2),)), seed=0, key="a").steps[0]
    fixed = apply_recipe(xray, Recipe("r", (step,)), seed=0, key="a").steps[0]
    assert (fixed.params.x, fixed.params.y) == (5.0, free.params.y)
    with pytest.raises(SynthesisError, match="no parameter 'xx'"):
        check_overrides("glare_matte", {"xx": 1})


def test_lengths_grow_with_the_image_when_a_reference_size_is_given(xray):
    """The shorter side is 107 px."""
    for name, field in [("glare_matte", "sigma"), ("blur", "radius"), ("moire", "gap")]:
        plain, half = (
            apply_recipe(xray, Recipe("r", (Step(name, 2),), size), seed=0, key="a").steps[0].params
            for size in (None, 214)
        )
        assert getattr(half, field) == pytest.approx(getattr(plain, field) / 2)
    moved = apply_recipe(xray, Recipe("r", (Step("translation", 1),), 214), seed=0, key="a")
    assert abs(moved.steps[0].params.dx) == 10
    same = apply_recipe(xray, Recipe("r", (Step("tilt", 2),), 214), seed=0, key="a")
    plain = apply_recipe(xray, Recipe("r", (Step("tilt", 2),)), seed=0, key="a")
    assert same.steps == plain.steps
