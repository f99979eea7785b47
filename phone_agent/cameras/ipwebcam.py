"""The Android app IP Webcam, by HTTP: on the phone itself (127.0.0.1:8080) or over the network.

Its addresses, from the sources of pydroid-ipcam (08fee6a) and of public users of the app:
`/status.json?show_avail=1` answers `curvals` (key: text) and `avail` (key: list of texts);
`/settings/KEY?set=VALUE` sets; `/focus` focuses and holds; `/photo.jpg` takes a photo in the size
`photo_size`, `/photoaf.jpg` focuses first. `/shot.jpg` is a frame of the preview and never used.
Settings do not survive a restart of the app, so they are read before every exposure.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from phone_agent.cameras import CameraFault, clip, facts_of
from phone_agent.files import write_synced
from phone_agent.jpeg import JpegInfo, measure
from phone_agent.link import Answer, Link, LinkCut, LinkError, Url, parse_url

MAX_PHOTO_BYTES = 64 << 20
_MAX_STATUS_BYTES = 1 << 20
_PROBE_S = 5.0
_TRIES = 5
_BETWEEN_S = 0.2
_LATE = "deadline"
_FOCUS = {"on": "/photoaf.jpg", "once": "/photo.jpg", "off": "/photo.jpg"}
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for.

    Attributes:
        url: where the app answers.
        authorization: the value of that header, None without user and password.
        focus: `on` (before every photo), `once` (before the first, then held) or `off`.
        settings: what `status.json` must say.
    """

    url: Url
    authorization: str | None
    focus: str
    settings: Mapping[str, str]


def parse_wanted(text: str) -> Wanted:
    """Read `http://[USER:PASSWORD@]HOST:PORT[?focus=on|once|off&KEY=VALUE...]`.

    Raises:
        ValueError: it cannot be used; the sentence repeats nothing of it but a setting's name.
    """
    try:
        parts = urlsplit(text)
        user, password = parts.username, parts.password
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("The address is not a URL; it looks like http://HOST:PORT.") from None
    place = parts.netloc.rpartition("@")[2]
    url = parse_url(urlunsplit((parts.scheme, place, parts.path, "", parts.fragment)))
    if url.path:
        raise ValueError("The address of IP Webcam has no path; give http://HOST:PORT.")
    settings = dict(pairs)
    focus = settings.pop("focus", "on")
    if focus not in _FOCUS:
        raise ValueError("focus must be one of: on, once, off.")
    for key, value in settings.items():
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise ValueError(f"The setting {clip(key, 40)!r} of IP Webcam cannot have this value.")
    if "photo_size" in settings and not _SIZE.fullmatch(settings["photo_size"]):
        raise ValueError("photo_size must look like 4000x3000.")
    authorization = None
    if user is not None or password is not None:
        secret = f"{unquote(user or '')}:{unquote(password or '')}".encode()
        authorization = "Basic " + base64.b64encode(secret).decode("ascii")
    return Wanted(url, authorization, focus, settings)


class IpWebcamCamera:
    """Takes photos with IP Webcam; settings are set, read back and compared.

    Args:
        text: the address, as `parse_wanted` reads it.
        max_bytes: a longer photo is refused.

    Raises:
        ValueError: the address cannot be used.
    """

    deadline_s = 12.0
    quiesce_s = 8.0

    def __init__(self, text: str, *, max_bytes: int = MAX_PHOTO_BYTES) -> None:
        self.name = "ipwebcam"
        self._wanted = parse_wanted(text)
        self._place = self._wanted.url.place
        self._max_bytes = max_bytes
        self._headers = {"Accept": "*/*", "Cache-Control": "no-store"}
        if self._wanted.authorization is not None:
            self._headers["Authorization"] = self._wanted.authorization
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._pause = threading.Event()
        self._focused = False

    def shoot(self, target: Path, deadline_s: float) -> None:
        """Set, compare, focus, take and check one photo within `deadline_s`; see `Camera.shoot`."""
        try:
            with self._session(deadline_s) as link:
                values = self._agree(link)
                self._focus_once(link)
                photo = self._get(link, _FOCUS[self._wanted.focus], self._max_bytes).body
        except CameraFault:
            self._focused = False
            raise
        _check(photo, values.get("photo_size", ""), self._place)
        try:
            write_synced(target, photo)
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink()
            raise

    def probe(self) -> dict[str, str | int | bool]:
        """Set and compare the settings; takes no photo."""
        facts = facts_of(self.name, self._place)
        try:
            with self._session(_PROBE_S) as link:
                size = _SIZE.fullmatch(self._agree(link).get("photo_size", ""))
        except CameraFault as fault:
            facts["note"] = fault.sentence
        else:
            facts["ready"] = True
            if size is not None:
                facts.update(w=int(size[1]), h=int(size[2]))
        return facts

    def cancel(self) -> None:
        """End the shot in progress; it raises CAMERA_ERROR."""
        with self._lock:
            if self._link is not None:
                self._link.cut("cancelled")
                self._pause.set()

    # -- settings ----------------------------------------------------------------------------------

    def _agree(self, link: Link) -> dict[str, str]:
        """Make the app's settings those that are wanted; returns all it tells."""
        values: dict[str, str] = {}
        for attempt in range(_TRIES):
            if attempt:  # the app applies a setting a moment after it has answered
                self._pause.wait(_BETWEEN_S)
            values, available = _status(self._get(link, "/status.json?show_avail=1"), self._place)
            wrong = {k: v for k, v in self._wanted.settings.items() if not _same(values.get(k), v)}
            if not wrong:
                return values
            self._focused = False
            for key, value in wrong.items():
                _offered(key, value, values, available)
                self._get(link, f"/settings/{key}?set={value}")
        key, value = next(iter(wrong.items()))
        raise CameraFault(
            "CAMERA_ERROR",
            f"IP Webcam does not take the setting {key}={value}, it stays at "
            f"{clip(values.get(key, ''), 40)}; change it in the app or leave it away.",
        )

    def _focus_once(self, link: Link) -> None:
        if self._wanted.focus == "once" and not self._focused:
            self._get(link, "/focus")
            self._focused = True

    # -- HTTP --------------------------------------------------------------------------------------

    def _get(self, link: Link, target: str, limit: int = _MAX_STATUS_BYTES) -> Answer:
        answer = link.exchange("GET", target, self._headers, limit=limit)
        if answer.status == 200:
            return answer
        if answer.status in {401, 403}:
            raise CameraFault(
                "CAMERA_PERMISSION",
                f"IP Webcam at {self._place} refuses ({answer.status}); give its user and password "
                "as ipwebcam:http://USER:PASSWORD@HOST:PORT.",
            )
        what = target.partition("?")[0]
        raise CameraFault(
            "CAMERA_ERROR",
            f"IP Webcam at {self._place} answers {answer.status} to {what}; look at the app: its "
            "server must be started and no other app may have the camera.",
        )

    @contextlib.contextmanager
    def _session(self, deadline_s: float) -> Iterator[Link]:
        """One connection that a timer cuts, since slow bytes would outlast any read timeout."""
        self._pause.clear()
        with Link(self._wanted.url, timeout_s=deadline_s) as link:
            with self._lock:
                self._link = link
            timer = threading.Timer(deadline_s, self._late, (link,))
            timer.daemon = True
            timer.start()
            try:
                yield link
            except LinkError as error:
                raise self._broken(error, deadline_s) from error
            finally:
                timer.cancel()
                timer.join()
                with self._lock:
                    self._link = None

    def _late(self, link: Link) -> None:
        link.cut(_LATE)
        self._pause.set()

    def _broken(self, error: LinkError, deadline_s: float) -> CameraFault:
        if isinstance(error, LinkCut) and str(error) != _LATE:
            return CameraFault("CAMERA_ERROR", f"The shot at {self._place} was cancelled.")
        if isinstance(error, LinkCut) or error.timed_out:
            return CameraFault(
                "CAMERA_TIMEOUT",
                f"IP Webcam at {self._place} gave no photo within {deadline_s:g} s; open the app "
                "and look whether its picture moves.",
            )
        return CameraFault(
            "CAMERA_ERROR", f"No photo: {error} Open IP Webcam and tap Start server."
        )


def _status(answer: Answer, place: str) -> tuple[dict[str, str], dict[str, object]]:
    """`curvals` and `avail` of status.json."""
    try:
        status = json.loads(answer.body)
        current, available = status["curvals"], status.get("avail", {})
        return {str(k): str(v) for k, v in current.items()}, dict(available)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CameraFault(
            "CAMERA_ERROR", f"What answers at {place} is not IP Webcam: it has no settings to read."
        ) from error


def _offered(
    key: str, value: str, values: Mapping[str, str], available: Mapping[str, object]
) -> None:
    """Raise if this phone has no such setting or value."""
    if key not in values:
        raise CameraFault(
            "CAMERA_ERROR",
            f"IP Webcam on this phone has no setting {key}; it has: {clip(', '.join(values))}.",
        )
    choices = available.get(key)
    if isinstance(choices, list) and choices and not any(_same(str(c), value) for c in choices):
        there = clip(", ".join(str(c) for c in choices))
        raise CameraFault("CAMERA_ERROR", f"This phone cannot do {key}={value}; it can: {there}.")


def _same(told: str | None, wanted: str) -> bool:
    """Whether the app tells the wanted value; 100 and 100.0 are the same to it."""
    if told is None or told == wanted:
        return told is not None
    try:
        return float(told) == float(wanted)
    except ValueError:
        return False


def _check(photo: bytes, size: str, place: str) -> JpegInfo:
    """The photo is whole and as large as `photo_size` says, upright or turned."""
    if not photo:
        raise CameraFault("CAMERA_EMPTY", f"IP Webcam at {place} answered with 0 bytes.")
    try:
        info = measure(photo)
    except ValueError as error:
        raise CameraFault(
            "CAMERA_BAD_JPEG", f"What IP Webcam at {place} answered is not a whole JPEG: {error}"
        ) from error
    wanted = _SIZE.fullmatch(size)
    if wanted is not None and {info.width, info.height} != {int(wanted[1]), int(wanted[2])}:
        raise CameraFault(
            "CAMERA_ERROR",
            f"IP Webcam answered a picture of {info.width}x{info.height} although photo_size is "
            f"{size}; that is its video. Set the photo resolution in the app and start it anew.",
        )
    return info
