"""A real camera (DSLR, mirrorless) on the computer's USB port, by the command `gphoto2`.

Phones do not work this way: Android's PTP has no capture operation, and gphoto2 then says that the
camera does not support generic capture.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from phone_agent.cameras import CameraFault, clip, facts_of
from phone_agent.cameras.child import Child, ChildCancelled, ChildError, ChildLate, Ended, NoCommand
from phone_agent.files import sync_file
from phone_agent.jpeg import inspect

_PROBE_S = 10.0
_PORT = re.compile(r"[a-z]+:[A-Za-z0-9_.,:/-]{0,60}", re.ASCII)
_LISTED = re.compile(r"(?P<model>\S.*?)\s{2,}(?P<port>[a-z]+:\S*)\s*", re.ASCII)
NO_CAMERA = "gphoto2 finds no camera; connect it, switch it on and choose PTP as its USB mode."
_TROUBLE = (
    ("Could not claim the USB device", "CAMERA_ERROR",
     "Another program has the camera; close it (on desktops often gvfs: gio mount -s gphoto2)."),
    ("does not support generic capture", "CAMERA_ERROR",
     "This device cannot be released by cable (phones never can); set a camera's USB to PTP."),
    ("No camera found", "CAMERA_ERROR", NO_CAMERA),
    ("Could not detect any camera", "CAMERA_ERROR", NO_CAMERA),
    ("Could not find the requested device", "CAMERA_ERROR",
     "There is no camera at this port any more; gphoto2 --auto-detect lists them."),
    ("Access Denied", "CAMERA_PERMISSION",
     "The camera denies access; end other programs that use it and take it out of its menus."),
    ("Insufficient permission", "CAMERA_PERMISSION",
     "This user may not use the camera's USB device; join the group plugdev."),
    ("Device Busy", "CAMERA_ERROR",
     "The camera is busy; take it out of its menus and playback and try again."),
    ("focus", "CAMERA_ERROR",
     "The camera could not focus on the screen; switch its lens to manual focus."),
)  # fmt: skip


class Gphoto2Camera:
    """Takes photos with a camera that gphoto2 knows.

    Args:
        port: as `gphoto2 --auto-detect` lists it; None when there is only one camera.

    Raises:
        ValueError: there can be no such port.
    """

    deadline_s = 15.0
    quiesce_s = 8.0

    def __init__(self, port: str | None = None) -> None:
        if port is not None and not _PORT.fullmatch(port):
            raise ValueError("this is no port of gphoto2; gphoto2 --auto-detect lists them")
        self.name = "gphoto2"
        self._port = port
        self._child = Child()

    def shoot(self, target: Path, deadline_s: float) -> None:
        """Release the camera and fetch the photo within `deadline_s`; see `Camera.shoot`."""
        self._child.begin(deadline_s)
        scratch = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
        # In gphoto2's file names % begins a format.
        name = str(scratch).replace("%", "%%")
        try:
            ended = self._gphoto2(
                "--capture-image-and-download", "--filename", name, "--force-overwrite"
            )
            _explain(ended)
            _whole(scratch)
            sync_file(scratch)
            scratch.replace(target)
        except ChildError as error:
            raise _stopped(error, deadline_s) from error
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink()

    def probe(self) -> dict[str, str | int | bool]:
        """Which camera is there; it is not released."""
        facts = facts_of(self.name, self._port or "")
        self._child.begin(_PROBE_S)
        try:
            ended = self._gphoto2("--auto-detect")
            _explain(ended)
        except ChildError as error:
            facts["note"] = _stopped(error, _PROBE_S).sentence
        except CameraFault as fault:
            facts["note"] = fault.sentence
        else:
            facts.update(self._found(ended))
        return facts

    def cancel(self) -> None:
        """End the shot in progress; it raises CAMERA_ERROR."""
        self._child.cancel()

    def _gphoto2(self, *words: str) -> Ended:
        which: Sequence[str] = [] if self._port is None else ["--port", self._port]
        return self._child.run(["gphoto2", *which, *words])

    def _found(self, ended: Ended) -> dict[str, str | int | bool]:
        lines = [_LISTED.fullmatch(line) for line in ended.out.splitlines()]
        found = {m["port"]: m["model"] for m in lines if m is not None}
        if self._port is not None:
            found = {port: model for port, model in found.items() if port == self._port}
        if not found:
            return {"note": NO_CAMERA}
        if len(found) > 1:
            there = clip(", ".join(found))
            return {"note": f"gphoto2 finds several cameras; name one as gphoto2:PORT ({there})."}
        port, model = next(iter(found.items()))
        return {"id": f"{clip(model, 80)} {port}", "ready": True}


def _whole(scratch: Path) -> None:
    try:
        inspect(scratch)
    except CameraFault as fault:
        if fault.code_name == "CAMERA_EMPTY":
            raise CameraFault(
                "CAMERA_EMPTY",
                "gphoto2 ended without a photo; look whether the camera has a memory card and "
                "focuses.",
            ) from fault
        raise CameraFault(
            fault.code_name, f"{fault.sentence} Set the camera to JPEG only, without RAW."
        ) from fault


def _explain(ended: Ended) -> None:
    """Raise what gphoto2 says; it also fails with status 0."""
    text = ended.text
    if not ended.code and "*** Error" not in text and "ERROR:" not in text:
        return
    for words, code_name, sentence in _TROUBLE:
        if words in text:
            raise CameraFault(code_name, sentence)
    lines = [line.strip("* ") for line in text.splitlines() if line.strip("* ")]
    said = [line for line in lines if not line.startswith(("Error", "For debugging"))]
    raise CameraFault("CAMERA_ERROR", f"gphoto2 failed: {clip((said or lines or ['?'])[0])}.")


def _stopped(error: ChildError, deadline_s: float) -> CameraFault:
    if isinstance(error, NoCommand):
        return CameraFault("CAMERA_ERROR", f"{error} Install the package gphoto2.")
    if isinstance(error, ChildCancelled):
        return CameraFault("CAMERA_ERROR", "The shot was cancelled.")
    if isinstance(error, ChildLate):
        return CameraFault(
            "CAMERA_TIMEOUT",
            f"The camera gave no photo within {deadline_s:g} s; look at its screen.",
        )
    return CameraFault("CAMERA_ERROR", str(error))
