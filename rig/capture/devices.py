"""Screen and phone of a station, asked right before photos are taken: what blocks, in sentences.

Pure: who asks is `rig.web.devices`. An answer counts when it carries the question's number (the
display agent's reply) or came after the question (the phone's status). What is older is told with
its age and vouches for nothing; what nobody told is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rig.protocol.codes import BATTERY_MIN, FREE_MIN, TEMPERATURE_MAX

KIND = "devices"
"""Of the event that keeps what was answered."""
FATAL = frozenset({"window", "scaling", "pixels", "shown"})
"""Findings of the screen without which no photo is worth taking."""
ANSWER_S = 10.0
"""A display agent answers within this: it looks at its screen and waits 4 s for the phone."""
PHONE_S = 6.0
"""A phone looks at its battery and room every 5 s, and tells its controller."""
RECENT_MS = 60_000
"""What the phone said before the question still counts against it for so long."""
SLOW_MS = 500.0
_BEGINNING = frozenset({"starting", "checking"})
_RESTING = _BEGINNING | {"stopped"}
_WORKING = frozenset({"armed", "exposing", "paused", "finished"})
"""States of the phone agent after which the check at its start is old news."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of what a device said.

    Attributes:
        device: `screen` or `phone`.
        name: what it is about, e.g. `window`, `link`, `battery`.
        ok: None: nobody could tell.
        blocks: no photo may be taken before it is mended.
        text: a sentence.
        age_ms: of what it says, when that was answered; 0: asked and answered now; None: unknown.
    """

    device: str
    name: str
    ok: bool | None
    blocks: bool
    text: str
    age_ms: int | None = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the question was about.

    Attributes:
        station: its name.
        needs_phone: the session was being shot: a phone that does not answer blocks.
        screen_before: backend, width and height that the session's x-rays were shown on so far.
    """

    station: str
    needs_phone: bool
    screen_before: Mapping[str, Any] | None = None


def judge(asked: Asked, report: Mapping[str, Any], phone: Mapping[str, Any] | None) -> list[Answer]:
    """What screen and phone said, worst first.

    Args:
        asked: the question.
        report: of the display agent, see `display_agent.report`; `error` instead when there is
            none.
        phone: the last status of the phone with `age_ms` and `fresh` (it came after the
            question); None when it never told any.
    """
    answers = [*_screen(asked, report), *_link(asked, report, phone), *health(asked, phone)]
    return sorted(answers, key=lambda one: (not one.blocks, one.ok is True))


def begins(phone: Mapping[str, Any] | None) -> bool:
    """Whether the phone's agent says, just now, that it is starting."""
    if phone is None or int(phone["age_ms"]) > RECENT_MS:
        return False
    return str(phone.get("state") or "") in _BEGINNING


def time_mends(answers: Sequence[Answer]) -> bool:
    """Whether all that blocks is what is so while a phone's agent starts."""
    blocking = [one for one in answers if one.blocks]
    mends = all(one.device == "phone" and one.name in {"link", "camera"} for one in blocking)
    return bool(blocking) and mends


def blockers(answers: Sequence[Answer]) -> list[str]:
    """The sentences of what must be mended first."""
    return [one.text for one in answers if one.blocks]


def body_of(
    answers: Sequence[Answer], report: Mapping[str, Any], for_what: str, took_ms: int
) -> Json:
    """The body of the event."""
    screen = report.get("screen")
    known = screen if isinstance(screen, dict) and "error" not in screen else {}
    return {
        "for": for_what,
        "took_ms": took_ms,
        "screen": {name: known.get(name) for name in ("backend", "width", "height")},
        "answers": [asdict(one) for one in answers],
    }


def _screen(asked: Asked, report: Mapping[str, Any]) -> Iterator[Answer]:
    where = f"The screen of station {asked.station}"
    told = report.get("screen")
    why = report.get("error") or (
        told.get("error") if isinstance(told, dict) else "it said nothing"
    )
    if why is not None or not isinstance(told, dict):
        text = f"{where} gave no report: {_end(why)} Look at the monitor and its display agent."
        yield Answer("screen", "report", False, True, text, None)
        return
    for one in told.get("checks") or ():
        name, ok = str(one.get("name")), one.get("ok") is True
        fatal = not ok and name in FATAL
        said = _end(one.get("text"))
        text = f"{where}: {said} Mend it, then try again." if fatal else said
        yield Answer("screen", name, ok, fatal, text)
    yield from _monitor(asked, told, where)


def _monitor(asked: Asked, told: Mapping[str, Any], where: str) -> Iterator[Answer]:
    """Whether it is the monitor that the session's other x-rays were shown on."""
    size = f"{told.get('width')}x{told.get('height')}"
    before = asked.screen_before or {}
    if not before.get("width"):
        yield Answer("screen", "monitor", True, False, f"The monitor has {size} pixels.")
        return
    was = f"{before.get('width')}x{before.get('height')}"
    same = was == size
    text = (
        f"The monitor has {size} pixels, as before."
        if same
        else f"{where} has {size} pixels now; the session was begun on one of {was}. Set the mode "
        "back or choose that monitor again, then resume."
    )
    yield Answer("screen", "monitor", same, not same, text)


def _link(
    asked: Asked, report: Mapping[str, Any], phone: Mapping[str, Any] | None
) -> Iterator[Answer]:
    who = f"the phone of station {asked.station}"
    told = report.get("phone")
    told = told if isinstance(told, dict) else {}
    link, heard, trip = told.get("link"), told.get("heard_ms"), told.get("rtt_ms")
    if link == "answered":
        took = "not measured yet" if trip is None else f"{trip:.0f} ms"
        slow = trip is not None and trip > SLOW_MS
        text = f"The phone answers the display; a round trip takes {took}."
        if slow:
            text += " That is slow: look at the Wi-Fi."
        yield Answer("phone", "link", not slow, False, text, int(heard or 0))
        return
    if link == "legacy":
        text = "The phone runs the original app: it answers nothing but photos, battery and room "
        yield Answer("phone", "link", None, False, text + "are unknown.", None)
        return
    remedy = "See that it is on, in this Wi-Fi and that its agent runs, then try again."
    if link in {"silent", "never"}:
        since = "" if heard is None else f" for {_seconds(heard)}"
        told_too = phone is not None and phone.get("fresh") is True
        also = " It reaches the controller, so look at its way to the display." if told_too else ""
        text = f"{_first(who)} has not answered the display{since}.{also} {remedy}"
        yield Answer("phone", "link", False, asked.needs_phone, text, heard)
        return
    text = f"Nobody has asked {who} yet: the display calls it when the session is loaded."
    yield Answer("phone", "link", None, False, text, None)


def health(asked: Asked, phone: Mapping[str, Any] | None) -> Iterator[Answer]:
    """What the phone's own status says of battery, heat, room and camera; see `judge`."""
    who = f"The phone of station {asked.station}"
    if phone is None:
        text = f"{who} has not reported to the controller: battery, heat, room and camera unknown."
        yield Answer("phone", "status", None, False, text, None)
        return
    age = int(phone["age_ms"])
    if not phone.get("fresh"):
        text = f"{who} has not reported for {_seconds(age)}; what it said then is shown."
        yield Answer("phone", "status", None, False, text, age)
    counts = age <= RECENT_MS
    looked = age + int(phone.get("health_age_ms") or 0)
    yield from (_weigh(one, who, counts) for one in (_battery(phone, looked), _heat(phone, looked)))
    yield _weigh(_room(phone, looked), who, counts)
    camera, begins = _camera(phone, age), str(phone.get("state") or "") in _BEGINNING
    # A new session waits for its phone anyway: only what goes on needs it now.
    yield _weigh(camera, who, counts and (asked.needs_phone or not begins))


def _weigh(one: Answer, who: str, counts: bool) -> Answer:
    """What is bad blocks while it *counts*; old news is told as old news."""
    if one.ok is not False:
        return one
    if counts:
        seen = f" (seen {_seconds(one.age_ms)} ago)" if (one.age_ms or 0) > 1000 else ""
        return Answer(one.device, one.name, False, True, f"{who}: {one.text}{seen}", one.age_ms)
    text = f"{one.text} (seen {_seconds(one.age_ms)} ago: it may be otherwise by now)"
    return Answer(one.device, one.name, None, False, text, one.age_ms)


def _battery(phone: Mapping[str, Any], age: int) -> Answer:
    percent, charging = phone.get("battery_pct"), phone.get("charging")
    if percent is None:
        return Answer("phone", "battery", None, False, "Its battery is unknown.", None)
    empty = percent < BATTERY_MIN
    state = f"its battery is at {percent:.0f} %{' and charging' if charging else ''}"
    if empty and charging is None:  # a phone agent of an older version
        text = f"{_first(state)}; whether it charges is unknown."
        return Answer("phone", "battery", None, False, text, age)
    low = empty and not charging
    if low:
        state += f", {BATTERY_MIN} % are needed: plug it in, then try again"
    return Answer("phone", "battery", not low, False, f"{_first(state)}.", age)


def _heat(phone: Mapping[str, Any], age: int) -> Answer:
    degrees = phone.get("temp_c")
    if degrees is None:
        return Answer("phone", "heat", None, False, "Its temperature is unknown.", None)
    hot = degrees > TEMPERATURE_MAX
    state = f"its battery has {degrees:.0f} °C"
    if hot:
        state += f", at most {TEMPERATURE_MAX:.0f} °C are allowed: let it cool down, then try again"
    return Answer("phone", "heat", not hot, False, f"{_first(state)}.", age)


def _room(phone: Mapping[str, Any], age: int) -> Answer:
    free = phone.get("free_bytes")
    if free is None:
        return Answer("phone", "disk", None, False, "Its free room is unknown.", None)
    full = free < FREE_MIN
    state = f"{free / 1e9:.1f} GB are free on it"
    if full:
        state = (
            f"{free >> 20} MiB are free on it, {FREE_MIN >> 20} MiB are needed: free some room, "
            "then try again"
        )
    return Answer("phone", "disk", not full, False, f"{_first(state)}.", age)


def _camera(phone: Mapping[str, Any], age: int) -> Answer:
    state, camera = str(phone.get("state") or ""), phone.get("camera")
    found = [one for one in phone.get("checks") or () if one.get("name") == "camera"]
    bad = next((one for one in found if one.get("ok") is False), None)
    if state in _RESTING:
        text = f"Its agent is {state}: wait until it is ready or start it, then try again."
        return Answer("phone", "camera", False, False, text, age)
    if bad is not None and state not in _WORKING:
        text = f"Its camera is not ready: {_end(bad.get('text'))} Start its agent again."
        return Answer("phone", "camera", False, False, text, age)
    if not camera:
        return Answer("phone", "camera", None, False, "Its camera is unknown.", None)
    return Answer("phone", "camera", True, False, f"Its camera {camera} is ready.", age)


def _seconds(ms: int | None) -> str:
    if ms is None:
        return "an unknown time"
    return f"{ms / 1000:.0f} s" if ms < 120_000 else f"{ms / 60_000:.0f} min"


def _end(said: object) -> str:
    """A sentence of a device, cut and ended."""
    text = " ".join(str(said or "it gave no reason").split())[:400]
    return _first(text if text.endswith((".", "!", "?")) else f"{text}.")


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]
