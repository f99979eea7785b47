"""Who did something, as the log names it."""

from __future__ import annotations

from rig.store.errors import StoreError

NAME_MAX = 40
"""Characters of a person's name."""


class BadNameError(StoreError):
    """What is given as an operator's name cannot stand in the log."""


def actor_of(name: str | None) -> str:
    """`operator:anna`, or `operator` when nobody said a name.

    Raises:
        BadNameError: it is too long or holds characters that do not print.
    """
    cleaned = " ".join((name or "").split())
    if not cleaned:
        return "operator"
    if len(cleaned) > NAME_MAX or not cleaned.isprintable():
        raise BadNameError(
            f"An operator's name has at most {NAME_MAX} characters, all of them printable: say a "
            "short name or initials."
        )
    return f"operator:{cleaned}"


def name_of(actor: str) -> str | None:
    """The name in `operator:anna`, None in any other actor."""
    kind, _, name = actor.partition(":")
    return name if kind == "operator" and name else None
