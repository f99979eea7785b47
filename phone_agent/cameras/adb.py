"""The phone's stock camera app, worked from the computer by `adb`: no software on the phone.

The app names its files itself, so the new file in DCIM/Camera is the photo. Three things keep a
wrong one out: the folder is listed before the shutter, exactly one file may be new afterwards, and
the file's SHA-256 on the phone must be that of the pulled copy.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from phone_agent.cameras import CameraFault, clip, facts_of
from phone_agent.cameras.child import (
    Child,
    ChildCancelled,
    ChildError,
    ChildLate,
    Ended,
    NoCommand,
)
from phone_agent.files import sha256_file, sync_file
from phone_agent.jpeg import inspect

FOLDER = "/sdcard/DCIM/Camera"
OPEN_CAMERA = "am start -W -a android.media.action.STILL_IMAGE_CAMERA"
SHUTTER = "input keyevent 27"
"""KEYCODE_CAMERA of Android's KeyEvent."""
STATE = (
    "dumpsys power | grep mWakefulness=; "
    "dumpsys window | grep -E 'mDreamingLockscreen|isKeyguardShowing|mShowingLockscreen'"
)
_PROBE_S = 10.0
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}", re.ASCII)
# No leading dot: `.pending-...` and `.trashed-...` are Android's own.
_PHOTO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._~()+-]{0,120}\.jpe?g", re.ASCII | re.IGNORECASE)
_LOCKED = re.compile(r"(?:mDreamingLockscreen|isKeyguardShowing|mShowingLockscreen)=true")
_TROUBLE = (
    ("no devices/emulators found", "CAMERA_ERROR",
     "adb sees no phone; connect the cable and switch on USB debugging in the developer options."),
    ("unauthorized", "CAMERA_PERMISSION",
     "The phone does not trust this computer yet; unlock it and allow USB debugging."),
    ("device offline", "CAMERA_ERROR",
     "adb says the phone is offline; pull the cable out and put it in again."),
    ("more than one device", "CAMERA_ERROR",
     "adb sees several phones; name one as adb:SERIAL (the command adb devices lists them)."),
    ("no permissions", "CAMERA_PERMISSION",
     "This user may not use the phone's USB device; join the group plugdev."),
)  # fmt: skip


class AdbCamera:
    """Takes photos with the camera app of the phone on the cable.

    Args:
        serial: as `adb devices` lists it; None when there is only one phone.
        open_s: seconds the camera app needs from its start until it obeys the shutter.
        poll_s: seconds between looks into the folder.

    Raises:
        ValueError: there can be no such serial number.
    """

    deadline_s = 20.0
    quiesce_s = 15.0

    def __init__(
        self, serial: str | None = None, *, open_s: float = 2.0, poll_s: float = 0.2
    ) -> None:
        if serial is not None and not _SERIAL.fullmatch(serial):
            raise ValueError("this is no serial number of adb; the command adb devices lists them")
        self.name = "adb"
        self._serial = serial
        self._open_s = open_s
        self._poll_s = poll_s
        self._child = Child()
        self._opened = False

    def shoot(self, target: Path, deadline_s: float) -> None:
        """Take one photo and pull it within `deadline_s`; see `Camera.shoot`."""
        self._child.begin(deadline_s)
        scratch = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
        try:
            self._take(scratch)
            inspect(scratch)
            sync_file(scratch)
            scratch.replace(target)
        except ChildError as error:
            self._opened = False
            raise self._stopped(error, deadline_s) from error
        except CameraFault:
            self._opened = False
            raise
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink()

    def probe(self) -> dict[str, str | int | bool]:
        """Whether the phone is there, awake and unlocked; takes no photo."""
        facts = facts_of(self.name, self._serial or "")
        self._child.begin(_PROBE_S)
        try:
            facts["id"] = clip(self._adb("get-serialno").out, 80)
            self._awake()
        except ChildError as error:
            facts["note"] = self._stopped(error, _PROBE_S).sentence
        except CameraFault as fault:
            facts["note"] = fault.sentence
        else:
            facts["ready"] = True
        return facts

    def cancel(self) -> None:
        """End the shot in progress; it raises CAMERA_ERROR."""
        self._child.cancel()

    # -- one exposure ------------------------------------------------------------------------------

    def _take(self, scratch: Path) -> None:
        self._awake()
        if not self._opened:
            said = self._adb("shell", OPEN_CAMERA).text
            if "Error:" in said:
                raise CameraFault("CAMERA_ERROR", f"The camera app cannot be opened: {clip(said)}.")
            self._child.pause(self._open_s)
            self._opened = True
        before = self._photos()
        self._adb("shell", SHUTTER)
        photo = f"{FOLDER}/{self._new(before)}"
        self._settled(photo)
        wanted = self._digest(photo)
        self._adb("pull", photo, str(scratch))
        if sha256_file(scratch).hex() != wanted:
            raise CameraFault(
                "CAMERA_ERROR",
                "The pulled photo is not the one on the phone (their SHA-256 differ); use another "
                "cable or port.",
            )

    def _awake(self) -> None:
        """Raise if the screen is off or locked: the shutter would go to the lock screen."""
        said = self._adb("shell", STATE, may_fail=True).out
        if "mWakefulness=" in said and "mWakefulness=Awake" not in said:
            raise CameraFault(
                "CAMERA_BACKGROUND",
                "The phone's screen is off; switch it on, unlock it, and let it stay awake while "
                "charging (developer options).",
            )
        if _LOCKED.search(said):
            raise CameraFault(
                "CAMERA_BACKGROUND", "The phone is locked; unlock it and let it stay awake."
            )

    def _photos(self) -> set[str]:
        ended = self._adb("shell", f"ls -1 {FOLDER}", may_fail=True)
        if ended.code and "No such file" not in ended.text:  # before the first photo there is none
            raise CameraFault(
                "CAMERA_ERROR", f"The phone's photos cannot be listed: {clip(ended.text)}."
            )
        names = ended.out.splitlines() if not ended.code else []
        return {name.strip("\r") for name in names if _PHOTO.fullmatch(name.strip("\r"))}

    def _new(self, before: set[str]) -> str:
        while not (new := self._photos() - before):
            self._child.pause(self._poll_s)
        if len(new) > 1:
            raise CameraFault(
                "CAMERA_ERROR",
                f"{len(new)} photos appeared at once on the phone; switch off burst and RAW+JPEG "
                "and let nobody else press the shutter.",
            )
        return new.pop()

    def _settled(self, photo: str) -> None:
        """Wait until the file has had the same size twice."""
        size, last = 0, -1
        while size <= 0 or size != last:
            if last >= 0:
                self._child.pause(self._poll_s)
            last = size
            ended = self._adb("shell", f"stat -c %s {shlex.quote(photo)}", may_fail=True)
            size = int(ended.out) if ended.out.strip().isdigit() else 0

    def _digest(self, photo: str) -> str:
        said = self._adb("shell", f"sha256sum {shlex.quote(photo)}").out
        digest = said.split()[0] if said.split() else ""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise CameraFault(
                "CAMERA_ERROR", f"The phone does not give the photo's SHA-256: {clip(said)}."
            )
        return digest

    # -- adb ---------------------------------------------------------------------------------------

    def _adb(self, *words: str, may_fail: bool = False) -> Ended:
        ended = self._child.run(["adb", *self._which(), *words])
        if ended.code:
            _explain(ended)
            if not may_fail:
                raise CameraFault(
                    "CAMERA_ERROR", f"adb {words[0]} failed: {clip(_told(ended)) or ended.code}."
                )
        return ended

    def _which(self) -> Sequence[str]:
        return [] if self._serial is None else ["-s", self._serial]

    def _stopped(self, error: ChildError, deadline_s: float) -> CameraFault:
        if isinstance(error, NoCommand):
            return CameraFault(
                "CAMERA_ERROR", f"{error} Install Android's platform tools, they have adb."
            )
        if isinstance(error, ChildCancelled):
            return CameraFault("CAMERA_ERROR", "The shot was cancelled.")
        if isinstance(error, ChildLate):
            return CameraFault(
                "CAMERA_TIMEOUT",
                f"No whole new photo on the phone within {deadline_s:g} s; look at its screen: the "
                "camera app must be open, for photos, and obey the camera key.",
            )
        return CameraFault("CAMERA_ERROR", str(error))


def _told(ended: Ended) -> str:
    """What adb said, without the news about its own daemon."""
    lines = ended.text.splitlines()
    return "\n".join(line for line in lines if not line.startswith("* daemon"))


def _explain(ended: Ended) -> None:
    text = ended.text
    for words, code_name, sentence in _TROUBLE:
        if words in text:
            raise CameraFault(code_name, sentence)
    if re.search(r"device '[^']*' not found", text):
        raise CameraFault(
            "CAMERA_ERROR",
            "adb does not see the phone of this serial number; connect it (adb devices lists all).",
        )
