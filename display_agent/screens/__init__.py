"""What every screen back end offers to the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from display_agent.compose import Composition, Size

Disturbed = Callable[[str], None]
"""Called on the event loop with a sentence when something other than `show` changed the screen."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Confirmation that a composition is up.

    `surface_sha`: 32 bytes read back from the screen after the flip; `flip_ns`: wall clock of the
    flip in nanoseconds since the epoch (comparable with the `time_ns` of events).
    """

    surface_sha: bytes
    flip_ns: int


class Screen(Protocol):
    """A monitor, driven from one event loop; nothing is shown before `open` or after `close`."""

    on_disturbed: Disturbed | None

    @property
    def size(self) -> Size:
        """Width and height in physical pixels; known from `open` on."""
        ...

    async def open(self) -> None:
        """Take the monitor and show black; raises UserError when there is none to take."""
        ...

    async def show(self, token: bytes, composition: Composition) -> Shown:
        """Put *composition* up for the paint called *token*; returns when it is on the screen."""
        ...

    async def blank(self, reason: str) -> None:
        """Show black with *reason* written on it."""
        ...

    def surface(self) -> bytes:
        """SHA-256 (32 bytes) of what is up now, read back and not remembered."""
        ...

    def frame(self) -> Image.Image:
        """What is up now as a picture (mode L or RGB), never altered afterwards."""
        ...

    async def close(self) -> None:
        """Give the monitor back; may be called twice."""
        ...
