"""Every reachable state of small worlds around the real cores, with its figures printed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rig.protocol.display import DisplayCore, Phase
from rig.simulation import explore_table
from rig.simulation.explore import Bounds, Explorer, Found, main
from rig.simulation.explore_table import SUITE

pytestmark = pytest.mark.no_cover  # millions of steps: tracing them would double the time


def _name(bounds: Bounds) -> str:
    faults = [f"{n}{v}" for n, v in bounds.budgets()._asdict().items() if v]
    extra = [f"queue{bounds.queue}"] * bool(bounds.queue) + ["large"] * bounds.large
    return "-".join([f"N{bounds.count}", f"cap{bounds.cap}", *faults, *extra])


@pytest.mark.parametrize("bounds", SUITE, ids=_name)
def test_safety_and_completion_hold_in_every_reachable_state(bounds: Bounds):
    """S1-S7 on every transition, and from every state a run without faults completes."""
    found = Explorer(bounds).search()
    print(found)
    assert found.exhausted, str(found)
    assert found.wrong == "", str(found)
    assert found.stuck == 0
    assert found.goals > 0


_REDUCED = [
    Bounds(count=2, cap=1, crash=1),
    Bounds(count=2, cap=1, camera=1, glitch=1),
    Bounds(count=1, cap=1, wrong=1),
    Bounds(count=2, cap=1, stop=1),
]


@pytest.mark.parametrize("bounds", _REDUCED, ids=_name)
@pytest.mark.parametrize("off", ["brief", "prune"])
def test_a_reduction_visits_the_same_states_as_the_search_without_it(bounds: Bounds, off: str):
    """Both searches agree on every state, once states are told apart as the reduced one does.

    Forgetting how committed photos came about, and taking dead datagrams out of the network, could
    each hide something: then the full search would come to a state that the reduced one lacks.
    """
    reduced = Explorer(bounds)
    full = Explorer(replace(bounds, **{off: False}), beside=reduced)
    few, many = reduced.search(), full.search()
    print(few, many, sep="\n")
    assert (few.exhausted, many.exhausted) == (True, True)
    assert (few.wrong, many.wrong) == ("", "")
    assert reduced.states == full.states
    assert many.states > few.states


class _Counting(DisplayCore):
    """Counts the inputs that waited for the journal."""

    waited = 0

    def journal_written(self, ticket: int, now: float) -> Any:
        _Counting.waited += len(self._waiting)
        return super().journal_written(ticket, now)


class _Ends(Explorer):
    """Notes with how many decided photos the display comes to its end."""

    def _expand(self, at: int, world: Any, later: Any, found: Found) -> None:
        core = world.display.core
        if core is not None and core.phase is Phase.COMPLETE:
            self.counts = getattr(self, "counts", set()) | {len(core.ledger.done)}
        super()._expand(at, world, later, found)


def test_a_stopped_subset_ends_with_as_many_photos_as_were_decided():
    """With none, with some, or with all; without a stop only with all."""
    stopped, whole = _Ends(Bounds(count=2, cap=1, stop=1)), _Ends(Bounds(count=2, cap=1))
    assert (stopped.search().wrong, whole.search().wrong) == ("", "")
    assert (stopped.counts, whole.counts) == ({0, 1, 2}, {2})


def test_inputs_do_wait_for_the_journal_where_they_may():
    """Where a journal write takes time, other inputs arrive during it."""
    alone = Explorer(Bounds(count=1, cap=2), _Counting).search()
    assert _Counting.waited == 0
    queued = Explorer(Bounds(count=1, cap=2, queue=1), _Counting).search()
    assert _Counting.waited > 0
    assert (alone.wrong, queued.wrong) == ("", "")


def test_a_bounded_search_says_that_it_is_one():
    """A search that was cut short claims nothing."""
    found = Explorer(Bounds(count=2, cap=2, crash=1)).search(states=200)
    assert not found.exhausted
    assert "NOT exhausted" in str(found)
    assert "hold" not in str(found)


def test_the_command_prints_its_figures(capsys):
    assert main(["--count", "1", "--cap", "1"]) == 0
    assert "S1-S7 and L1 hold" in capsys.readouterr().out


def test_the_command_searches_every_configuration_and_prints_a_table(capsys, monkeypatch):
    """The table of the documentation can be made again; a search cut short is told apart."""
    monkeypatch.setattr(explore_table, "SUITE", (Bounds(count=1, cap=1),))
    monkeypatch.setattr(explore_table, "LARGER", (Bounds(count=3, cap=2, large=True),))
    assert main(["--all", "--states", "300"]) == 0
    heading, _, small, large = capsys.readouterr().out.splitlines()
    assert heading.count("|") == small.count("|") == large.count("|")
    assert "| yes | hold | 0 |" in small
    assert "| 3 | 2 | large metadata |" in large
    assert "| no | nothing found |" in large


def test_a_finding_is_shown_in_the_table():
    """And never hidden behind the word for a search that was cut short."""
    found = Found(Bounds(), wrong="S1 twice", trace=["x"])
    assert "| no | S1 twice |" in explore_table.row(found)
