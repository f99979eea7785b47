"""Dying on purpose: ``XCAP_FAILPOINT=after_intent:3`` kills the process at that very step.

Kill tests use it to show that a restart at any instant resumes; without the variable it costs one
comparison.
"""

from __future__ import annotations

import os
import signal

_ARMED = os.environ.get("XCAP_FAILPOINT", "")
_counts: dict[str, int] = {}


def hit(name: str) -> None:
    """Die here, by SIGKILL, if the environment says so and this is the n-th time."""
    if not _ARMED:
        return
    wanted, _, nth = _ARMED.partition(":")
    if name != wanted:
        return
    _counts[name] = _counts.get(name, 0) + 1
    if _counts[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
