"""How bad a simulated world is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Faults:
    """Probabilities (0-1) per datagram, exposure or painting; times in seconds.

    Attributes:
        loss, duplicate, reorder, corrupt: of a datagram. A reordered one comes up to 0.5 s late, a
            corrupt one has flipped bits or is cut short.
        delay: mean time on the way, one way; it varies by half.
        camera: an exposure goes wrong: it fails, is empty, is no whole JPEG, hangs until it is
            killed, or fires late.
        slow: it takes nearly all the time that it is given.
        hang: the camera never answers again, and cannot be killed; the agent must be restarted.
        stale: the camera returns its last frame.
        camera_seconds: median time of an exposure.
        quiesce: for how long the camera is left alone after a start and after a time-out.
        disturb: the screen is disturbed while it shows an x-ray.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.002
    camera: float = 0.0
    camera_seconds: float = 0.2
    disturb: float = 0.0
    corrupt: float = 0.0
    hang: float = 0.0
    slow: float = 0.0
    stale: float = 0.0
    quiesce: float = 0.0
