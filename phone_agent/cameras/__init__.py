"""What every camera of the phone can do, and how it says that it could not."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

FAULTS = frozenset({
    "CAMERA_ERROR", "CAMERA_TIMEOUT", "CAMERA_EMPTY", "CAMERA_BAD_JPEG", "CAMERA_PERMISSION",
    "CAMERA_BACKGROUND",
})  # fmt: skip


DEADLINE_S = 8.0
"""Seconds for an exposure with a camera that does not ask for more (XCAP/1 section 7, T_camera)."""


class CameraFault(Exception):
    """A shot gave no usable photo; the exposure may be repeated.

    Attributes:
        code_name: one of `FAULTS`, the name of the code sent in FAILED.
        sentence: what happened and what to do next, for a person.
    """

    def __init__(self, code_name: str, sentence: str) -> None:
        if code_name not in FAULTS:
            raise ValueError(f"{code_name!r} is not a camera fault; known are {sorted(FAULTS)}.")
        super().__init__(sentence)
        self.code_name = code_name
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.code_name}: {self.sentence}"


class Camera(Protocol):
    """A blocking camera; all its calls but `cancel` come from one executor thread.

    A camera may also have the attributes that `deadline_of` and `quiesce_of` read.
    """

    name: str

    def shoot(self, target: Path, deadline_s: float) -> None:
        """Take one photo into `target` (a fresh name in staging/) and fsync it.

        Whether the bytes are a JPEG is judged afterwards by `phone_agent.jpeg.inspect`.

        Args:
            target: where the bytes go; after a fault nothing is left there.
            deadline_s: seconds the whole shot may take, > 0.

        Raises:
            CameraFault: no photo; the sentence says why.
            OSError: the target could not be written (disk full, folder gone).
        """

    def probe(self) -> dict[str, str | int | bool]:
        """Describe the camera: `backend`, `id`, `w`, `h` (pixels, 0 unknown), `ready`, `note`.

        Never raises for a camera that is away: then `ready` is False and `note` says why.
        """

    def cancel(self) -> None:
        """End the shot in progress, from any thread; without one it does nothing."""


def deadline_of(camera: Camera) -> float:
    """Seconds this camera wants for one exposure: its attribute `deadline_s`, else `DEADLINE_S`."""
    return float(getattr(camera, "deadline_s", DEADLINE_S))


def quiesce_of(camera: Camera) -> float:
    """Seconds it must be left alone after a start or a timeout: its `quiesce_s`, else 0.

    A camera that cannot name its output file could otherwise hand over the photo of the exposure
    before (XCAP/1 section 4).
    """
    return float(getattr(camera, "quiesce_s", 0.0))


def facts_of(backend: str, ident: str) -> dict[str, str | int | bool]:
    """What `Camera.probe` answers before anything is known."""
    return {"backend": backend, "id": ident, "w": 0, "h": 0, "ready": False, "note": ""}


def clip(text: str, limit: int = 160) -> str:
    """Words of a device, fit for a sentence: one line, printable ASCII, at most *limit* characters.

    ASCII because a device may say anything, and terminals obey some of it.
    """
    line = " ".join(text.split())
    line = "".join(c if c.isascii() and c.isprintable() else "?" for c in line)
    return line if len(line) <= limit else line[: limit - 3] + "..."
