"""What every camera of the phone can do, and how it says that it could not."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

FAULTS = frozenset(
    {"CAMERA_ERROR", "CAMERA_TIMEOUT", "CAMERA_EMPTY", "CAMERA_BAD_JPEG", "CAMERA_PERMISSION"}
)


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
    """A blocking camera; all its calls but `cancel` come from one executor thread."""

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
