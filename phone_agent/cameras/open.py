"""Which camera `--camera` means."""

from __future__ import annotations

from phone_agent.cameras import Camera
from phone_agent.cameras.loopback import LoopbackCamera

KINDS = "loopback:URL"


def open_camera(text: str) -> Camera:
    """The camera that *text* names.

    Raises:
        ValueError: there is no such camera; the sentence lists the ones there are.
    """
    kind, _, rest = text.partition(":")
    if kind == "loopback" and rest:
        return LoopbackCamera(rest)
    raise ValueError(f"there is no camera {text!r}; cameras are: {KINDS}")
