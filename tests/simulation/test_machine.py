"""Hypothesis plays the world: it delivers, drops, repeats, damages, waits, crashes, aborts.

Every failure, of hand-played steps as of a whole night, is told as the `rig simulate` command that
plays it again.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rig.cli import build_parser, main
from rig.commands.simulate import _night, replay
from rig.commands.simulate_script import replay as replay_script
from rig.protocol.display import DisplayCore
from rig.simulation.books import Books
from rig.simulation.by_hand import ByHand
from rig.simulation.night import simulate
from rig.simulation.script import AGENTS, CAMERAS, COMMANDS, DISKS, Step, Value, step

COUNT = 3


class World(RuleBasedStateMachine):
    """Everything that may happen to three x-rays."""

    @initialize(seed=st.integers(0, 2**16), tenths=st.integers(0, 30))
    def start(self, seed: int, tenths: int) -> None:
        """A good beginning of up to 3 s, somewhere in the second or third photo."""
        self.seed = seed
        self.steps: list[Step] = []
        self.rig = ByHand(COUNT, seed)
        self.do("good", tenths / 10)

    def do(self, verb: str, *values: Value) -> None:
        self.steps.append(step(verb, *values))
        self.rig.play(self.steps[-1])
        self.well(self.rig.watch.problems)

    def well(self, problems: list[str]) -> None:
        """A failure is a command line that anybody can play again."""
        again = replay_script(COUNT, self.seed, self.steps)
        assert not problems, f"{problems[:3]}; replay: {again}"

    # -- the network -------------------------------------------------------------------------------

    @rule(many=st.integers(1, 8))
    def deliver(self, many: int) -> None:
        self.do("deliver", many)

    @rule(seconds=st.sampled_from((0.05, 0.4, 2.0, 6.0)))
    def good_network(self, seconds: float) -> None:
        self.do("good", seconds)

    @precondition(lambda self: self.rig.flying)
    @rule(how=st.sampled_from(("overtake", "duplicate")), at=st.integers(0, 39))
    def disorder(self, how: str, at: int) -> None:
        self.do(how, at)

    @precondition(lambda self: self.rig.flying)
    @rule(at=st.integers(0, 39), seed=st.integers(0, 2**16))
    def corrupt(self, at: int, seed: int) -> None:
        self.do("corrupt", at, seed)

    @rule(all_of_them=st.booleans())
    def drop(self, all_of_them: bool) -> None:
        self.do("drop", 40 if all_of_them else 1)

    @precondition(lambda self: self.rig.display is not None and self.rig.display._armed)
    @rule()
    def roam(self) -> None:
        self.do("roam")

    # -- time, crashes, devices, people ------------------------------------------------------------

    @rule(seconds=st.sampled_from((0.0002, 0.004, 0.02, 0.2, 1.1, 9.0, 130.0)))
    def advance(self, seconds: float) -> None:
        self.do("advance", seconds)

    @rule(
        who=st.sampled_from(AGENTS),
        flags=st.sampled_from(((), ("torn",), ("power",), ("torn", "power"))),
        back=st.sampled_from((0.0, 0.0, 0.4, 20.0)),
    )
    def crash(self, who: str, flags: tuple[str, ...], back: float) -> None:
        self.do("crash", who, back, *flags)

    @rule(who=st.sampled_from(AGENTS), steps=st.integers(0, 20))
    def doom(self, who: str, steps: int) -> None:
        self.do("doom", who, steps)

    @rule(who=st.sampled_from(AGENTS))
    def start_again(self, who: str) -> None:
        self.do("start", who)

    @rule(how=st.sampled_from(tuple(CAMERAS)))
    def camera(self, how: str) -> None:
        self.do("camera", how)

    @rule(chance=st.sampled_from((0.0, 0.5)))
    def disturb(self, chance: float) -> None:
        self.do("disturb", chance)

    @rule(disk=st.sampled_from(DISKS))
    def fill(self, disk: str) -> None:
        self.do("fill", disk)

    @rule()
    def make_room(self) -> None:
        self.do("room")

    @rule(command=st.sampled_from(COMMANDS))
    def person(self, command: str) -> None:
        self.do(command)

    def teardown(self) -> None:
        """From wherever it is, a good world brings it to its end (liveness), with good books."""
        if not hasattr(self, "rig") or self.rig.watch.problems:
            return
        outcome = self.rig.finish()
        self.well(outcome.problems)
        assert _plain(outcome.books) == Books(committed=COUNT)


def _plain(books: Books) -> Books:
    return Books(
        books.committed, books.skipped, books.duplicated, books.mislabelled, damaged=books.damaged
    )


def _play(examples: int, **more: Any) -> None:
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def test_whatever_hypothesis_does_to_it_three_x_rays_get_three_photos():
    _play(300)


class Forgetful(DisplayCore):
    """A decision is told before it is durable, and never written."""

    def _append(self, records: Any, then: Any) -> None:
        super()._append([r for r in records if r["k"] != "DONE"], then)


def test_a_failure_prints_the_command_that_fails_in_the_same_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Found by the machine, played again by the command; a sound core plays the same steps well."""
    monkeypatch.setattr("rig.simulation.virtual.DisplayCore", Forgetful)
    with pytest.raises(AssertionError) as found:
        _play(200, derandomize=True, phases=(Phase.generate,), report_multiple_bugs=False)
    _, problem, command = re.split(
        r"\['|'.*\]; replay: ", str(found.value).splitlines()[0], maxsplit=2
    )
    words = shlex.split(command)
    assert words[:2] == ["rig", "simulate"]
    capsys.readouterr()
    assert main(words[1:]) == 1
    assert f"not well: {problem}\n" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(words[1:]) == 0


def _words(draw: st.DataObject) -> list[str]:
    chance = st.sampled_from((0.0, 0.05, 0.3))
    words = ["simulate", "--captures", str(draw.draw(st.integers(1, 12), "captures"))]
    words += ["--seed", str(draw.draw(st.integers(0, 2**32), "seed"))]
    for option in ("loss", "duplicate", "reorder", "corrupt", "camera-faults", "screen-faults"):
        words += [f"--{option}", str(draw.draw(chance, option))]
    for option, most in (("crashes", 15), ("disk-faults", 3)):
        words += [f"--{option}", str(draw.draw(st.integers(0, most), option))]
    words += ["--delay-ms", str(draw.draw(st.sampled_from((0, 2, 150)), "delay"))]
    return [*words, "--subset-size", str(draw.draw(st.sampled_from((1, 4, 500)), "subset"))]


@settings(max_examples=60, deadline=None, database=None)
@given(st.data())
def test_whatever_the_options_a_night_ends_well(data: st.DataObject):
    """A failure is a command line that anybody can play again."""
    args: argparse.Namespace = build_parser("simulate").parse_args(_words(data))
    problems = simulate(_night(args)).problems
    assert not problems, f"{problems[:3]}; replay: {replay(args)}"
