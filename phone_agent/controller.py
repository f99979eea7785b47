"""What the phone asks the controller beside uploads: pairing, time, status, permission to delete.

Every call is one short exchange; every failure is one sentence for the person at the phone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, final
from urllib.parse import quote

from phone_agent.files import check_name
from phone_agent.link import Answer, Link, LinkCut, LinkError, bearer, parse_url

_REPLY_BYTES = 8 << 20
_HEX = frozenset("0123456789abcdef")

Kind = Literal["away", "portal", "refused", "busy", "odd"]


class ControllerError(Exception):
    """The controller did not do it; the sentence says why and what to do.

    Attributes:
        kind: "away" (no connection), "portal" (something else answers), "refused" (it says no),
            "busy" (try again later), "odd" (it is a controller, but not one we understand).
    """

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the controller is.

    Attributes:
        station: the station this phone belongs to.
        version: the controller's version.
        udp: where its display agent listens; empty when that one is not connected.
        skew_s: seconds by which the phone's clock is ahead of the controller's, as near as half
            the round trip tells.
        session: whether a session is open at the station: only then the display answers over
            UDP. None: the controller does not tell.
    """

    station: str
    version: str
    udp: tuple[tuple[str, int], ...]
    skew_s: float
    session: bool | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """May the phone delete? Only then, and only these: `photos` is name -> SHA-256 (32 bytes)."""

    allowed: bool
    photos: Mapping[str, bytes]


@final
class Controller:
    """One controller; a thread of its own uses it, any thread may `stop` it.

    Args:
        base_url: `http(s)://HOST:PORT[/PREFIX]`.
        token: the phone's bearer token; empty before it is paired.
        timeout_s: seconds of silence that end a call.
        clock_ns: this phone's clock, Unix nanoseconds.

    Raises:
        ValueError: the address or token cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        token: str = "",
        *,
        timeout_s: float = 5.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        url = parse_url(base_url)
        self.place = url.place
        self._root = url.path
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = bearer(token)
        self._token = token
        self._clock_ns = clock_ns
        self._link = Link(url, timeout_s=timeout_s)

    def stop(self) -> None:
        """End the call in progress and all later ones."""
        self._link.cut("stopped")

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        self._link.close()

    def pair(self, code: str, device: str) -> str:
        """Exchange *code* for the pairing URL; it works once.

        Raises:
            ControllerError: it was not exchanged.
        """
        said = self._ask("POST", "/api/phone/pair", {"code": code, "device": device[:80]})
        pairing = said.get("pairing")
        if not isinstance(pairing, str) or not pairing.startswith("xcap://"):
            raise self._odd("its answer holds no pairing")
        return pairing

    def hello(self) -> Hello:
        """Who is there, and what time is it there?

        Raises:
            ControllerError: nobody who knows this phone.
        """
        asked = self._clock_ns()
        said = self._ask("GET", "/api/phone/hello")
        answered = self._clock_ns()
        try:
            theirs = int(said["time_ns"])
            hosts = tuple((str(host), int(port)) for host, port in said["udp"])
            names = str(said["station"]), str(said["controller_version"])
        except (KeyError, TypeError, ValueError):
            raise self._odd("its greeting lacks something") from None
        opened = bool(said["session"]) if "session" in said else None
        return Hello(*names, hosts, ((asked + answered) / 2 - theirs) / 1e9, opened)

    def report(self, status: Mapping[str, object]) -> None:
        """Tell how the phone is; raises ControllerError."""
        self._ask("POST", "/api/phone/status", status, empty=True)

    def release(self, session: str) -> Release:
        """Which photos of *session* may be deleted here?

        Raises:
            ControllerError: no answer. BadName: the session's id is no safe name.
        """
        said = self._ask("GET", f"/api/sessions/{quote(check_name(session), safe='')}/release")
        try:
            photos = {check_name(one["name"]): _digest(one["sha256"]) for one in said["photos"]}
            allowed = said["allowed"]
        except (KeyError, TypeError, ValueError):
            raise self._odd("its list of photos cannot be read") from None
        return Release(allowed is True, photos)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        empty: bool = False,
    ) -> dict[str, Any]:
        headers = dict(self._headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            answer = self._link.exchange(
                method, self._root + path, headers, data, limit=_REPLY_BYTES
            )
        except LinkCut as error:
            raise ControllerError("away", str(error)) from error
        except LinkError as error:
            raise ControllerError(
                "away",
                f"{error} Check that the controller runs, that its address is right and that the "
                "phone is in the same network.",
            ) from error
        if answer.status in {200, 201, 204}:
            return {} if empty or answer.status == 204 else self._object(answer)
        raise self._refusal(answer)

    def _object(self, answer: Answer) -> dict[str, Any]:
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._foreign(answer) from None
        if not isinstance(said, dict):
            raise self._odd("its answer is not an object")
        return said

    def _refusal(self, answer: Answer) -> ControllerError:
        status = answer.status
        detail = self._detail(answer)
        if 300 <= status < 400 or status == 511 or (not detail and _is_page(answer)):
            return self._foreign(answer)
        if status == 429:
            return ControllerError("busy", detail or f"{self.place} asks to wait a minute.")
        if status == 401:
            return ControllerError(
                "refused",
                f"{self.place} does not know this phone any more; pair it again with a new code.",
            )
        if status in {408, 425} or status >= 500:
            return ControllerError("busy", f"{self.place} is not well ({status}): try again soon.")
        return ControllerError(
            "refused", detail or f"{self.place} refuses this ({status}); pair the phone again."
        )

    def _foreign(self, answer: Answer) -> ControllerError:
        if _is_page(answer) or 300 <= answer.status < 400 or answer.status == 511:
            return ControllerError(
                "portal",
                f"A web page answers at {self.place} instead of the controller: log in to this "
                "Wi-Fi in the phone's browser (captive portal), or check address and port.",
            )
        return self._odd("its answer is not JSON")

    def _odd(self, what: str) -> ControllerError:
        return ControllerError(
            "odd",
            f"{self.place} does not answer as a capture-rig controller does ({what}); "
            "check address and port, and that both programs are of the same version.",
        )

    def _detail(self, answer: Answer) -> str:
        """The `detail` of a problem document, made harmless for a terminal."""
        try:
            problem = json.loads(answer.body)
            text = problem.get("detail") or problem.get("title") or ""
        except (ValueError, AttributeError, RecursionError):
            return ""
        if not isinstance(text, str):
            return ""
        if self._token:
            text = text.replace(self._token, "***")
        return "".join(each if each.isprintable() else " " for each in text[:300])


def _is_page(answer: Answer) -> bool:
    kind = (answer.headers.get("Content-Type") or "").lower()
    return "html" in kind or answer.body.lstrip()[:1] == b"<"


def _digest(text: object) -> bytes:
    if not isinstance(text, str) or len(text) != 64 or set(text) - _HEX:
        raise ValueError("not a SHA-256")
    return bytes.fromhex(text)
