"""Events, times and sizes in words, for pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rig.capture.actors import name_of
from rig.store.events import Event


def duration(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3 h 05 min`; a dash when unknown."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def many(count: int, word: str, more: str | None = None) -> str:
    """`1 row`, `7 rows`; *more* is the word for several when it is not *word* and an s."""
    return f"{count} {word if count == 1 else more or word + 's'}"


def size(count: float | None) -> str:
    """Bytes as `3.1 MB`, `12 GB`; a dash when unknown."""
    if count is None:
        return "\N{EN DASH}"
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return (
                f"{count:.0f} {unit}" if count >= 10 or unit == "bytes" else f"{count:.1f} {unit}"
            )
        count /= 1000
    return f"{count:.1f} TB"


def shown_by(screen: Mapping[str, Any]) -> str:
    """What a display agent shows its pictures with; `null` shows them to nobody, for rehearsals."""
    backend = str(screen.get("backend") or "screen")
    return "no window" if backend == "null" else backend


def clock(time_ns: int | None) -> str:
    """Time of day, `14:05:09`, in UTC; pages show it in the browser's zone."""
    if time_ns is None:
        return "\N{EN DASH}"
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%H:%M:%S")


def iso(time_ns: int) -> str:
    """For `<time datetime>`."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds")


def _at(event: Event) -> str:
    attempt = f", exposure {event.attempt}" if (event.attempt or 0) > 1 else ""
    return f"{event.index}{attempt}"


def _answered(event: Event) -> str:
    who = "A person says" if event.body.get("by") == "operator" else "The phone's app says"
    suspect = event.body.get("suspect")
    doubt = f"; suspect: {suspect}" if suspect else "; the export will show it"
    return f"{who} that {_at(event)} is taken{doubt}"


def _factors(event: Event) -> str:
    return ", ".join(str(one).replace("_", " ") for one in event.body.get("factors", ()))


_VERDICTS = {"ok": "good", "warn": "could be better", "reject": "not good yet"}
_DO = {
    "pause": "pause after this image",
    "pause_now": "pause now",
    "rearm": "re-arm",
}


def _requested(event: Event) -> str:
    """Who asked, for what; the rig gives its reason."""
    do = str(event.body["do"])
    what = f"{_DO.get(do, do)} {event.body.get('answer') or ''}".strip()
    if event.actor == "controller":
        return f"The rig asks for: {what}. {event.body.get('why') or ''}"
    name = name_of(event.actor)
    return f"{name} asks for: {what}" if name else f"Asked for: {what}"


def _devices(event: Event) -> str:
    """What screen and phone answered: what blocks, else that they are ready."""
    wrong = [str(one["text"]) for one in event.body.get("answers", ()) if one.get("blocks")]
    if event.source_seq is not None:
        return "devices"  # a station's word on itself means nothing
    return f"Not ready: {' '.join(wrong)}" if wrong else "Screen and phone were asked: ready"


def _who(event: Event) -> str:
    """Whose decision it is, and why."""
    why = event.body.get("why")
    return f"{name_of(event.actor) or event.actor}{f': {why}' if why else ''}"


_WORDS: dict[str, Callable[[Event], str]] = {
    "session_created": lambda e: f"Session created on station {e.body['station']}",
    "requested": _requested,
    "refused": lambda e: f"Not done: {e.body['do']}. {e.body['why']}",
    "interrupted": lambda e: f"Interrupted. {e.body.get('why', '')}",
    "connected": lambda e: f"Phone connected, camera {e.body.get('camera', 'unknown')}",
    "armed": lambda e: f"Armed for {e.body.get('first')} to {e.body.get('last')}",
    "painted": lambda e: f"Showing {_at(e)}",
    "white": lambda e: str(e.body.get("text") or "The screen's white was seen to"),
    "guarantees": lambda e: "Legacy mode, weaker: " + " ".join(map(str, e.body.get("weaker", ()))),
    "answered": _answered,
    "claimed": lambda _: "The phone's app claims to be done: audit the export before you use it",
    "exported": lambda e: (
        f"The app's folder was audited: {e.body.get('found')} of {e.body.get('expected')} photos "
        f"are there once and whole, {len(e.body.get('problems', ()))} problems"
    ),
    "link_back": lambda _: "The phone answers again",
    "accepted": lambda e: f"Phone takes {_at(e)}",
    "committed": lambda e: f"Kept {_at(e)}",
    "retake": lambda e: f"Taken again: {_at(e)}. {e.body['why']}",
    "link_lost": lambda e: f"No contact with the phone. {e.body.get('why', '')}",
    "paused": lambda e: f"Paused. {e.body.get('why', '')}",
    "resumed": lambda _: "Going on",
    "stopping": lambda _: "Stopping: what is in flight is finished",
    "stopped": lambda e: f"Stopped with {e.body.get('count', 0)} captures. {e.body.get('why', '')}",
    "light_out": lambda e: str(e.body.get("why", "")),
    "condition_applied": lambda e: (
        f"{str(e.body.get('factor')).replace('_', ' ')}: {e.body.get('state')}, "
        f"says {e.body.get('by')}. " + str(e.body.get("why") or "")
    ),
    "condition_confirmed": lambda e: f"{e.body.get('name')} has looked at {_factors(e)}",
    "condition_withdrawn": lambda e: (
        f"To be looked at again: {_factors(e)}. " + str(e.body.get("why") or "")
    ),
    "devices": _devices,
    "queued": lambda e: (
        f"Starts by itself after session {e.body['after']}"
        if e.body.get("after")
        else "Starts by itself as soon as its station is ready"
    ),
    "unqueued": lambda e: f"Not started by itself. {e.body.get('why', '')}",
    "alignment_asked": lambda _: "Alignment shot asked for",
    "aligned": lambda e: (
        f"Alignment {_VERDICTS.get(str(e.body.get('verdict')), 'measured')}: "
        + " ".join(map(str, e.body.get("words") or ()))
    ),
    "alignment_accepted": lambda e: f"Alignment accepted by {_who(e)}",
    "alignment_waived": lambda e: f"Alignment waived by {_who(e)}",
    "condition_evidence": lambda e: f"A photo shows {str(e.body.get('factor')).replace('_', ' ')}",
    "aborted": lambda e: f"ABORTED. {e.body.get('why', '')}",
    "rearmed": lambda e: f"Abort {e.body.get('abort_id', '')} cleared by a person",
    "completed": lambda e: (
        f"Completed: {e.body.get('count')} "
        + ("photos claimed, none proved yet" if e.body.get("claimed") else "captures")
    ),
    "photo_received": lambda e: f"Photo of {_at(e)} arrived",
    "photo_verified": lambda e: (
        f"Photo of {_at(e)} "
        + ("shows it" if e.body["verified"] else f"rejected: {e.body['reason']}")
    ),
    "drifted": lambda e: f"The rig was moved at {_at(e)}. {e.body.get('why') or ''}",
    "photo_replaced": lambda e: f"The photo of {_at(e)} was replaced by a newer one and kept apart",
    "manifest": lambda e: f"Phone lists {e.body['count']} photos, {e.body['missing']} missing",
    "lock_taken": lambda e: f"{e.body.get('holder')} has it in hand",
    "lock_taken_over": lambda e: f"{e.body.get('holder')} took it over from {e.body.get('before')}",
    "lock_given": lambda e: f"{e.body.get('before')} handed it to {e.body.get('holder')}",
    "lock_released": lambda e: f"{e.body.get('before') or name_of(e.actor)} let go of it",
    "lock_asked": lambda e: f"{name_of(e.actor) or 'Somebody'} asks to have it in hand",
    "release": lambda e: (
        "The phone may delete its photos" if e.body["allow"] else "The phone keeps its photos"
    ),
    "job": lambda e: f"{str(e.body['kind']).capitalize()}: {e.body['state']}",
}


def say(event: Event) -> str:
    """What happened, in a sentence."""
    words = _WORDS.get(event.kind)
    return words(event).strip() if words else event.kind.replace("_", " ")
