"""The configurations that are searched: those of the test suite, and larger ones for patience.

python -m rig.simulation.explore --all
"""

from __future__ import annotations

import sys

from rig.simulation.explore import Bounds, Explorer, Found

SUITE = (
    Bounds(count=2, cap=2),
    Bounds(count=2, cap=2, copies=2, camera=1),
    Bounds(count=2, cap=1, camera=1, glitch=1),
    Bounds(count=1, cap=2, crash=1),
    Bounds(count=1, cap=1, crash=2),
    Bounds(count=3, cap=1, crash=1),
    Bounds(count=2, cap=2, crash=1),
    Bounds(count=2, cap=1, wrong=1),
    Bounds(count=2, cap=1, abort=1),
    Bounds(count=2, cap=1, silence=1),
    # Two defects were found here: a causeless TOKEN_MISMATCH and a causeless DIVERGED.
    Bounds(count=1, cap=2, crash=1, camera=1),
    Bounds(count=1, cap=2, silence=2),
    Bounds(count=2, cap=2, pause=1),
    Bounds(count=1, cap=2, bye=1),
    Bounds(count=2, cap=2, ping=1),
    Bounds(count=2, cap=2, large=True),
    Bounds(count=2, cap=1, crash=1, large=True),
    Bounds(count=2, cap=2, queue=1),
    Bounds(count=1, cap=2, crash=1, queue=1),
    Bounds(count=1, cap=2, abort=1, queue=1),
    Bounds(count=2, cap=1, wrong=1, queue=2),
    Bounds(count=2, cap=1, camera=1, glitch=1, queue=1),
    Bounds(count=2, cap=2, stop=1),
    Bounds(count=2, cap=1, crash=1, stop=1),
    Bounds(count=1, cap=2, camera=1, stop=1),
    # Another was found here: a CAPTURE that was given up, overtaken by FINISH, aborted the phone.
    Bounds(count=1, cap=2, stop=1, pause_now=1),
    Bounds(count=1, cap=1, crash=1, pause_now=1),
    # And here a photo that was asked for after the STOP, once its metadata had arrived.
    Bounds(count=2, cap=1, stop=1, large=True),
    Bounds(count=2, cap=1, finish=1),
    Bounds(count=2, cap=1, pause_now=1),
    Bounds(count=1, cap=2, stop=1, queue=1),
)
"""Searched by the test suite."""

LARGER = (
    Bounds(count=1, cap=1, crash=1, camera=1),
    Bounds(count=2, cap=1, crash=1, pause=1),
    Bounds(count=2, cap=2, abort=1),
    Bounds(count=2, cap=2, wrong=1),
    Bounds(count=2, cap=2, crash=1, queue=1),
    Bounds(count=2, cap=2, crash=1, pause=1),
    Bounds(count=2, cap=2, crash=1, large=True),
    Bounds(count=1, cap=1, crash=1, stop=1),
    Bounds(count=2, cap=1, abort=1, stop=1),
    Bounds(count=1, cap=2, crash=1, stop=1),
    Bounds(count=2, cap=2, crash=1, stop=1),
    Bounds(count=2, cap=2, camera=1, stop=1),
    Bounds(count=2, cap=1, stop=1, finish=1),
    Bounds(count=2, cap=2, pause_now=1),
    Bounds(count=2, cap=1, stop=1, pause_now=1),
    Bounds(count=2, cap=2, stop=1, pause_now=1),
    Bounds(count=2, cap=1, crash=1, pause_now=1),
    Bounds(count=1, cap=2, crash=1, pause_now=1),
    Bounds(count=1, cap=2, stop=1, pause_now=1, queue=1),
    Bounds(count=1, cap=1, crash=1, stop=1, queue=1),
    Bounds(count=1, cap=2, stop=1, bye=1),
    Bounds(count=1, cap=1, crash=1, stop=1, pause_now=1),
    Bounds(count=1, cap=2, abort=1, stop=1),
    Bounds(count=2, cap=2, stop=1, finish=1),
    Bounds(count=2, cap=2, stop=1, large=True),
    Bounds(count=1, cap=2, stop=1, pause_now=1, large=True),
    Bounds(count=2, cap=2, stop=1, silence=1),
    Bounds(count=1, cap=1, crash=2, stop=1),
    Bounds(count=3, cap=1, crash=1, stop=1),
    Bounds(count=1, cap=2, stop=1, pause_now=2),
    Bounds(count=2, cap=2, crash=1, pause_now=1),
    Bounds(count=1, cap=2, bye=2),
    Bounds(count=2, cap=2, crash=1, camera=1),
    Bounds(count=2, cap=2, crash=2),
    Bounds(count=2, cap=3, crash=1),
    Bounds(count=2, cap=2, crash=1, silence=1),
    Bounds(count=1, cap=2, bye=1, crash=1),
    Bounds(count=1, cap=2, crash=2, queue=1),
    Bounds(count=1, cap=2, abort=1, crash=1, queue=2),
    Bounds(count=3, cap=2, camera=1, glitch=1),
    Bounds(count=3, cap=2, crash=1, wrong=1),
    Bounds(count=3, cap=2, crash=1, abort=1),
    Bounds(count=4, cap=2, crash=2),
    Bounds(count=3, cap=2, camera=1, glitch=1, wrong=1),
)
"""Seconds to many minutes each, and up to some gigabytes."""


def row(found: Found) -> str:
    """A line of the table in docs/exploration.md."""
    b = found.bounds
    faults = [f"{n} {v}" for n, v in b.budgets()._asdict().items() if v]
    faults += [f"queue {b.queue}"] * bool(b.queue) + ["large metadata"] * b.large
    faults += [f"copies {b.copies}"] * (b.copies > 1)
    verdict = found.wrong or ("hold" if found.exhausted else "nothing found")
    figures = (
        str(b.count), str(b.cap), ", ".join(faults) or "none", f"{found.states:,}",
        f"{found.transitions:,}", str(found.depth), f"{found.seconds:.0f}",
        "yes" if found.exhausted else "no", verdict, str(found.stuck),
    )  # fmt: skip
    return f"| {' | '.join(figures)} |"


def search_all(*, states: int, seconds: float) -> int:
    """Search every configuration, at most so long each; the table goes to stdout. 1: a finding."""
    sys.stdout.write(
        "| x-rays | in flight | may happen | states | transitions | depth | CPU s | exhausted "
        "| S1-S7 | stuck |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    wrong = False
    for bounds in (*SUITE, *LARGER):
        found = Explorer(bounds).search(states=states, seconds=seconds)
        sys.stdout.write(f"{row(found)}\n")
        sys.stdout.flush()
        wrong = wrong or bool(found.wrong)
    return int(wrong)
