"""docs/sessions.md: what a session can be asked for, what moves it, and what it pauses for."""

from __future__ import annotations

from rig.capture.devices import ANSWER_S, PHONE_S, RECENT_MS, SLOW_MS
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
from rig.protocol.codes import BATTERY_MIN, FREE_MIN, TEMPERATURE_MAX

_MEANS = {
    State.CREATED: "preflight: nothing is set or asked for yet",
    State.ENVIRONMENT: "the room is being set and confirmed, factor by factor",
    State.ALIGNMENT: "an alignment shot is asked for, taken, judged or waived; see alignment.md",
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
    Request.START: "`start`: refused while a level of the environment is not confirmed, or the "
    "alignment is neither good nor accepted nor waived",
    Request.PAUSE: "`pause`: after the image in flight",
    Request.PAUSE_NOW: "`pause-now`: the exposure in flight is void (a `retake` says so) and its "
    "index is shot again after the pause",
    Request.RESUME: "`resume`: screen and phone are asked how they are, actuators set and read "
    "back again, old confirmations asked for again; refused like `start`, or by a device",
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
body, by the header `X-Operator` or by the sign-in; the event's actor is then `operator:<name>`.
Every command stands in the audit log with its answer, refusals too. What a session cannot do now,
or what somebody else has in hand, is refused with 409 and a sentence; the session's own log then
holds nothing but the answers of the devices, if they were asked. See api.md. `rig session <command>
ID --name NAME` asks for the same on the controller's machine.
"""

_ASKED = """## Screen and phone are asked anew

Before a start, a resume and a re-arm the controller sends its station the command `report` and
waits for the reply with the same number, at most %(answer)d s. The display agent looks at its
screen without painting (window, scaling, in front and seen, awake, screen saver, tint; a window
that was lost is opened again) and waits up to 4 s for a datagram of the phone that comes *after*
the question; an armed phone answers a PING every second. Before a resume, and a start after an
interruption, the phone's next status to the controller (battery, heat, room, camera) is awaited
too, up to %(phone)d s if it spoke in the last minute. What was said before the question is shown
with its age and vouches for nothing; what nobody told is called unknown.

Refused is, with the device and the remedy: no reply; window, scaling or pixels that are not as
they must be; something else to be seen than what was put up; another size of monitor than the
session's first x-ray had; at a resume of what was begun, a phone that has not answered the
display since the question; and what the phone said in the last %(recent)d s: a battery below
%(battery)d %% that does not charge, more than %(heat)d °C, less than %(free)d MiB free, an agent
that is not ready, a camera that failed its check. Only told are screen saver, tint, refresh rate
and keyboard focus, a round trip of more than %(slow)d ms, and what the phone said longer ago ("it
may be otherwise by now").

A phone whose agent says that it is starting is waited for at a resume as at a start: the resume
stands as asked for and not confirmed, is carried out when the phone answers the display, and is
refused with the reason when it does not within a minute, or when something else blocks by then.

The answers are the event `devices` of the session, and stand in `devices` of `GET
/api/sessions/{id}` and on its page with their ages. The battery of a phone without /sys comes
from the Termux:API app and may be a minute older than its status. The original app (legacy mode)
answers nothing but photos; that is said.

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
session at a time, a subset is shot by one at a time, and a session does not start when another one
has shot its first x-ray since it was made. Nothing of the first session is changed: its
photos and events stay, and the dataset takes the newest verified photo of an index.

With `"start": true` (a box in the dialog) they start by themselves, each when the one before it
is completed, the first at once if the session they replace photos of is over. A stop, an abort or
a pause of the one before, a start that is refused, and `POST .../unqueue` end the queue with a
sentence; a person starts the rest. A station that is away is waited for. A person's look at the
room counts for the next session of the same subset for half an hour after the last x-ray was
shown; `"confirm": true` vouches for all of them, as long. The queue is the events `queued` and
`unqueued`: a restart of the controller changes nothing, and nothing starts twice.

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

A station that is out of sight is not blamed for its silence; it is shown with its age, after a
restart of the controller by what the log says of it.

| code | what resumes it |
|---|---|
"""

_JOBS = """## Jobs

The intake of a batch begins by itself. `POST /api/jobs` begins a `build` (`{"campaign": NAME,
"version", "synthetic", "terms"}`, into `HOME/datasets`) or a `synthesis` (`{"catalog": NAME,
"recipe", "level", "seed", "quality"}`, into `HOME/synthetic`): `{"kind": "build", "wanted":
{...}}`. Long jobs wait for each other, an intake never for them. A job has `done` of `total`,
written at most once a second; `POST /api/jobs/{id}/cancel` ends it at its next step; the end of
the controller, in good order or not, leaves it `interrupted`. `POST /api/jobs/{id}/resume` takes
up what was cancelled, failed or interrupted under its number, with what was asked for from its
first event: a synthesis makes only what is missing, a build appears complete or not at all and
begins anew. An intake goes on with the photos that have no verdict, as a new job of its session,
also by itself at the next start.
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
        _asked() + stop + "\n".join(f"| `{code}` | {text} |" for code, text in RESUMES.items()),
        "",
        _JOBS,
    ]
    return "\n".join(parts)


def _asked() -> str:
    return _ASKED % {
        "answer": ANSWER_S, "phone": PHONE_S, "slow": SLOW_MS, "recent": RECENT_MS // 1000,
        "battery": BATTERY_MIN, "heat": TEMPERATURE_MAX, "free": FREE_MIN >> 20,
    }  # fmt: skip


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
