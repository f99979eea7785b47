"""The phone's own camera by `termux-camera-photo` of Termux:API.

From the sources of termux-api (CameraPhotoAPI.java) and termux-api-package
(termux-camera-photo.in): the script touches the file before anything else and never looks at the
outcome; errors of the camera go to Android's log only, so that the script ends with status 0 and
leaves 0 bytes; a camera that is taken away leaves the call hanging for ever. The photo is written
by the app, which no kill of ours reaches: it may come late. So every call has its own file name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from phone_agent.cameras import CameraFault, clip, facts_of
from phone_agent.cameras.child import (
    Child,
    ChildBusy,
    ChildCancelled,
    ChildError,
    ChildLate,
    Ended,
    NoCommand,
)
from phone_agent.files import sync_file
from phone_agent.jpeg import inspect

MIN_BYTES = 50_000
"""A photo of a phone's main camera has megabytes; what is smaller has no picture of a screen."""
INSTALL = (
    "run: pkg install termux-api, and install the Termux:API app from the same source as Termux "
    "(both from F-Droid, or both from GitHub)"
)
REMEDY = "open Termux, switch the screen on, unlock the phone"
_PROBE_S = 5.0
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,15}", re.ASCII)
# The script uses the path unquoted; anything else would be split or taken for a pattern.
_PATH = re.compile(r"[\w/.,:=@%+~-]+", re.ASCII)
_DENIED = ("android.permission.CAMERA", "grant the following permission", "Permission Denial")
_UNEXPLAINED = frozenset({"CAMERA_EMPTY", "CAMERA_TIMEOUT", "CAMERA_BAD_JPEG"})
"""What a phone in the pocket does as well; twice in a row it is taken for that."""


class TermuxCamera:
    """Takes photos with Termux:API.

    Args:
        camera_id: as `termux-camera-info` lists it; None is the script's own default, 0.
        min_bytes: a smaller photo counts as empty.

    Raises:
        ValueError: there can be no camera of this id.
    """

    deadline_s = 15.0

    def __init__(self, camera_id: str | None = None, *, min_bytes: int = MIN_BYTES) -> None:
        if camera_id is not None and not _ID.fullmatch(camera_id):
            raise ValueError("a Termux camera is named by its number, as termux-camera-info says")
        self.name = "termux"
        self._id = camera_id
        self._min_bytes = min_bytes
        self._child = Child()
        self._failures = 0
        self._late: list[Path] = []

    def shoot(self, target: Path, deadline_s: float) -> None:
        """Take one photo within `deadline_s`; see `Camera.shoot`.

        The second failure in a row that has no other explanation is CAMERA_BACKGROUND.
        """
        self._sweep()
        scratch = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
        try:
            self._take(scratch, deadline_s)
            sync_file(scratch)
            scratch.replace(target)
        except BaseException as error:
            self._late.append(scratch)  # now, and before the next exposures: the app may be slow
            self._sweep()
            if isinstance(error, CameraFault):
                self._count(error)
            raise
        self._failures = 0

    def probe(self) -> dict[str, str | int | bool]:
        """Ask `termux-camera-info` for the camera and its largest photo; takes no photo."""
        wanted = self._id or "0"
        facts = facts_of(self.name, wanted)
        self._child.begin(_PROBE_S)
        try:
            ended = self._child.run(["termux-camera-info"])
        except NoCommand as error:
            facts["note"] = f"{error} Please {INSTALL}."
        except ChildLate:
            facts["note"] = f"termux-camera-info gave no answer within {_PROBE_S:g} s; {INSTALL}."
        except ChildError as error:
            facts["note"] = str(error)
        else:
            facts.update(_largest(ended, wanted))
        return facts

    def cancel(self) -> None:
        """End the shot in progress; it raises CAMERA_ERROR."""
        self._child.cancel()

    def _take(self, scratch: Path, deadline_s: float) -> None:
        if not _PATH.fullmatch(str(scratch.resolve())):
            raise CameraFault(
                "CAMERA_ERROR",
                "termux-camera-photo cannot write into a folder whose path has spaces or other "
                "special characters; give --dir another one.",
            )
        which = [] if self._id is None else ["-c", self._id]
        self._child.begin(deadline_s)
        try:
            ended = self._child.run(["termux-camera-photo", *which, str(scratch)])
        except ChildError as error:
            raise _stopped(error, deadline_s) from error
        _explain(ended)
        try:
            inspect(scratch, min_bytes=self._min_bytes)
        except CameraFault as fault:
            why = f"{_what(fault, scratch)} Please {REMEDY}."
            raise CameraFault(fault.code_name, why) from fault

    def _count(self, fault: CameraFault) -> None:
        self._failures = self._failures + 1 if fault.code_name in _UNEXPLAINED else 0
        if self._failures >= 2:
            raise CameraFault(
                "CAMERA_BACKGROUND",
                f"{self._failures} photos in a row failed: Android lets Termux use the camera only "
                f"while it is in front. Please {REMEDY}, then resume. (Last: {fault.sentence})",
            ) from fault

    def _sweep(self) -> None:
        """Delete what calls that were given up have left or written since."""
        for path in self._late:
            with contextlib.suppress(OSError):
                path.unlink()
        del self._late[:-8]  # the app gives up some time, too


def _stopped(error: ChildError, deadline_s: float) -> CameraFault:
    if _is_denied(error.output):
        return _denied()
    if isinstance(error, NoCommand):
        return CameraFault("CAMERA_ERROR", f"{error} Please {INSTALL}.")
    if isinstance(error, ChildCancelled):
        return CameraFault("CAMERA_ERROR", "The shot was cancelled.")
    if isinstance(error, ChildBusy):
        return CameraFault("CAMERA_TIMEOUT", f"The camera was not free: {error}")
    return CameraFault(
        "CAMERA_TIMEOUT",
        f"termux-camera-photo gave no photo within {deadline_s:g} s and was stopped. "
        f"Please {REMEDY}.",
    )


def _explain(ended: Ended) -> None:
    """Raise what the output or the status says, if it says anything."""
    text = ended.text
    if _is_denied(text):
        raise _denied()
    if "Error writing image:" in text:
        said = clip(text.partition("Error writing image:")[2])
        raise CameraFault(
            "CAMERA_ERROR", f"Termux:API could not write the photo ({said}); look at the storage."
        )
    if "ERROR:" in text or ended.code:
        said = clip(text.partition("ERROR:")[2] or text) or f"status {ended.code}"
        raise CameraFault("CAMERA_ERROR", f"termux-camera-photo failed: {said}.")


def _what(fault: CameraFault, scratch: Path) -> str:
    if fault.code_name != "CAMERA_EMPTY":
        return fault.sentence
    size = 0
    with contextlib.suppress(OSError):
        size = scratch.stat().st_size
    return f"termux-camera-photo left {size} bytes instead of a photo."


def _is_denied(text: str) -> bool:
    return any(words in text for words in _DENIED)


def _denied() -> CameraFault:
    return CameraFault(
        "CAMERA_PERMISSION",
        "The Termux:API app may not use the camera; allow it in Android's settings: Apps, "
        "Termux:API, Permissions, Camera.",
    )


def _largest(ended: Ended, wanted: str) -> dict[str, str | int | bool]:
    """What the answer of `termux-camera-info` says about camera *wanted*."""
    if _is_denied(ended.text):
        return {"note": _denied().sentence}
    try:
        cameras: dict[str, Any] = {str(each["id"]): each for each in json.loads(ended.out)}
        if wanted not in cameras:
            there = clip(", ".join(cameras)) or "none"
            return {"note": f"This phone has no camera {wanted}; it has: {there}."}
        sizes = [(int(s["width"]), int(s["height"])) for s in cameras[wanted]["jpeg_output_sizes"]]
        width, height = max(sizes, key=lambda size: size[0] * size[1])
    except (ValueError, TypeError, KeyError):
        said = clip(ended.text) or "nothing"
        return {"note": f"termux-camera-info did not list the cameras, it said: {said}. {INSTALL}."}
    return {"w": width, "h": height, "ready": True}
