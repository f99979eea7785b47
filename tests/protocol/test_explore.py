"""Every reachable state of small worlds around the real cores, with its figures printed."""

from __future__ import annotations

import pytest

from rig.simulation.explore import Bounds, Explorer, main

EXHAUSTED = [
    Bounds(count=2, cap=2),
    Bounds(count=2, cap=2, copies=2, camera=1),
    Bounds(count=2, cap=1, camera=1, glitch=1),
    Bounds(count=1, cap=2, crash=1),
    Bounds(count=1, cap=1, crash=2),
    Bounds(count=1, cap=1, crash=1, camera=1),
    Bounds(count=3, cap=1, crash=1),
    Bounds(count=2, cap=1, wrong=1),
    Bounds(count=2, cap=1, abort=1),
    Bounds(count=2, cap=1, silence=1),
    # Two defects were found here: a causeless TOKEN_MISMATCH and a causeless DIVERGED.
    Bounds(count=1, cap=2, crash=1, camera=1),
    Bounds(count=1, cap=2, silence=2),
]


@pytest.mark.parametrize("bounds", EXHAUSTED, ids=lambda b: str(tuple(b.budgets())) + str(b.count))
def test_safety_and_completion_hold_in_every_reachable_state(bounds: Bounds):
    """S1-S7 on every transition, and from every state a run without faults completes."""
    found = Explorer(bounds).search()
    print(found)
    assert found.exhausted, str(found)
    assert found.wrong == "", str(found)
    assert found.stuck == 0
    assert found.goals > 0


def test_taking_dead_datagrams_out_of_the_network_changes_no_verdict():
    """The one reduction that could hide something: without it nothing is found either."""
    kept = Explorer(Bounds(count=1, cap=1, crash=1, prune=False)).search()
    pruned = Explorer(Bounds(count=1, cap=1, crash=1)).search()
    print(kept, pruned, sep="\n")
    assert (kept.wrong, pruned.wrong) == ("", "")
    assert kept.states > pruned.states


def test_a_bounded_search_says_that_it_is_one():
    """A search that was cut short claims nothing."""
    found = Explorer(Bounds(count=2, cap=2, crash=1)).search(states=200)
    assert not found.exhausted
    assert "NOT exhausted" in str(found)
    assert "hold" not in str(found)


def test_the_command_prints_its_figures(capsys):
    assert main(["--count", "1", "--cap", "1"]) == 0
    assert "S1-S7 and L1 hold" in capsys.readouterr().out
