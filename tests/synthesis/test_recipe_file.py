from pathlib import Path

import pytest

from rig.synthesis.recipe_file import parse_recipe, read_recipe
from rig.synthesis.recipes import Recipe, Step
from rig.synthesis.transform import SynthesisError

GOOD = """\
# A phone in a ward.
name = "ward_phone"
reference_size = 320

[[steps]]
transform = "glare_matte"
level = 2

[[steps]]
transform = "moire"
params = { gap = 3, opacity = 0.2 }

[[steps]]
transform = "tilt"

[steps.params]
corners = [[1, 1], [99, 0], [99, 99], [0, 99]]
"""


def parse(text):
    return parse_recipe(text, where="r.toml", default_name="r")


def test_every_step_has_its_own_level_and_overrides():
    corners = ((1.0, 1.0), (99.0, 0.0), (99.0, 99.0), (0.0, 99.0))
    assert parse(GOOD) == Recipe(
        "ward_phone",
        (
            Step("glare_matte", 2),
            Step("moire", 1, {"gap": 3.0, "opacity": 0.2}),
            Step("tilt", 1, {"corners": corners}),
        ),
        320,
    )


def test_the_name_is_the_files_unless_said(tmp_path):
    (tmp_path / "mine.toml").write_text('[[steps]]\ntransform = "blur"\n')
    assert read_recipe(tmp_path / "mine.toml") == Recipe("mine", (Step("blur"),))


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("level = 2", "level = 9", 7, "level 9 does not exist; give 1, 2, 3 or 4"),
        ("level = 2", 'level = "2"', 7, "level '2' does not exist"),
        ("level = 2", "level = true", 7, "level True does not exist"),
        ("level = 2", "lvl = 2", 7, "a step has no 'lvl'; it has transform, level, params"),
        ('"moire"', '"moiré"', 10, "no transform 'moiré'; there are contrast_up, "),
        ("gap = 3", "gap = -3", 11, "gap is -3; it has to be in 0 to "),
        ("gap = 3", 'gap = "3"', 11, "gap of moire is '3'; it has to be a number"),
        ("gap = 3", "size = 3", 11, r"moire has no parameter 'size'; moire takes gap \(a number\)"),
        ("opacity = 0.2", "opacity = 2", 11, "opacity is 2; it has to be in 0 to 1"),
        ("params = {", "params = 3 # {", 11, "params is a table"),
        ("[99, 0], ", "", 17, "corners of tilt is"),
        ("[[1, 1], [99, 0]", "[[1, 1], [1, 1]", 17, "span no area"),
        ('transform = "tilt"', "", 13, "the step has no transform; give one of contrast_up"),
        ("= 320", "= 0", 3, "reference_size is 0; give the shorter side"),
        ("ward_phone", "../x", 2, "the name '../x' is not allowed"),
        ("name", "nmae", 2, "a recipe has no 'nmae'; it has name, reference_size, steps"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(old, new, line, reason):
    assert old in GOOD
    with pytest.raises(SynthesisError, match=f"^r.toml, line {line}: .*{reason}"):
        parse(GOOD.replace(old, new, 1))


def test_lines_are_found_in_arrays_of_inline_tables_too():
    text = 'steps = [\n  { transform = "blur" },\n  { transform = "tilt", level = 7 },\n]\n'
    with pytest.raises(SynthesisError, match=r"^r.toml, line 3: level 7"):
        parse(text)


def test_a_broken_file_says_where():
    with pytest.raises(SynthesisError, match=r"this is not TOML: .*line 2, column"):
        parse('[[steps]]\ntransform = "blur\n')


@pytest.mark.parametrize("text", ["", "steps = []", "steps = 3", 'name = "x"'])
def test_a_recipe_without_steps_is_refused(text):
    with pytest.raises(SynthesisError, match="needs 1 to 100 steps"):
        parse(text)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(SynthesisError, match=r"none.toml cannot be read: No such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(SynthesisError, match="is not UTF-8"):
        read_recipe(tmp_path / "x.toml")
    with pytest.raises(SynthesisError, match="this is not TOML"):
        read_recipe(Path(__file__))
