"""A camera that photographs a screen by HTTP: what is on it right now, as a JPEG."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from phone_agent.cameras import CameraFault
from phone_agent.files import write_synced
from phone_agent.jpeg import measure
from phone_agent.link import Answer, Link, LinkCut, LinkError, Url, bearer, parse_url

MAX_FRAME_BYTES = 64 << 20
_PROBE_S = 3.0
_LATE = "deadline"


class LoopbackCamera:
    """Fetches `GET /frame.jpg` from the display agent's frame server.

    Args:
        url: `http://HOST:PORT` or with a path; without one, `/frame.jpg` is taken. It may end in
            `?token=TOKEN` or `#token=TOKEN`, as the display agent shows it (percent-encoded): the
            token is taken off and travels as a header, so that no log of addresses holds it.
        token: sent as a bearer token when given.
        max_bytes: a longer frame is refused.

    Raises:
        ValueError: the address or token cannot be used; the sentence does not repeat them.
    """

    def __init__(
        self, url: str, token: str | None = None, *, max_bytes: int = MAX_FRAME_BYTES
    ) -> None:
        self.name = "loopback"
        bare, brought = _without_token(url)
        if token is not None and brought is not None:
            raise ValueError("The token is given twice; leave it out of the address.")
        token = brought if token is None else token
        self._url: Url = parse_url(bare)
        self._target = self._url.path or "/frame.jpg"
        self._headers = {"Accept": "image/jpeg", "Cache-Control": "no-store"}
        if token is not None:
            self._headers["Authorization"] = bearer(token)
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._link: Link | None = None

    def shoot(self, target: Path, deadline_s: float) -> None:
        """Fetch the frame within `deadline_s` seconds in all and write it; see `Camera.shoot`."""
        frame = self._fetch(deadline_s)
        try:
            write_synced(target, frame)
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink()
            raise

    def probe(self) -> dict[str, str | int | bool]:
        """Fetch one frame to see whether the camera is there and how large its photos are."""
        facts: dict[str, str | int | bool] = {
            "backend": self.name,
            "id": self._url.place,
            "w": 0,
            "h": 0,
            "ready": False,
            "note": "",
        }
        try:
            info = measure(self._fetch(_PROBE_S))
        except CameraFault as fault:
            facts["note"] = fault.sentence
        except ValueError as error:
            facts["note"] = f"The frame of {self._url.place} is not a whole JPEG: {error}"
        else:
            facts.update(w=info.width, h=info.height, ready=True)
        return facts

    def cancel(self) -> None:
        """End the shot in progress; it raises CAMERA_ERROR."""
        with self._lock:
            if self._link is not None:
                self._link.cut("cancelled")

    def _fetch(self, deadline_s: float) -> bytes:
        place = self._url.place
        try:
            with self._shot(deadline_s) as link:
                answer = link.exchange("GET", self._target, self._headers, limit=self._max_bytes)
        except LinkCut as cut:
            if str(cut) != _LATE:
                raise CameraFault("CAMERA_ERROR", f"The shot at {place} was cancelled.") from cut
            raise _too_late(place, deadline_s) from cut
        except LinkError as error:
            if error.timed_out:
                raise _too_late(place, deadline_s) from error
            raise CameraFault("CAMERA_ERROR", f"No frame: {error}") from error
        return _frame(answer, place)

    @contextlib.contextmanager
    def _shot(self, deadline_s: float) -> Iterator[Link]:
        """A fresh connection that a timer cuts, since slow bytes would outlast any read timeout."""
        with Link(self._url, timeout_s=deadline_s) as link:
            with self._lock:
                self._link = link
            timer = threading.Timer(deadline_s, link.cut, (_LATE,))
            timer.daemon = True
            timer.start()
            try:
                yield link
            finally:
                timer.cancel()
                timer.join()
                with self._lock:
                    self._link = None


def _without_token(url: str) -> tuple[str, str | None]:
    """The address without its token, and the token. Any other query or part is left for refusal."""
    for mark in ("?token=", "#token="):
        bare, found, token = url.partition(mark)
        if found and not set(token) & set("?#&"):
            return bare, unquote(token)
    return url, None


def _too_late(place: str, deadline_s: float) -> CameraFault:
    return CameraFault(
        "CAMERA_TIMEOUT", f"The frame of {place} was not complete within {deadline_s:g} s."
    )


def _frame(answer: Answer, place: str) -> bytes:
    status = answer.status
    if status == 200:
        return answer.body
    if status in {401, 403}:
        raise CameraFault(
            "CAMERA_PERMISSION", f"{place} refuses this camera ({status}); check its token."
        )
    if 300 <= status < 400:
        raise CameraFault(
            "CAMERA_ERROR",
            f"{place} redirects elsewhere ({status}), which is not followed; give its own address.",
        )
    raise CameraFault("CAMERA_ERROR", f"{place} has no frame now (HTTP {status}).")
