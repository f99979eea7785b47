"""The transition table: what confirms what, and what changes nothing."""

import itertools
from pathlib import Path

import pytest

from rig.capture import states
from rig.capture.states import ALLOWED, TRANSITIONS, Request, State, next_state, step
from rig.capture.states_doc import document

EVENTS = sorted(
    {kind for _, kind in TRANSITIONS} | {"connected", "retake", "link_lost", "nonsense"}
)


def test_the_table_is_frozen():
    """It is data that nobody changes."""
    with pytest.raises(TypeError):
        TRANSITIONS[State.CREATED, "armed"] = State.ABORTED


@pytest.mark.parametrize("kind", EVENTS)
def test_completed_and_stopped_are_final(kind):
    """Nothing moves an ended session."""
    assert step(State.COMPLETED, kind) is State.COMPLETED
    assert step(State.STOPPED, kind) is State.STOPPED


@pytest.mark.parametrize("kind", [k for k in EVENTS if k != "rearmed"])
def test_only_a_rearm_leaves_aborted(kind):
    """An abort is latched until a person clears it."""
    assert step(State.ABORTED, kind) is State.ABORTED


@pytest.mark.parametrize("state", list(State))
def test_an_event_without_an_entry_changes_nothing(state):
    """Neither state nor request."""
    for pending in (None, *Request):
        assert next_state(state, "nonsense", asked=None, pending=pending) == (state, pending)


def test_no_request_confirms_itself():
    """Running, paused, aborted and completed are reached by events of the rig only."""
    told_by_rig = {
        State.ARMED, State.RUNNING, State.PAUSED, State.STOPPING, State.STOPPED, State.ABORTED,
        State.COMPLETED,
    }  # fmt: skip
    for (state, trigger), after in TRANSITIONS.items():
        if trigger.startswith("requested:"):
            assert after not in told_by_rig, (state, trigger)


def test_boot_interrupts_what_the_controller_no_longer_knows():
    """All that moves; paused was confirmed and stays."""
    moved = {state for state in State if step(state, states.BOOT) is not state}
    assert moved == set(states.RECOVERED)
    assert moved == {
        State.LOADING, State.ARMED, State.RUNNING, State.PAUSING, State.STOPPING,
    }  # fmt: skip


@pytest.mark.parametrize("pending", [r for r in Request if r is not Request.ABORT])
def test_no_request_survives_a_restart_but_abort(pending):
    """No busy flag is left; safety is not forgotten."""
    assert next_state(State.RUNNING, states.BOOT, asked=None, pending=pending)[1] is None
    kept = next_state(State.RUNNING, states.BOOT, asked=None, pending=Request.ABORT)
    assert kept == (State.INTERRUPTED, Request.ABORT)


def test_a_pause_asked_while_interrupted_stays_asked_when_shooting_shows():
    """The rig goes on: it is pausing, not running as if nobody had asked."""
    asked = next_state(State.INTERRUPTED, "painted", asked=None, pending=Request.PAUSE)
    assert asked == (State.PAUSING, Request.PAUSE)


def test_an_abort_stays_asked_until_it_is_confirmed():
    """A pause on the way is not an abort."""
    after = next_state(State.RUNNING, "paused", asked=None, pending=Request.ABORT)
    assert after == (State.PAUSED, Request.ABORT)
    after = next_state(State.PAUSED, "aborted", asked=None, pending=Request.ABORT)
    assert after == (State.ABORTED, None)


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [(Request.START, State.LOADING, State.CREATED), (Request.PAUSE, State.PAUSING, State.RUNNING)],
)
def test_a_refusal_takes_back_what_only_was_asked(request_, before, after):
    """The state is again the one before the request."""
    assert next_state(before, "refused", asked=request_, pending=request_) == (after, None)


def test_every_open_state_can_be_left_by_an_allowed_request_or_an_event():
    """No state is a trap."""
    ways = {state for state, _ in TRANSITIONS} | set(itertools.chain(*ALLOWED.values()))
    assert ways == set(State) - states.ENDED


@pytest.mark.parametrize("on_the_way", ["paused", "painted", "armed", "resumed"])
def test_a_stop_stays_asked_until_the_rig_confirms_it(on_the_way):
    """Whatever else happens first; `stopping` confirms it."""
    after, pending = next_state(State.INTERRUPTED, on_the_way, asked=None, pending=Request.STOP)
    assert pending is Request.STOP
    assert next_state(after, "stopping", asked=None, pending=pending) == (State.STOPPING, None)


def test_a_second_word_of_stopping_confirms_a_second_wish():
    """The station says it again when it is asked again."""
    assert next_state(State.STOPPING, "stopping", asked=None, pending=Request.STOP) == (
        State.STOPPING, None,
    )  # fmt: skip


def test_the_page_about_sessions_is_written_from_the_tables():
    """docs/sessions.md is what `python -m rig.capture.states` prints."""
    page = Path(__file__).parents[2] / "docs" / "sessions.md"
    assert page.read_text(encoding="utf-8") == document()
