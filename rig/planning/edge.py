"""From pydantic's report of bad data to one sentence for a person."""

from __future__ import annotations

from pydantic import ValidationError


def sentence(error: ValidationError) -> str:
    """The first complaint as `key[3].inner: what is wrong`."""
    first = error.errors(include_url=False, include_context=False)[0]
    key = ""
    for part in first["loc"]:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "there is no such key"
    elif first["type"] == "missing":
        what = "the key is missing"
    return f"{key.lstrip('.')}: {what}" if key else what
