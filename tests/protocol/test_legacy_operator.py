"""What a person may command in a legacy run, and the sentence for everything else."""

from __future__ import annotations

import contextlib
import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import WrongCommand
from rig.protocol.codes import Code
from rig.protocol.legacy_display import LegacyPhase


def _load() -> ModuleType:
    path = Path(__file__).with_name("legacy_peers.py")
    spec = importlib.util.spec_from_file_location("legacy_peers_operator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load()


@pytest.fixture
def display() -> Any:
    """Started and waiting for the answer about number 1 of 3."""
    return peers.DisplayBench().start().wait(1)


def ok(request: bytes) -> bytes:
    return b"OK|" + request.split(b"|", 1)[1]


def command(bench: Any, word: str, **more: Any) -> Any:
    bench.run(bench.core.operator(word, bench.now, **more))
    return bench


def in_doubt(bench: Any) -> Any:
    """Number 1 was asked twice, then the app says MISMATCH."""
    return bench.wait(31).hear(b"MISMATCH")


def test_a_pause_waits_for_the_photo_in_flight(display: Any) -> None:
    """The app has counted on already: stopping earlier would only make a doubt."""
    (request,) = display.take()
    command(display, "pause")
    assert display.core.pausing
    assert not display.saw(act.Paused)
    display.hear(ok(request)).wait(5)
    assert display.saw(act.Paused) == [act.Paused(Code.OPERATOR_PAUSE, "the operator paused")]
    assert not display.take()
    assert display.core.ledger.next_index == 2


def test_a_pause_before_the_request_asks_nothing() -> None:
    """While the screen settles nothing is on its way, so it stops at once."""
    bench = peers.DisplayBench().start()
    command(bench, "pause").wait(100)
    assert bench.saw(act.Paused)
    assert not bench.take()
    command(bench, "resume").wait(1)
    assert bench.saw(act.Resumed)
    assert len(bench.take()) == 1


def test_a_pause_can_be_taken_back(display: Any) -> None:
    """Before it has happened."""
    (request,) = display.take()
    command(display, "pause")
    command(display, "resume")
    assert display.saw(act.Resumed)
    display.hear(ok(request)).wait(1)
    assert not display.saw(act.Paused)
    assert display.take()


def test_after_the_last_photo_a_pause_is_completion() -> None:
    """There is nothing left to go on with."""
    bench = peers.DisplayBench(peers.subset(1)).start().wait(1)
    command(bench, "pause")
    bench.hear(ok(bench.take()[0]))
    assert bench.saw(act.Completed)
    assert not bench.saw(act.Paused)


def test_resume_after_a_lost_link_asks_under_a_new_name(display: Any) -> None:
    """The old request may still be served, so MISMATCH is ambiguous and a late OK decides nothing.

    As after a restart: both end in doubt, never in a claim.
    """
    first = display.take()[0]
    display.wait(200)
    assert display.saw(act.Paused)[0].code == Code.LINK_LOST
    display.take()
    command(display, "resume").wait(1)
    (second,) = display.take()
    assert second != first
    display.hear(ok(first))
    assert display.core.ledger.doubt
    assert display.core.ledger.next_index == 1


@pytest.mark.parametrize(("answer", "next_index"), [("taken", 2), ("missing", 1)])
def test_a_doubt_is_resolved_without_a_restart(display: Any, answer: str, next_index: int) -> None:
    """The person's answer goes on at once; `taken` makes a suspect claim by the operator."""
    in_doubt(display)
    display.take()
    command(display, "resolve", answer=answer).wait(1)
    assert display.saw(act.Resumed)
    (request,) = display.take()
    assert request.startswith(b"%d|" % next_index)
    claims = [event.record["by"] for event in display.saw(act.Committed)]
    assert claims == (["operator"] if answer == "taken" else [])
    assert display.again().core.ledger.next_index == next_index


def test_the_last_doubt_resolved_as_taken_completes() -> None:
    """And says that it went on before it says that it is over."""
    bench = in_doubt(peers.DisplayBench(peers.subset(1)).start().wait(1))
    command(bench, "resolve", answer="taken")
    assert bench.saw(act.Completed)
    kinds = [type(event) for event in bench.events]
    assert kinds.index(act.Resumed) < kinds.index(act.Completed)


def test_a_doubt_is_not_resumed_away(display: Any) -> None:
    """Only an answer goes on; asking to pause says the doubt again."""
    in_doubt(display)
    with pytest.raises(WrongCommand, match="answer taken or missing"):
        command(display, "resume")
    command(display, "pause")
    assert "answer taken" in display.saw(act.Paused)[-1].why


def test_an_abort_latches_and_only_its_id_clears_it(display: Any) -> None:
    """What was open counts as missing then: who re-arms has set the app's number."""
    command(display, "abort")
    (aborted,) = display.saw(act.Aborted)
    assert (aborted.code, aborted.by) == (Code.OPERATOR, "display")
    assert display.saw(act.Blank)
    display.take()
    assert not display.wait(500).take()
    for word in ("pause", "resume", "abort", "resolve"):
        with pytest.raises(WrongCommand, match="changes nothing"):
            command(display, word, answer="taken")
    with pytest.raises(WrongCommand, match="the abort that is latched is"):
        command(display, "rearm", abort_id=bytes(8))
    command(display, "rearm", abort_id=aborted.abort_id).wait(1)
    assert display.saw(act.Rearmed) == [act.Rearmed(aborted.abort_id)]
    assert "LOST" in [record["k"] for record in display.journal]
    assert display.take()[0].startswith(b"1|")


def test_a_late_ok_after_an_abort_decides_nothing(display: Any) -> None:
    """The abort stands, whatever the app thinks."""
    (request,) = display.take()
    command(display, "abort")
    display.hear(ok(request))
    assert display.core.ledger.next_index == 1
    assert display.core.phase is LegacyPhase.ABORTED


def test_a_rearm_may_bring_the_answer(display: Any) -> None:
    """The photo of the aborted request was taken after all."""
    command(display, "abort")
    abort_id = display.saw(act.Aborted)[0].abort_id
    command(display, "rearm", abort_id=abort_id, answer="taken").wait(1)
    assert display.core.ledger.done[0].by == "operator"
    assert display.take()[-1].startswith(b"2|")


def test_what_makes_no_sense_is_refused() -> None:
    """Each with its sentence, and nothing of it in the journal."""
    fresh = peers.DisplayBench()
    for word in ("pause", "resume", "resolve"):
        with pytest.raises(WrongCommand, match="has not been started"):
            command(fresh, word, answer="taken")
    running = peers.DisplayBench().start().wait(1)
    before = list(running.journal)
    with pytest.raises(WrongCommand, match="not paused"):
        command(running, "resume")
    with pytest.raises(WrongCommand, match="nothing to resolve"):
        command(running, "resolve", answer="taken")
    with pytest.raises(WrongCommand, match="no abort is latched"):
        command(running, "rearm", abort_id=bytes(8))
    with pytest.raises(WrongCommand, match="either taken or missing"):
        command(running, "resolve", answer="perhaps")
    assert running.journal == before
    done = peers.DisplayBench(peers.subset(1)).start().wait(1)
    done.hear(ok(done.take()[0]))
    with pytest.raises(WrongCommand, match="the session is complete"):
        command(done, "abort")


@pytest.mark.parametrize("seed", range(40))
def test_commands_at_any_moment_never_claim_what_was_not_taken(seed: int) -> None:
    """One life, a bad network, a person who pauses, aborts and resolves: every claim was taken.

    Answers in doubt are given by the app's own log, as the sentence asks.
    """
    rng = random.Random(seed)
    bench = peers.DisplayBench(peers.subset(6))
    app = peers.OriginalApp(1, look=lambda: bench.shows)
    bench.start()
    air: list[tuple[str, bytes]] = []
    for _ in range(4000):
        bench.wait(rng.choice([0.5, 2, 9]))
        air += [("app", r) for r in bench.take() for _ in range(rng.choice([0, 1, 1, 1, 2]))]
        if air and rng.random() < 0.8:
            to, data = air.pop(0)
            app.receive(data, None) if to == "app" else bench.hear(data)
        if app.exposing and rng.random() < 0.5:
            app.photo_done()
        air += [("d", d) for d, _ in app.take_sent() if rng.random() < 0.8]
        if bench.core.phase is LegacyPhase.COMPLETE:
            break
        if rng.random() < 0.02:
            with contextlib.suppress(WrongCommand):
                command(bench, rng.choice(["pause", "resume", "abort"]))
        if bench.core.phase in (LegacyPhase.PAUSED, LegacyPhase.ABORTED):
            _as_the_log_says(bench, app, air)
    assert bench.core.phase is LegacyPhase.COMPLETE
    for done in bench.core.ledger.done:
        asked = [name for name in bench.core.ledger.names[done.index] if name in app.files]
        assert asked, f"seed {seed}: number {done.index} was claimed and never taken"
        if done.by == "phone":
            assert app.files[done.name] == done.index, f"seed {seed}: mislabelled"


def _as_the_log_says(bench: Any, app: Any, air: list[tuple[str, bytes]]) -> None:
    """A person stops the app's server, reads its log, sets its number and answers."""
    while app.exposing:
        app.photo_done()
    app.take_sent()
    air.clear()
    ledger = bench.core.ledger
    names = ledger.names.get(ledger.next_index, [])
    taken = ledger.open is not None and any(name in app.files for name in names)
    app.stop_and_start(ledger.next_index + taken)
    app._permits = 0
    answer = ("taken" if taken else "missing") if ledger.open else None
    if ledger.latch is not None:
        command(bench, "rearm", abort_id=ledger.latch.abort_id, answer=answer)
    elif answer is not None:
        command(bench, "resolve", answer=answer)
    else:
        command(bench, "resume")
