"""The states of both sides as data: which trigger leads from where to where, and nothing else does.

The cores look every change up here: `DisplayBase._enter` moves the display's phase, the phone's
ledger moves an exposure, `PhoneCamera._move` what its camera is busy with. What the tables lack is
a defect and is refused. docs/states.md is written by ``python -m rig.protocol.transitions``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum


class Phase(Enum):
    """Where the display stands (section 5)."""

    IDLE = "idle"
    HELLO = "hello"  # looking for the phone
    DOUBT = "doubt"  # reading the surface back before deciding about a photo in doubt
    ARM = "arm"
    PAINT = "paint"
    SETTLE = "settle"
    CAPTURE = "capture"
    CHECK = "check"  # reading the surface back before deciding
    HOLD = "hold"  # paused between captures
    FINISH = "finish"
    COMPLETE = "complete"
    ABORTED = "aborted"


class Trigger(Enum):
    """What moves the display; the value says it to people."""

    WAS_COMPLETE = "start: the journal is complete"
    WAS_ABORTED = "start: the journal holds an abort"
    SEEK = "start, or a person re-arms"
    DOUBTED = "READY: a stored photo that this process may have held"
    RESOLVED = "READY: nothing in doubt; or the doubt is resolved"
    ARMED = "ARMED"
    PROCEED = "nothing is under way: decided, retake or resume"
    NEXT = "an x-ray is left"
    ALL_DECIDED = "no x-ray is left"
    STOP = "an x-ray is left, and a person ends the subset"
    PAINTED = "the paint is confirmed"
    SETTLED = "it has settled"
    NOT_SHOWN = "the screen failed, or a pause before the trigger"
    CAPTURED = "CAPTURED: the phone stored the photo"
    FINISHED = "FINISHED with equal count and chain, durable"
    ABORT = "a contradiction, the phone's ABORT, or a person"


class ShotState(Enum):
    """Where an exposure on the phone stands."""

    INTENT = "intent"
    STORED = "stored"
    COMMITTED = "committed"
    VOID = "void"
    FAILED = "failed"


_HEARS_READY = (
    Phase.HELLO, Phase.DOUBT, Phase.ARM, Phase.PAINT, Phase.SETTLE, Phase.CAPTURE, Phase.CHECK,
    Phase.HOLD, Phase.FINISH,
)  # fmt: skip
"""A phone that was restarted may answer a handshake in any of these."""

DISPLAY: Mapping[tuple[Phase, Trigger], Phase] = {
    (Phase.IDLE, Trigger.WAS_COMPLETE): Phase.COMPLETE,
    (Phase.IDLE, Trigger.WAS_ABORTED): Phase.ABORTED,
    (Phase.IDLE, Trigger.SEEK): Phase.HELLO,
    (Phase.ABORTED, Trigger.SEEK): Phase.HELLO,
    (Phase.HELLO, Trigger.SEEK): Phase.HELLO,  # re-armed once more before the phone came
    (Phase.ARM, Trigger.SEEK): Phase.HELLO,
    **{(phase, Trigger.DOUBTED): Phase.DOUBT for phase in _HEARS_READY},
    **{(phase, Trigger.RESOLVED): Phase.ARM for phase in _HEARS_READY},
    (Phase.ARM, Trigger.ARMED): Phase.HOLD,
    (Phase.HOLD, Trigger.PROCEED): Phase.HOLD,
    (Phase.CAPTURE, Trigger.PROCEED): Phase.HOLD,
    (Phase.CHECK, Trigger.PROCEED): Phase.HOLD,
    (Phase.HOLD, Trigger.NEXT): Phase.PAINT,
    (Phase.HOLD, Trigger.ALL_DECIDED): Phase.FINISH,
    (Phase.HOLD, Trigger.STOP): Phase.FINISH,
    (Phase.PAINT, Trigger.PAINTED): Phase.SETTLE,
    (Phase.SETTLE, Trigger.SETTLED): Phase.CAPTURE,
    (Phase.PAINT, Trigger.NOT_SHOWN): Phase.HOLD,
    (Phase.SETTLE, Trigger.NOT_SHOWN): Phase.HOLD,
    (Phase.CAPTURE, Trigger.CAPTURED): Phase.CHECK,
    (Phase.FINISH, Trigger.FINISHED): Phase.COMPLETE,
    **{(phase, Trigger.ABORT): Phase.ABORTED for phase in (Phase.IDLE, *_HEARS_READY)},
}
"""The display's phase after a trigger."""

SHOT: Mapping[tuple[ShotState | None, str], ShotState] = {
    (None, "INTENT"): ShotState.INTENT,
    (None, "FAIL"): ShotState.FAILED,  # refused before any intent: disk, battery, heat
    (ShotState.INTENT, "STORED"): ShotState.STORED,
    (ShotState.INTENT, "FAIL"): ShotState.FAILED,
    (ShotState.INTENT, "VOID"): ShotState.VOID,
    (ShotState.STORED, "COMMIT"): ShotState.COMMITTED,
    (ShotState.STORED, "VOID"): ShotState.VOID,
}
"""An exposure's state after a journal record; None: it is not known yet."""

_RECORDS = {
    "INTENT": "CAPTURE is accepted, before ACCEPTED and shutter",
    "STORED": "photo, name and sidecar are durable, before CAPTURED",
    "COMMIT": "the next CAPTURE, FINISH or ARM(commit) says: decided",
    "VOID": "a later attempt, ARM(void), an abort or a restart",
    "FAIL": "the camera failed or took too long; or the phone refuses",
}


class CameraState(Enum):
    """What the phone's camera is busy with, whatever is journalled (section 4)."""

    FREE = "free"
    EXPOSING = "exposing"
    WRITING = "writing"  # the photo gets its name
    LATE = "late"  # its exposure was given up, the call has not come back
    DROPPED = "dropped"  # given up while the photo got its name
    RESTING = "resting"  # a photo of an exposure given up may still appear


class CameraTrigger(Enum):
    """What moves the camera; the value says it to people."""

    SHUTTER = "INTENT is durable: the shutter"
    PHOTO = "the call ends with a photo"
    FAILED = "the call ends without a photo"
    STORED = "the photo is stored, or cannot be"
    GIVEN_UP = "time is up, or the exposure is void"
    ENDED = "the end of what was given up"
    REST = "start, or the end of what timed out or was given up, of a camera that must rest"
    RESTED = "it has rested"


CAMERA: Mapping[tuple[CameraState, CameraTrigger], CameraState] = {
    (CameraState.FREE, CameraTrigger.SHUTTER): CameraState.EXPOSING,
    (CameraState.FREE, CameraTrigger.REST): CameraState.RESTING,
    (CameraState.EXPOSING, CameraTrigger.PHOTO): CameraState.WRITING,
    (CameraState.EXPOSING, CameraTrigger.FAILED): CameraState.FREE,
    (CameraState.EXPOSING, CameraTrigger.REST): CameraState.RESTING,
    (CameraState.EXPOSING, CameraTrigger.GIVEN_UP): CameraState.LATE,
    (CameraState.WRITING, CameraTrigger.STORED): CameraState.FREE,
    (CameraState.WRITING, CameraTrigger.GIVEN_UP): CameraState.DROPPED,
    (CameraState.LATE, CameraTrigger.ENDED): CameraState.FREE,
    (CameraState.LATE, CameraTrigger.REST): CameraState.RESTING,
    (CameraState.DROPPED, CameraTrigger.ENDED): CameraState.FREE,
    (CameraState.RESTING, CameraTrigger.RESTED): CameraState.FREE,
}
"""What the camera is busy with after a trigger; only a FREE one is asked for another photo."""


def document() -> str:
    """docs/states.md."""
    display = {(p.name, t.value): q.name for (p, t), q in DISPLAY.items()}
    shot = {
        (s.name if s else "(unknown)", f"{record}: {_RECORDS[record]}"): after.name
        for (s, record), after in SHOT.items()
    }
    camera = {(s.name, t.value): after.name for (s, t), after in CAMERA.items()}
    return "\n".join([
        "# States",
        "",
        "Written by `python -m rig.protocol.transitions > docs/states.md` from the tables that the",
        "cores use; a change that the tables lack is refused. The phases are those of section 5 of",
        "[the protocol](protocol.md), the exposures those of section 4.",
        "",
        "## Display: phases of a subset",
        "",
        *_diagram(display, "IDLE"),
        "",
        "PAUSED is no phase: a pause asks for nothing and decides nothing, and resuming goes on in",
        "the phase in which it began.",
        "",
        "## Phone: an exposure (index, attempt)",
        "",
        *_diagram(shot, "(unknown)"),
        "",
        "## Phone: its camera",
        "",
        "While it is anything but FREE, a CAPTURE that would begin an exposure is answered by",
        "WAIT_CAMERA. Nothing of this is journalled: a new process life begins with FREE, or with",
        "RESTING where the camera cannot name its output.",
        "",
        *_diagram(camera, "FREE"),
        "",
    ])  # fmt: skip


def _diagram(table: Mapping[tuple[str, str], str], first: str) -> list[str]:
    """States from *first* on, each with its ways out; what leads to one state is one line."""
    order, lines = [first], ["```text"]
    for state in order:
        ways = [(trigger, after) for (before, trigger), after in table.items() if before == state]
        order += [after for _, after in dict.fromkeys(ways) if after not in order]
    for state in dict.fromkeys(order):
        ways = [(trigger, after) for (before, trigger), after in table.items() if before == state]
        lines.append(f"[{state}]" if ways else f"[{state}]  (end)")
        for n, (trigger, after) in enumerate(ways, 1):
            corner = "`" if n == len(ways) else "|"
            lines.append(f"  {corner}-- {trigger} --> [{after}]")
    return [*lines, "```"]


if __name__ == "__main__":
    sys.stdout.write(document())
