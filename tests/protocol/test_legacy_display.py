"""Our display drives the original app: loss, copies, lost answers, crashes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import WrongCommand
from rig.protocol.codes import Code
from rig.protocol.journal import JournalCorrupt
from rig.protocol.legacy import BadLegacy


def _load() -> ModuleType:
    path = Path(__file__).with_name("legacy_peers.py")
    spec = importlib.util.spec_from_file_location("legacy_peers_display", path)
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


def test_golden_transcript() -> None:
    """A whole run, byte for byte: one request per photo, nothing else on the wire."""
    bench = peers.DisplayBench().start()
    heard = []
    for _ in range(3):
        (request,) = bench.wait(1).take()
        heard.append(request)
        bench.hear(ok(request))
    assert heard == [
        b"1|1__000000000002__patient00000__study1__view1_frontal.jpg",
        b"2|2__000000000004__patient00001__study1__view1_frontal.jpg",
        b"3|3__000000000006__patient00002__study1__view1_frontal.jpg",
    ]
    assert [r["k"] for r in bench.journal] == ["RUN", *["SENT", "DONE"] * 3, "COMPLETE"]
    assert bench.saw(act.Completed) == [act.Completed(3, b"")]


def test_nothing_is_asked_before_the_screen_has_settled() -> None:
    """Paint, confirmation, settle time, SENT in the journal, then the request."""
    bench = peers.DisplayBench()
    bench.paints = False
    bench.start().wait(5)
    assert not bench.take()
    assert bench.journal[-1]["k"] == "RUN"


def test_the_next_xray_is_not_shown_before_ok(display: Any) -> None:
    """One outstanding request; the image stays."""
    display.wait(100)
    assert display.shows == 1
    display.hear(ok(display.take()[0]))
    assert display.shows == 2


def test_a_lost_request_is_sent_again_with_the_same_number_and_name(display: Any) -> None:
    """After 30 s, not before; and the link is said to be lost."""
    (first,) = display.take()
    display.wait(28)
    assert not display.take()
    display.wait(3)
    assert display.take() == [first]
    assert display.saw(act.PeerLost)
    display.hear(ok(first))
    assert display.saw(act.PeerBack)
    assert display.shows == 2


def test_an_app_that_never_answers_pauses_the_run(display: Any) -> None:
    """A hung camera: after two minutes a person is asked; nothing was decided."""
    display.wait(200)
    (paused,) = display.saw(act.Paused)
    assert paused.code == Code.LINK_LOST
    assert len(display.take()) == 4
    assert [r["k"] for r in display.journal] == ["RUN", "SENT"]


def test_a_mismatch_to_the_first_request_aborts_at_once(display: Any) -> None:
    """Latched, blank, with what to do; a restart stays aborted."""
    display.hear(b"MISMATCH")
    (aborted,) = display.saw(act.Aborted)
    assert (aborted.code, aborted.expected, aborted.by) == (Code.INDEX_MISMATCH, 1, "phone")
    assert display.saw(act.Blank)
    display.take()
    assert not display.wait(500).take()
    again = display.again().wait(500)
    assert again.saw(act.Aborted)[0].abort_id == aborted.abort_id
    assert not again.take()


def test_rearming_asks_again_under_a_new_name(display: Any) -> None:
    """Only with the right id; the nonce is another one."""
    (first,) = display.take()
    display.hear(b"MISMATCH")
    abort_id = display.saw(act.Aborted)[0].abort_id
    with pytest.raises(WrongCommand, match="the abort that is latched is"):
        display.again(rearm=bytes(8))
    again = display.again(rearm=abort_id).wait(1)
    (second,) = again.take()
    assert second.startswith(b"1|1__")
    assert second != first
    assert again.saw(act.Rearmed)
    with pytest.raises(WrongCommand, match="no abort is latched"):
        again.again(rearm=abort_id)


def test_a_mismatch_after_an_unanswered_send_is_ambiguous(display: Any) -> None:
    """Taken and its OK lost, or never taken: pause, whatever happens next."""
    display.wait(31).hear(b"MISMATCH")
    (paused,) = display.saw(act.Paused)
    assert "answer taken" in paused.why
    assert not display.saw(act.Aborted)
    assert len(display.take()) == 2
    again = display.again().wait(500)
    assert again.saw(act.Paused)
    assert not again.take()
    assert again.core.ledger.next_index == 1


def test_a_person_resolves_the_doubt(display: Any) -> None:
    """Taken: claimed as suspect, the next one follows. Missing: asked for again, new name."""
    (first,) = display.take()
    display.wait(31).hear(b"MISMATCH")
    taken = display.again(resolve="taken").wait(1)
    (claimed,) = taken.saw(act.Committed)
    assert claimed.record["by"] == "operator"
    assert claimed.record["sus"]
    assert claimed.name.encode() in first
    assert taken.take()[0].startswith(b"2|2__")
    # The other answer, from the same doubt:
    before = peers.DisplayBench(display.plan, display.journal[: len(display.journal) - 1])
    missing = before.again(resolve="missing").wait(1)
    (second,) = missing.take()
    assert second.startswith(b"1|1__")
    assert second != first


def test_nothing_is_resolved_without_a_doubt(display: Any) -> None:
    """And no latch is resolved away."""
    with pytest.raises(WrongCommand, match="nothing to resolve"):
        peers.DisplayBench().start(resolve="taken")
    display.hear(b"MISMATCH")
    with pytest.raises(WrongCommand, match="re-arm it"):
        display.again(resolve="taken")


def test_an_ok_must_bear_exactly_the_name(display: Any) -> None:
    """A name that nobody asked for (cut by a buffer) is a photo under a wrong label: abort."""
    (request,) = display.take()
    display.hear(ok(request)[:-1])
    (aborted,) = display.saw(act.Aborted)
    assert aborted.code == Code.PROTOCOL
    assert display.core.ledger.next_index == 1


def test_garbage_and_strangers_decide_nothing(display: Any) -> None:
    """Neither OK of another address nor noise from the right one."""
    (request,) = display.take()
    display.hear(ok(request), ("10.0.2.66", 4445)).hear(ok(request), (peers.APP[0], 4446))
    display.hear(b"MISMATCH", ("10.0.2.66", 4445))
    for noise in (b"", b"OK", b"OK|", b"\xff" * 300, b"TIMEOUT", b"XC" + bytes(72)):
        display.hear(noise)
    assert display.core.strays == 9
    assert not display.events[-1:] or not display.saw(act.Aborted)
    assert display.shows == 1
    assert display.hear(ok(request)).shows == 2


def test_a_copy_of_an_ok_does_not_answer_the_next(display: Any) -> None:
    """The network doubled the answer to number 1; number 2 still waits for its own."""
    (first,) = display.take()
    display.hear(ok(first)).wait(1)
    display.take()
    display.hear(ok(first))
    assert display.core.ledger.next_index == 2
    assert not display.saw(act.Aborted)


def test_the_answer_to_a_copy_of_an_answered_request_is_ignored(display: Any) -> None:
    """The app queued both sends: OK for the first, MISMATCH for its copy, also when late."""
    (request,) = display.take()
    display.wait(31)
    assert display.take() == [request]
    display.hear(ok(request)).wait(1)
    (second,) = display.take()
    display.hear(b"MISMATCH")
    assert not display.saw(act.Aborted)
    assert not display.saw(act.Paused)
    display.hear(ok(second))
    assert display.core.ledger.next_index == 3


def test_a_mismatch_that_was_taken_for_a_copys_counts_at_the_next(display: Any) -> None:
    """Ignoring one never hides that the phone counts differently."""
    (request,) = display.take()
    display.wait(31).hear(ok(request)).wait(1)
    display.hear(b"MISMATCH").wait(31)
    display.hear(b"MISMATCH")
    assert display.saw(act.Paused)
    assert display.core.ledger.next_index == 2


def test_a_screen_disturbed_before_the_request_is_painted_again(display: Any) -> None:
    """Nothing was asked, so nothing is suspect; for ever is a pause."""
    display.hear(ok(display.take()[0]))
    display.run(display.core.display_disturbed("a window popped up", display.now))
    display.wait(1)
    display.hear(ok(display.take()[0]))
    assert display.saw(act.Committed)[1].record["sus"] == ""
    for _ in range(3):
        display.run(display.core.display_disturbed("again", display.now))
    assert display.saw(act.Paused)[0].code == Code.DISPLAY_TROUBLE


def test_a_screen_disturbed_during_the_photo_makes_it_suspect(display: Any) -> None:
    """It cannot be taken again: the app has counted on."""
    display.run(display.core.display_disturbed("a window popped up", display.now))
    display.hear(ok(display.take()[0])).wait(1)
    display.surface = b"other"
    display.hear(ok(display.take()[0]))
    assert [e.record["sus"] for e in display.saw(act.Committed)] == [
        "a window popped up",
        "the screen changed while it was taken",
    ]


def test_an_xray_that_cannot_be_shown_pauses() -> None:
    """Nothing is asked for what is not on the screen."""
    bench = peers.DisplayBench()
    bench.paints = False
    bench.start()
    bench.run(bench.core.display_failed("the file is damaged", 0.0))
    assert bench.saw(act.Paused)[0].code == Code.DISPLAY_TROUBLE
    assert not bench.wait(100).take()
    late = peers.DisplayBench()
    late.paints = False
    assert late.start().wait(20).saw(act.Paused)


def test_a_crash_between_request_and_answer_asks_under_a_new_name(display: Any) -> None:
    """An answer to the old name would be about a screen of an earlier life."""
    (first,) = display.take()
    again = display.again().wait(1)
    (second,) = again.take()
    assert first != second
    again.hear(ok(second))
    assert again.core.ledger.next_index == 2


def test_after_a_crash_a_mismatch_is_ambiguous(display: Any) -> None:
    """The earlier life's request may have been served; an OK to its name is no better."""
    (first,) = display.take()
    assert display.again().wait(1).hear(b"MISMATCH").saw(act.Paused)
    late = display.again().wait(1).hear(ok(first))
    assert late.saw(act.Paused)
    assert late.core.ledger.next_index == 1


def test_a_finished_run_stays_finished(display: Any) -> None:
    """Started again it only says so."""
    bench = peers.shoot(peers.DisplayBench().start(), peers.OriginalApp(1))
    again = bench.again().wait(100)
    assert again.saw(act.Completed)
    assert not again.take()
    assert len(again.journal) == len(bench.journal)


def test_names_that_the_app_cannot_take_are_refused_before_the_first_photo() -> None:
    """The plan is refused as a whole, by the index of the x-ray."""
    parts = (("a.jpg",), ("b__c.jpg",), ("d.jpg",))
    with pytest.raises(BadLegacy, match="x-ray 2"):
        peers.subset(parts=parts)


def test_a_journal_of_another_plan_is_refused(display: Any) -> None:
    """And records that cannot follow each other."""
    with pytest.raises(JournalCorrupt, match="another plan"):
        peers.DisplayBench(peers.subset(manifest=b"x" * 32), display.journal)
    for record in (
        {"k": "DONE", "i": 1, "a": 1, "name": "n", "by": "phone", "sus": ""},
        {"k": "SENT", "i": 2, "a": 1, "name": "n"},
        {"k": "COMPLETE", "count": 0},
        {"k": "CLEAR", "id": "00"},
        {"k": "DOUBT", "i": 1, "a": 1},
        {"k": "STORED"},
    ):
        with pytest.raises(JournalCorrupt):
            peers.DisplayBench(display.plan, [display.journal[0], record])
