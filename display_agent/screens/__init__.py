"""What every screen back end offers to the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

from display_agent.compose import Composition, Size

Disturbed = Callable[[str], None]
"""Called on the event loop with a sentence when something other than `show` changed the screen."""

Key = Callable[[str], None]
"""Called on the event loop with a key's lower-case name: `space`, `left`, `return`, `q`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Confirmation that a composition is up.

    Attributes:
        surface_sha: 32 bytes read back from the screen after the flip; equal to
            `compose.surface_sha` of the composed frame exactly when those pixels are up.
        flip_ns: wall clock of the flip in nanoseconds since the epoch (comparable with the
            `time_ns` of events).
        flip_monotonic_ns: `time.monotonic_ns` of the same moment; 0 where nobody took it.
        settle_ms: milliseconds that the screen has itself waited after the flip, before it
            returned; the plan's own settle comes on top.
    """

    surface_sha: bytes
    flip_ns: int
    flip_monotonic_ns: int = 0
    settle_ms: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a screen's check of itself: what was looked at, whether it is well, and why."""

    name: str
    ok: bool
    text: str


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

    async def self_check(self) -> tuple[Finding, ...]:
        """Look at what would spoil every photo: size, scaling, refresh, pixels, blanking.

        Called once after `open`; raises UserError when the screen is gone.
        """
        ...

    async def look(self) -> tuple[Finding, ...]:
        """As `self_check`, but nothing that is up is painted over: also while a session pauses.

        A window that is gone is opened again. Raises UserError when that cannot be done.
        """
        ...

    async def show(self, token: bytes, composition: Composition) -> Shown:
        """Put *composition* up for the paint called *token*; returns when it is on the screen.

        Raises:
            UserError: it cannot be shown, or something else is to be seen; says what to do.
        """
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


@runtime_checkable
class KeyScreen(Protocol):
    """What a screen offers besides when it has a keyboard; a key pressed is no disturbance."""

    on_key: Key | None
