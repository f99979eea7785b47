"""Ask the controller that runs on a home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rig.errors import UserError

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8000"
WITHIN = 20.0
"""Seconds until a controller that does not answer is given up."""


def url_of(home: Path) -> str:
    """The address of the controller that runs on *home*, else the default one."""
    told = _told(home)
    return DEFAULT_URL if told is None else told[0]


def post(home: Path, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """POST *body* to *path* of the controller that runs on *home*; its JSON answer.

    Raises:
        UserError: none runs there, or it refuses; then in its own words.
    """
    return _object(_ask(home, "POST", path, body))


def get(home: Path, path: str) -> dict[str, Any]:
    """GET *path* as `post` does."""
    return _object(_ask(home, "GET", path, None))


def fetch(home: Path, path: str) -> bytes:
    """The bytes at *path*; raises as `post`."""
    return _ask(home, "GET", path, None).content


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        return dict(answer.json())
    except ValueError as error:
        raise UserError(f"The controller's answer is no JSON ({error}): is it one?") from error


def _ask(home: Path, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
    import httpx

    told = _told(home)
    if told is None:
        raise UserError(
            f"No controller runs on {home}: start one that phones can reach with `rig token make` "
            "(once) and `rig serve --host 0.0.0.0`, then try again."
        )
    url, token = told
    try:
        # Never through a proxy of the environment: it is this very machine.
        with httpx.Client(trust_env=False, timeout=WITHIN) as client:
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.request(method, url + path, headers=headers, json=body)
        refusal = None if answer.is_success else dict(answer.json())
    except (httpx.HTTPError, ValueError) as error:
        raise UserError(
            f"The controller at {url} does not answer ({type(error).__name__}): look whether it "
            "still runs, then try again."
        ) from error
    if refusal is not None:
        raise UserError(
            str(refusal.get("detail", f"The controller answered {answer.status_code}."))
        )
    return answer


def _told(home: Path) -> tuple[str, str] | None:
    try:
        told = json.loads((home / "serve.json").read_text(encoding="utf-8"))
        return str(told["url"]), str(told.get("token", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
