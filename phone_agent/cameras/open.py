"""Which camera `--camera` means."""

from __future__ import annotations

import re
from collections.abc import Callable

from phone_agent.cameras import Camera
from phone_agent.cameras.adb import AdbCamera
from phone_agent.cameras.gphoto2 import Gphoto2Camera
from phone_agent.cameras.guard import GuardedCamera
from phone_agent.cameras.ipwebcam import IpWebcamCamera
from phone_agent.cameras.loopback import LoopbackCamera
from phone_agent.cameras.termux import TermuxCamera

KINDS = "termux[:CAMERA_ID], ipwebcam:URL, loopback:URL, adb[:SERIAL], gphoto2[:PORT]"

_REAL: dict[str, Callable[[str | None], Camera]] = {
    "termux": TermuxCamera,
    "adb": AdbCamera,
    "gphoto2": Gphoto2Camera,
    "ipwebcam": lambda rest: IpWebcamCamera(rest or ""),
}


def open_camera(text: str, *, rests: bool = False) -> Camera:
    """The camera that *text* names; a real one is guarded (see `GuardedCamera`, also for *rests*).

    A loopback is not: two frames of the same still screen have the same bytes.

    Raises:
        ValueError: there is no such camera; the sentence lists the ones there are and repeats
            nothing behind the first colon, where a password may stand.
    """
    kind, colon, rest = text.partition(":")
    if kind == "loopback" and rest:
        return LoopbackCamera(rest)
    if kind in _REAL and bool(colon) == bool(rest) and (rest or kind != "ipwebcam"):
        try:
            return GuardedCamera(_REAL[kind](rest or None), rests=rests)
        except ValueError as error:
            raise ValueError(f"--camera {kind}: {error}") from error
    shown = kind if re.fullmatch(r"[A-Za-z0-9_-]{1,24}", kind, re.ASCII) else "of this name"
    raise ValueError(f"there is no camera {shown!r}; cameras are: {KINDS}")
