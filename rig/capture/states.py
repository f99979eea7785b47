"""The states of a session and how it moves between them, as data.

An event or request without an entry leaves the state as it is: the log keeps what happened, and an
event that does not fit changes nothing. docs/sessions.md is written from these tables by
``python -m rig.capture.states``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """What the rig has confirmed about a session."""

    CREATED = "created"
    """Preflight: nothing has been set or asked for yet."""
    ENVIRONMENT = "environment"
    """The room is being set and confirmed, factor by factor."""
    ALIGNMENT = "alignment"
    """An alignment shot is asked for, taken, judged or waived."""
    LOADING = "loading"
    """The start is asked for: the station takes the plan and waits for the phone."""
    ARMED = "armed"
    """The phone is armed; the first x-ray is not shown yet."""
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    """The station ends the session early; what is in flight is finished."""
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    COMPLETED = "completed"
    ABORTED = "aborted"


class Finish(StrEnum):
    """Why a session ended; kept apart from its state, with code, sentence and whose wish it was."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    ABORTED = "aborted"


class Request(StrEnum):
    """What a person may ask of a session; the station confirms it by an event."""

    START = "start"
    PAUSE = "pause"
    PAUSE_NOW = "pause_now"
    """The exposure in flight is given up and taken again after the pause."""
    RESUME = "resume"
    STOP = "stop"
    """What is in flight is finished, then the session ends with what it has."""
    ABORT = "abort"
    REARM = "rearm"
    RESOLVE = "resolve"
    """Legacy mode: what the original app's log says of the request in doubt."""


REQUESTED = "requested"
REFUSED = "refused"
BOOT = "interrupted"
SESSION_CREATED = "session_created"
ALIGNING = ("alignment_asked", "aligned", "alignment_accepted", "alignment_waived")
"""What is told of a session's alignment shots; see `rig.capture.alignment_rows`."""

_S = State
ENDED: frozenset[State] = frozenset({_S.STOPPED, _S.COMPLETED})
"""Final: nothing moves such a session."""
RECOVERED: frozenset[State] = frozenset({_S.LOADING, _S.ARMED, _S.RUNNING, _S.PAUSING, _S.STOPPING})
"""States that a restart of the controller turns into `interrupted`: it no longer knows."""
_OPEN = tuple(state for state in State if state not in {*ENDED, _S.ABORTED})
_BEFORE = (_S.CREATED, _S.ENVIRONMENT, _S.ALIGNMENT)
_NOT_YET = (*_BEFORE, _S.LOADING, _S.INTERRUPTED)


def _table() -> dict[tuple[State, str], State]:
    table: dict[tuple[State, str], State] = {}
    for state in _BEFORE:
        for kind in ("condition_applied", "condition_confirmed"):
            table[state, kind] = _S.ENVIRONMENT
        for kind in ALIGNING:
            table[state, kind] = _S.ALIGNMENT
        table[state, f"{REQUESTED}:start"] = _S.LOADING
    for state in _NOT_YET:
        # The station goes on by itself while the controller is away: its events end `interrupted`.
        table[state, "armed"] = _S.ARMED
    for state in (*_NOT_YET, _S.ARMED):
        for kind in ("painted", "accepted", "committed", "resumed"):
            table[state, kind] = _S.RUNNING
    table[_S.PAUSED, "resumed"] = _S.RUNNING
    for state in _OPEN:
        table[state, "aborted"] = _S.ABORTED
        table[state, "completed"] = _S.COMPLETED
        table[state, "stopped"] = _S.STOPPED
        if state is not _S.PAUSED:
            table[state, "paused"] = _S.PAUSED
        if state is not _S.STOPPING:
            table[state, "stopping"] = _S.STOPPING
    # What follows a re-arm is told by the station's next event, or by Resume.
    table[_S.ABORTED, "rearmed"] = _S.INTERRUPTED
    table[_S.INTERRUPTED, f"{REQUESTED}:start"] = _S.LOADING
    table[_S.LOADING, f"{REFUSED}:start"] = _S.CREATED
    for asked in ("pause", "pause_now"):
        for state in (_S.ARMED, _S.RUNNING):
            table[state, f"{REQUESTED}:{asked}"] = _S.PAUSING
        table[_S.PAUSING, f"{REFUSED}:{asked}"] = _S.RUNNING
    for state in RECOVERED:
        table[state, BOOT] = _S.INTERRUPTED
    return table


TRANSITIONS: Mapping[tuple[State, str], State] = MappingProxyType(_table())
"""(state, event kind or `requested:<request>` or `refused:<request>`) -> next state."""

_ACTIVE = frozenset({_S.LOADING, _S.ARMED, _S.RUNNING, _S.PAUSING, _S.INTERRUPTED})

ALLOWED: Mapping[Request, frozenset[State]] = MappingProxyType(
    {
        Request.START: frozenset({*_BEFORE, _S.LOADING, _S.INTERRUPTED}),
        Request.PAUSE: _ACTIVE,
        Request.PAUSE_NOW: frozenset({_S.ARMED, _S.RUNNING, _S.PAUSING}),
        Request.RESUME: frozenset({_S.PAUSED, _S.INTERRUPTED}),
        Request.STOP: frozenset({*_BEFORE, *_ACTIVE, _S.PAUSED, _S.STOPPING}),
        Request.ABORT: frozenset({*_ACTIVE, _S.PAUSED, _S.STOPPING}),
        Request.REARM: frozenset({_S.ABORTED}),
        Request.RESOLVE: frozenset({_S.PAUSED}),
    }
)
"""The states in which a request makes sense."""

BEFORE: frozenset[State] = frozenset(_BEFORE)
"""No station knows of such a session yet."""

BUSY: frozenset[State] = frozenset({*_ACTIVE, _S.PAUSED, _S.STOPPING})
"""A station with a session in one of these is taken."""

PAUSES = frozenset({Request.PAUSE, Request.PAUSE_NOW})
_CONFIRMED_BY: Mapping[Request, frozenset[State]] = MappingProxyType(
    {
        Request.ABORT: frozenset({_S.ABORTED, *ENDED}),
        Request.STOP: frozenset({_S.STOPPING, _S.ABORTED, *ENDED}),
    }
)
"""What these were asked for must come true; any other change of state leaves them asked."""


def step(state: State, trigger: str) -> State:
    """The state after *trigger*."""
    return TRANSITIONS.get((state, trigger), state)


def next_state(
    state: State, kind: str, *, asked: Request | None, pending: Request | None
) -> tuple[State, Request | None]:
    """State and still unconfirmed request after an event.

    Args:
        state: before the event.
        kind: of the event.
        asked: the request that a `requested` or `refused` event is about.
        pending: the request that was unconfirmed before the event.
    """
    if kind == REQUESTED and asked is not None:
        return step(state, f"{REQUESTED}:{asked}"), asked
    if kind == REFUSED and asked is not None:
        return step(state, f"{REFUSED}:{asked}"), None if pending is asked else pending
    after = step(state, kind)
    if kind == BOOT:
        # No request survives a restart, except the one for safety.
        return after, pending if pending is Request.ABORT else None
    if after is state:
        confirmed = kind == "stopping" and pending is Request.STOP
        return after, None if confirmed else pending
    if after in {State.ARMED, State.RUNNING} and pending in PAUSES:
        return State.PAUSING, pending
    if pending is not None and after not in _CONFIRMED_BY.get(pending, {after}):
        return after, pending
    return after, None


if __name__ == "__main__":
    from rig.capture.states_doc import document

    sys.stdout.write(document())
