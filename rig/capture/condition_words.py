"""Factors and levels as what a person does: "Close the blinds."."""

from __future__ import annotations

from collections.abc import Mapping

_KNOWN: Mapping[str, Mapping[str, str]] = {
    "blinds": {"open": "Open the blinds", "closed": "Close the blinds"},
    "orientation": {
        "portrait": "Rotate the phone to portrait",
        "landscape": "Rotate the phone to landscape",
    },
    "room_light": {"dark": "Switch the room light off"},
}
_FORMS: Mapping[str, str] = {
    "room": "Move to the {level}",
    "room_light": "Set the room light to {level}",
    "tripod": "Put the tripod at: {level}",
    "finish": "Use the {level} screen",
    "cursor": "Mouse cursor: {level}",
    "colour_temperature": "Set the monitor to {level}",
}


def named(factor: str) -> str:
    """`room_light` as `room light`."""
    return factor.replace("_", " ")


def instruction(factor: str, level: str) -> str:
    """What a person does for *level*, without a full stop."""
    known = _KNOWN.get(factor, {}).get(level)
    return known or _FORMS.get(factor, "Set {factor} to {level}").format(
        factor=named(factor), level=level
    )


def question(factor: str, level: str) -> str:
    """For a level that was the same in the session before."""
    return f"{named(factor).capitalize()}: still {level}?"
