"""Text from outside on a terminal: what a peer says must not move the cursor or forge a line."""

from __future__ import annotations

import unicodedata
from collections.abc import MutableMapping
from typing import Any

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, those that turn the direction of writing, surrogates, line separators."""


def plain(text: str) -> str:
    """*text* with everything that is not seen written out as an escape."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in _HIDDEN else c for c in text)


def plain_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor of structlog: its console escapes values, but writes the event as it is."""
    if isinstance(event.get("event"), str):
        event["event"] = plain(event["event"])
    return event
