"""docs/sessions.md: what a session can be asked for, what moves it, and what it pauses for."""

from __future__ import annotations

from rig.capture.states import (
    ALLOWED,
    BOOT,
    BUSY,
    ENDED,
    REFUSED,
    REQUESTED,
    TRANSITIONS,
    Finish,
    Request,
    State,
)
from rig.capture.watch import RESUMES, Limits

_MEANS = {
    State.CREATED: "preflight: nothing is set or asked for yet",
    State.ENVIRONMENT: "the room is being set and confirmed, factor by factor",
    State.LOADING: "the start is asked for: the station takes the plan and waits for the phone",
    State.ARMED: "the phone is armed, the first x-ray is not shown yet",
    State.RUNNING: "the rig showed that it shoots",
    State.PAUSING: "a pause is asked for and not confirmed",
    State.PAUSED: "the station holds still; the reason is shown",
    State.STOPPING: "the station confirmed the end; what is in flight is finished",
    State.INTERRUPTED: "the controller was restarted or the abort was cleared: the station's next "
    "event tells, or Resume asks",
    State.STOPPED: "ended early with what it has",
    State.COMPLETED: "every index is committed on both sides",
    State.ABORTED: "latched on both sides until a person re-arms it by its number",
}
_ASKS = {
    Request.START: "`start`: refused while a level of the environment is not confirmed",
    Request.PAUSE: "`pause`: after the image in flight",
    Request.PAUSE_NOW: "`pause-now`: the exposure in flight is void (a `retake` says so) and its "
    "index is shot again after the pause",
    Request.RESUME: "`resume`: actuators are set and read back again, old confirmations asked for "
    "again; refused like `start`",
    Request.STOP: "`stop`: the image in flight is finished, then the session ends as `stopped`",
    Request.ABORT: "`abort`: at once, both sides latch; told again until a station confirms it",
    Request.REARM: "`rearm`: clears the abort whose `abort_id` is given; refused like `start`",
    Request.RESOLVE: "`resolve`: legacy mode, whether the photo in doubt was taken",
}

_HEAD = """# Sessions

Written by `python -m rig.capture.states > docs/sessions.md` from the tables that the controller
uses. A session is one run of consecutive indices of a subset on one station. Its state is what the
rig *confirmed*; what a person asked for and no event has confirmed stands beside it (`requested`,
`requested_ns`, `asked`: by whom, why). Why it ended is kept apart from the state, in `finish`:
`reason` ({reasons}), `code`, `why`, `by` and `count`.

Every command is a POST to `/api/sessions/{{id}}/<command>`. Who asks is said by `"name"` in the
body or by the header `X-Operator`; the event's actor is then `operator:<name>`, so the log is the
audit. What a session cannot do now is refused with 409 and a sentence and leaves no trace.
"""

_STOP = """## Stop

The station writes STOP into its journal before it confirms (`stopping`): no restart shoots on.
Whatever exposure is in flight is decided as usual; one that waits in a pause, or was given up, is
void. Then the display sends FINISH with the last index that is decided, and the phone closes its
books there: COMMIT of the last photo, FINISH with count and chain, and the manifest of the batch
lists exactly these photos. A CAPTURE after that is a contradiction and aborts. The event `stopped`
carries count and chain as `completed` does. The next session of the subset begins at the first
index that no ended session has shot; the subset is `completed` when its sessions have it all.
A session that no station knows of yet is stopped by the controller alone. The original app
(legacy mode) knows neither stop nor pause-now.

## Shooting again

`POST .../reshoot` with `{"indices": [...]}` or `{"last": N}` makes sessions over what was shot, one
for each run of neighbouring indices. One plan with gaps would give up what the protocol rests on:
the next index is the only one that either side takes, and the chain runs over consecutive ones.
They are made at once and started one by one when the first session has ended: a station has one
session at a time, a subset is shot by one at a time. Nothing of the first session is changed: its
photos and events stay, and the dataset takes the newest verified photo of an index.

Both agents keep their books by campaign and subset number. The first session of a subset uses its
number, every further one (the rest after a stop, photos shot again, a new try after an abort) uses
`number + 100000 * run`, in its plan and in the names of its photos; `run` counts from 1.

## What pauses by itself

The phone asks for a pause (disk, battery, heat), the display finds others (link, screen, failures
in a row). The controller sees what shows over many captures, and asks the station to pause after
the image in flight, with code and reason:

- `STALLED`: no capture for %(stall)g usual (median) intervals and at least %(patience)g s;
- `THROUGHPUT`: the newest %(newest)d captures reach less than %(share)d %% of the usual rate, known
  after %(enough)d;
- `REJECTED`: %(rejected)d photos in a row do not show what they should (verdicts as they arrive);
- `LIGHT`: a sensor sees the light leave its band (`rig serve --room`);
- `ROOM`: a device lost the level that it had confirmed.

A station that is out of sight is not blamed for its silence; it is shown with its age.

| code | what resumes it |
|---|---|
"""


def document() -> str:
    """The whole page."""
    limits = Limits()
    stop = _STOP % {
        "stall": limits.stall, "patience": limits.patience_s, "newest": limits.newest,
        "share": round(100 * limits.share), "enough": limits.enough, "rejected": limits.rejected,
    }  # fmt: skip
    parts = [
        _HEAD.format(reasons=", ".join(f"`{one}`" for one in Finish)),
        "## States",
        "",
        "| state | means | its station is taken | it is over |",
        "|---|---|---|---|",
        *(_state(one) for one in State),
        "",
        "## Commands",
        "",
        "| command | in the states |",
        "|---|---|",
        *(f"| {_ASKS[one]} | {_list(ALLOWED[one])} |" for one in Request),
        "",
        "## Transitions",
        "",
        "Events come from the station unless they say otherwise; what is not here changes nothing.",
        f"`{REQUESTED}:x` is a person's (or the rig's) wish, `{REFUSED}:x` the station's no,",
        f"`{BOOT}` the start of the controller.",
        "",
        "| from | event | to |",
        "|---|---|---|",
        *_rows(),
        "",
        stop + "\n".join(f"| `{code}` | {text} |" for code, text in RESUMES.items()),
        "",
    ]
    return "\n".join(parts)


def _state(one: State) -> str:
    return f"| `{one}` | {_MEANS[one]} | {_tick(one in BUSY)} | {_tick(one in ENDED)} |"


def _rows() -> list[str]:
    order = list(State)
    ways: dict[tuple[State, State], list[str]] = {}
    for (before, kind), after in TRANSITIONS.items():
        ways.setdefault((before, after), []).append(kind)
    ranked = sorted(ways, key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
    return [
        f"| `{before}` | {', '.join(f'`{kind}`' for kind in sorted(ways[before, after]))} "
        f"| `{after}` |"
        for before, after in ranked
    ]


def _list(states: frozenset[State]) -> str:
    return ", ".join(f"`{one}`" for one in State if one in states)


def _tick(yes: bool) -> str:
    return "yes" if yes else "no"
