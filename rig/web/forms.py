"""Plain forms: small, read whole, every field text."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs

from fastapi import Request
from starlette.requests import ClientDisconnect

from rig.web.problems import Problem

LIMIT = 256 * 1024
"""Bytes of a form."""
FIELDS = 2000


@dataclass(frozen=True, slots=True)
class Form:
    """What a form sent: name -> values, in the order of the page."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, name: str, default: str = "") -> str:
        """The first value of *name*, without spaces around it."""
        found = self.values.get(name)
        return found[0].strip() if found else default

    def every(self, name: str) -> list[str]:
        """All values of *name*."""
        return [one.strip() for one in self.values.get(name, [])]

    def ticked(self, name: str) -> bool:
        """Whether a box of this name was ticked."""
        return name in self.values

    def number(self, name: str, what: str, *, low: int, high: int, default: int) -> int:
        """A whole number; empty is *default*.

        Raises:
            Problem: 422, it is none, or not from *low* to *high*; the sentence names *what*.
        """
        text = self(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 15 and low <= int(text) <= high):
            raise Problem(422, f"{what} must be a whole number from {low} to {high}.")
        return int(text)


async def read(request: Request, limit: int = LIMIT) -> Form:
    """The form that *request* carries.

    Raises:
        Problem: 413 it is too long, 408 it did not arrive whole, 422 too many fields.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Problem(413, f"The form is longer than {limit} bytes.")
    except ClientDisconnect as error:
        raise Problem(408, "The form did not arrive whole: send it again.") from error
    try:
        text = body.decode("utf-8", "replace")
        found = parse_qs(text, keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError as error:
        raise Problem(422, f"The form has more than {FIELDS} fields.") from error
    return Form(found)
