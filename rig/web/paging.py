"""Lists page by page: a cursor says after which row a page begins, never how many to skip.

So the millionth page costs what the first one does. A cursor is opaque to its user: it comes with
the `Link` header of one page and asks for the next.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Annotated, Any

from fastapi import Query, Request, Response

from rig.web.problems import Problem

Cursor = Annotated[
    str | None,
    Query(max_length=400, description="as in the `Link` header (`rel=next`) of the page before"),
]


def encode(place: Any) -> str:
    """A cursor for *place*, a JSON value."""
    data = json.dumps(place, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(cursor: str | None) -> int | None:
    """The row that *cursor* names; None: begin with the first.

    Raises:
        Problem: 422, it is no cursor of such a list.
    """
    place = _decode(cursor)
    if place is not None and (type(place) is not int or not 0 <= place < 2**63):
        raise _bad()
    return place


def text(cursor: str | None, pattern: re.Pattern[str]) -> str | None:
    """The text that *cursor* names, all of which *pattern* matches; raises as `number`."""
    place = _decode(cursor)
    if place is not None and not (isinstance(place, str) and pattern.fullmatch(place)):
        raise _bad()
    return place


def places(cursor: str | None, *types: type[int | str]) -> tuple[Any, ...] | None:
    """The values that *cursor* names, of these types; raises as `number`."""
    place = _decode(cursor)
    if place is None:
        return None
    if not isinstance(place, list) or [type(one) for one in place] != list(types):
        raise _bad()
    if any(isinstance(one, int) and not 0 <= one < 2**63 for one in place):
        raise _bad()
    if any(isinstance(one, str) and len(one) > 300 for one in place):
        raise _bad()
    return tuple(place)


def link(request: Request, response: Response, place: Any) -> None:
    """Lead on to the page that begins after *place*; None: this is the last one."""
    if place is not None:
        url = request.url.include_query_params(cursor=encode(place))
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def _decode(cursor: str | None) -> Any:
    if cursor is None:
        return None
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad() from error


def _bad() -> Problem:
    return Problem(422, "This cursor is none of this list: begin again without one.")
