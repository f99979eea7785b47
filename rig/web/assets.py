"""Scripts, styles and icons: under an address that changes with them, so browsers keep them.

Modules import each other by relative names, so the whole folder has one version: every file is
under ``/static/v-VERSION/`` and, for what cannot know the version, under ``/static/`` too.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).parent / "static"
ROOT: Final = "/static"
FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
PACKED: Final = frozenset({".js", ".css", ".svg"})
"""Sent packed; the typeface is packed already."""
_VERSIONED = re.compile(r"^v-([0-9a-f]{12})/")


@cache
def version() -> str:
    """12 hex digits over every file's name and bytes."""
    digest = hashlib.sha256()
    for path in sorted(one for one in FOLDER.rglob("*") if one.is_file()):
        digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where a browser finds the file *name*.

    Raises:
        FileNotFoundError: there is no such file; a template names it.
    """
    if not (FOLDER / name).is_file():
        raise FileNotFoundError(f"No file {name!r} is in the folder static.")
    return f"{ROOT}/v-{version()}/{name}"


@cache
def packed(name: str) -> bytes:
    """The file *name*, gzipped once for all browsers."""
    return gzip.compress((FOLDER / name).read_bytes(), 9, mtime=0)


class Assets(StaticFiles):
    """The files; kept for ever under the present version's address, asked for anew elsewhere."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or what is there now under an older version's address."""
        path = path.replace("\\", "/")
        found = _VERSIONED.match(path)
        present = found is not None and found[1] == version()
        name = path[found.end() :] if found else path
        answer = await super().get_response(name, scope)
        if present and answer.status_code == 200 and _takes_gzip(name, scope):
            answer = Response(
                packed(name), media_type=answer.media_type, headers={"content-encoding": "gzip"}
            )
        answer.headers["cache-control"] = FOREVER if present else ASK_AGAIN
        answer.headers["vary"] = "accept-encoding"
        return answer


def _takes_gzip(name: str, scope: Scope) -> bool:
    told = Headers(scope=scope).get("accept-encoding", "")
    return scope["method"] == "GET" and Path(name).suffix in PACKED and "gzip" in told
