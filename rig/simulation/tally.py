"""What a simulated world saw."""

from __future__ import annotations

from dataclasses import dataclass, field

from rig.protocol import actions as act


@dataclass
class Audit:
    """What the world saw, independent of the cores' own books."""

    shutters: int = 0
    contents: dict[str, int] = field(default_factory=dict)
    events: list[act.Event] = field(default_factory=list)
    crashes: int = 0
    datagrams: int = 0
