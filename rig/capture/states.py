"""The states of a session and how it moves between them, as data.

An event or request without an entry leaves the state as it is: the log keeps what happened, and an
event that does not fit changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """What the rig has confirmed about a session."""

    CREATED = "created"
    LOADING = "loading"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    ABORTED = "aborted"
    COMPLETED = "completed"


class Request(StrEnum):
    """What a person may ask of a session; the station confirms it by an event."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    REARM = "rearm"
    RESOLVE = "resolve"
    """Legacy mode: what the original app's log says of the request in doubt."""


REQUESTED = "requested"
REFUSED = "refused"
BOOT = "interrupted"
SESSION_CREATED = "session_created"

_S = State
_OPEN = (_S.CREATED, _S.LOADING, _S.RUNNING, _S.PAUSING, _S.PAUSED, _S.INTERRUPTED)
_NOT_YET = (_S.CREATED, _S.LOADING, _S.INTERRUPTED)


def _table() -> dict[tuple[State, str], State]:
    table: dict[tuple[State, str], State] = {}
    for state in _NOT_YET:
        # The station goes on by itself while the controller is away: its events end `interrupted`.
        for kind in ("armed", "painted", "accepted", "committed", "resumed"):
            table[state, kind] = _S.RUNNING
    table[_S.PAUSED, "resumed"] = _S.RUNNING
    for state in _OPEN:
        table[state, "aborted"] = _S.ABORTED
        table[state, "completed"] = _S.COMPLETED
        if state is not _S.PAUSED:
            table[state, "paused"] = _S.PAUSED
    # What follows a re-arm is told by the station's next event, or by Resume.
    table[_S.ABORTED, "rearmed"] = _S.INTERRUPTED
    table[_S.CREATED, f"{REQUESTED}:start"] = _S.LOADING
    table[_S.INTERRUPTED, f"{REQUESTED}:start"] = _S.LOADING
    table[_S.RUNNING, f"{REQUESTED}:pause"] = _S.PAUSING
    table[_S.LOADING, f"{REFUSED}:start"] = _S.CREATED
    table[_S.PAUSING, f"{REFUSED}:pause"] = _S.RUNNING
    for state in (_S.LOADING, _S.RUNNING, _S.PAUSING):
        table[state, BOOT] = _S.INTERRUPTED
    return table


TRANSITIONS: Mapping[tuple[State, str], State] = MappingProxyType(_table())
"""(state, event kind or `requested:<request>` or `refused:<request>`) -> next state."""

ALLOWED: Mapping[Request, frozenset[State]] = MappingProxyType(
    {
        Request.START: frozenset({_S.CREATED, _S.LOADING, _S.INTERRUPTED}),
        Request.PAUSE: frozenset({_S.LOADING, _S.RUNNING, _S.PAUSING, _S.INTERRUPTED}),
        Request.RESUME: frozenset({_S.PAUSED, _S.INTERRUPTED}),
        Request.ABORT: frozenset({_S.LOADING, _S.RUNNING, _S.PAUSING, _S.PAUSED, _S.INTERRUPTED}),
        Request.REARM: frozenset({_S.ABORTED}),
        Request.RESOLVE: frozenset({_S.PAUSED}),
    }
)
"""The states in which a request makes sense."""

BUSY: frozenset[State] = frozenset({_S.LOADING, _S.RUNNING, _S.PAUSING, _S.PAUSED, _S.INTERRUPTED})
"""A station with a session in one of these is taken."""

RECOVERED: frozenset[State] = frozenset({_S.LOADING, _S.RUNNING, _S.PAUSING})
"""States that a restart of the controller turns into `interrupted`: it no longer knows."""


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
        return after, pending
    if after is State.RUNNING and pending is Request.PAUSE:
        return State.PAUSING, pending
    if pending is Request.ABORT and after not in {State.ABORTED, State.COMPLETED}:
        return after, pending
    return after, None
