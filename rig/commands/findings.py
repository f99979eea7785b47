"""What `rig doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what to do about it."""

    what: str
    status: Literal["ok", "warn", "bad"]
    detail: str
    remedy: str = ""
