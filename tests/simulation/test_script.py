"""Scripts: every step can be written and read back; what cannot be read is told with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import UserError
from rig.simulation.script import COMMANDS, VERBS, Step, help_text, parse, step, write

_WHO = st.sampled_from(("display", "phone"))
_N = st.integers(0, 2**32)
_S = st.floats(0, 86_400)
STEPS = st.one_of(
    st.builds(step, st.sampled_from(("good", "advance")), _S),
    st.builds(step, st.sampled_from(("deliver", "overtake", "duplicate", "drop")), _N),
    st.builds(step, st.just("corrupt"), _N, _N),
    st.builds(step, st.just("crash"), _WHO, _S),
    st.builds(step, st.just("crash"), _WHO, _S, st.just("torn"), st.just("power")),
    st.builds(step, st.just("doom"), _WHO, _N),
    st.builds(step, st.sampled_from((*COMMANDS, "roam", "room"))),
)


@given(st.lists(STEPS, max_size=12))
def test_what_is_written_is_read_back(steps: list[Step]):
    assert parse(write(steps)) == tuple(steps)


def test_lines_and_comments():
    assert parse("good 1.5  # begins\n\n drop 2;; roam ;\n") == (
        Step("good", (1.5,)),
        Step("drop", (2,)),
        Step("roam"),
    )


def test_flags_in_any_order_are_the_same_step():
    assert step("crash", "phone", 0, "power", "torn") == step("crash", "phone", 0, "torn", "power")


@pytest.mark.parametrize(
    "bad",
    [
        "fly", "good", "good -1", "good nan", "good inf", "good 1 2", "deliver x", "deliver 1.5",
        "crash", "crash tablet 1", "crash phone 1 gently", "camera broken", "disturb 1.1",
        "fill cup", "drop -1", "corrupt 1",
    ],
)  # fmt: skip
def test_a_bad_step_is_told_with_its_place_and_how_it_is_written(bad: str):
    with pytest.raises(UserError, match=r"^Step 2 of the script is '") as told:
        parse(f"roam; {bad}; room")
    assert bad in str(told.value)


def test_the_help_names_every_step():
    text = help_text()
    assert all(verb in text for verb in VERBS)
