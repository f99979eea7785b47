"""The parts of a `multipart/related` body (RFC 2046), byte for byte."""

from __future__ import annotations

import re

_BOUNDARY = re.compile(r'boundary="?([^";]{1,200})"?', re.IGNORECASE)


class BadMultipart(ValueError):
    """The body is not what its content type says."""


def boundary(content_type: str) -> bytes | None:
    """The boundary that *content_type* names; None when it is no multipart type."""
    if not content_type.lower().lstrip().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadMultipart("no boundary")
    return found[1].strip().encode("latin-1", "replace")


def parts(body: bytes, limit: bytes) -> list[bytes]:
    """The bodies between *limit*s, without their headers.

    Raises:
        BadMultipart: there is no first or no last boundary, or a part has no end of headers.
    """
    mark = b"\r\n--" + limit
    text = b"\r\n" + body  # the first boundary may be at the very start
    begin = text.find(mark)
    if begin < 0:
        raise BadMultipart("no first boundary")
    found: list[bytes] = []
    while True:
        begin += len(mark)
        if text[begin : begin + 2] == b"--":
            return found
        end = text.find(mark, begin)
        if end < 0:
            raise BadMultipart("cut short")
        # A part without headers begins with the empty line itself.
        head = text.find(b"\r\n\r\n", begin, end)
        if head < 0:
            raise BadMultipart("a part without headers")
        found.append(text[head + 4 : end])
        begin = end
