"""Metadata larger than a datagram, as the display brings it over."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display import DisplayConfig, DisplayCore, Phase
from rig.protocol.metadata import PART_SIZE, Part, encode_part, parse_part
from rig.simulation.virtual import subset_of

M = MessageType


@pytest.fixture
def display(display_bench: Any, large_subset: Any) -> Any:
    """A display, armed, with metadata of 3 parts each."""
    return display_bench(subset=large_subset()).start().connect()


def _acknowledge(bench: Any, offset: int | None = None, **fields: Any) -> Part:
    """Answer the newest META_PART: by the next offset, or by *offset*."""
    d = bench.messages(M.META_PART)[-1]
    part = parse_part(d.payload)
    wanted = part.offset + len(part.data) if offset is None else offset
    ack = Datagram(
        M.META_ACK,
        ack_pn=d.pn,
        digest=part.sha256[:8],
        payload=encode_part(Part(part.sha256, wanted, part.total)),
    )
    bench.tell(replace(ack, **fields))
    return part


def _take_over(bench: Any) -> bytes:
    """Acknowledge until no part follows; the bytes that came over."""
    got = b""
    while (parts := bench.messages(M.META_PART)) and parts[-1].index == parts[0].index:
        part = _acknowledge(bench)
        got += part.data
        if len(got) == part.total:
            return got
    return got


def test_the_metadata_crosses_before_the_capture_that_holds_only_its_digest(display):
    """Sent while the x-ray is painted; CAPTURE then has META_EXT and no payload."""
    meta = display.subset.meta(1)
    assert [parse_part(d.payload).offset for d in display.messages(M.META_PART)] == [0]
    assert _take_over(display) == meta
    display.paint()
    asked = display.asked()
    assert (asked.flags, asked.payload) == (Flag.META_EXT, b"")
    assert asked.digest == hashlib.sha256(meta).digest()[:8]


def test_a_capture_waits_for_its_metadata(display):
    """The x-ray is up and settled; nothing is asked before the phone can know what it is."""
    _acknowledge(display)
    display.paint()
    assert display.core.phase is Phase.CAPTURE
    assert display.messages(M.CAPTURE) == []
    _acknowledge(display)
    assert display.messages(M.CAPTURE) == []
    _acknowledge(display)
    assert len(display.messages(M.CAPTURE)) == 1


def test_a_small_one_goes_inside_the_capture(display_bench: Any, large_subset: Any):
    subset = large_subset()
    mixed = replace(subset, metadata=(subset_of(1).meta(1), *subset.metadata[1:]))
    bench = display_bench(subset=mixed).start().connect()
    assert bench.messages(M.META_PART) == []
    bench.paint()
    assert (bench.asked().flags, bench.asked().payload) == (Flag.NONE, mixed.meta(1))


def test_one_part_at_a_time_repeated_until_it_is_answered(display):
    display.advance(3.0)
    parts = display.messages(M.META_PART)
    assert len(parts) >= 3
    assert {parse_part(d.payload).offset for d in parts} == {0}
    assert len({d.pn for d in parts}) == len(parts)
    _acknowledge(display)
    assert parse_part(display.messages(M.META_PART)[-1].payload).offset == PART_SIZE


def test_a_late_answer_to_an_earlier_transmission_sends_nothing(display):
    """Only a timer sends again, never a second answer to what was answered."""
    display.advance(0.5)
    first, second = display.messages(M.META_PART)[:2]
    part = parse_part(first.payload)
    for d in (first, second, second):
        payload = encode_part(Part(part.sha256, PART_SIZE, part.total))
        display.tell(Datagram(M.META_ACK, ack_pn=d.pn, payload=payload))
    offsets = [parse_part(d.payload).offset for d in display.messages(M.META_PART)]
    assert offsets.count(PART_SIZE) == 1


def test_the_phone_says_where_to_go_on(display):
    """It has the beginning from before, or has lost it: its word counts."""
    _acknowledge(display, 2 * PART_SIZE)
    assert parse_part(display.messages(M.META_PART)[-1].payload).offset == 2 * PART_SIZE
    _acknowledge(display, 0)
    assert parse_part(display.messages(M.META_PART)[-1].payload).offset == 0
    _acknowledge(display, len(display.subset.meta(1)))
    display.paint()
    assert display.asked().index == 1


def test_the_next_one_is_sent_ahead_once_the_capture_is_accepted(display):
    _take_over(display)
    display.paint()
    asked = display.asked()
    display.take()
    display.reply(M.ACCEPTED, asked, code=Code.EXPOSING)
    assert [d.index for d in display.messages(M.META_PART)] == [2]


def test_need_meta_brings_it_again_and_then_asks_the_same_again(display):
    """Same index, attempt, token; the exposure was never accepted."""
    _take_over(display)
    display.paint()
    asked = display.asked()
    display.take()
    display.reply(M.ACCEPTED, asked, code=Code.NEED_META)
    assert display.said_of(act.Accepted) == []
    assert _take_over(display) == display.subset.meta(1)
    again = display.asked()
    assert (again.index, again.attempt, again.token) == (asked.index, asked.attempt, asked.token)
    display.take()
    display.reply(M.ACCEPTED, asked, code=Code.NEED_META)
    assert display.messages() == []


def test_need_meta_for_metadata_that_was_inside_changes_nothing(display_bench: Any):
    bench = display_bench().start().connect()
    bench.paint()
    asked = bench.asked()
    bench.reply(M.ACCEPTED, asked, code=Code.NEED_META)
    assert bench.messages(M.META_PART) == []
    bench.captured()
    bench.check()
    assert bench.core.ledger.next_index == 2


def test_a_phone_that_takes_no_such_size_pauses_the_run_and_resume_tries_again(display):
    display.paint()
    _acknowledge(display, 0, code=Code.META_TOO_BIG)
    assert display.core.paused.code == Code.META_TOO_BIG
    assert "x-ray 1" in display.core.paused.why
    display.take()
    display.advance(10.0)
    assert display.messages(M.META_PART, M.CAPTURE) == []
    display.feed(display.core.operator("resume", display.now))
    assert _take_over(display) == display.subset.meta(1)
    assert len(display.messages(M.CAPTURE)) == 1


def test_a_pause_sends_no_parts_and_resume_goes_on(display):
    """The link was lost in mid-transfer: paused, then the part that was under way again."""
    _acknowledge(display)
    display.paint()
    display.advance(121.0)
    assert display.core.paused.code == Code.LINK_LOST
    display.take()
    display.advance(30.0)
    assert display.messages(M.META_PART) == []
    display.feed(display.core.operator("resume", display.now))
    assert [parse_part(d.payload).offset for d in display.messages(M.META_PART)] == [PART_SIZE]


def test_an_abort_ends_the_transfer(display):
    display.feed(display.core.operator("abort", display.now))
    display.take()
    display.advance(10.0)
    assert display.messages(M.META_PART) == []


@pytest.mark.parametrize("payload", [b"", b"x" * 41, encode_part(Part(bytes(32), 1, 3080))])
def test_an_answer_to_something_else_changes_nothing_or_aborts(display, payload: bytes):
    part = display.messages(M.META_PART)[-1]
    display.tell(Datagram(M.META_ACK, ack_pn=part.pn, payload=payload))
    latch = display.core.ledger.latch
    assert latch is None or latch.code == Code.PROTOCOL
    assert len(display.messages(M.META_PART)) == 1


def test_too_much_metadata_is_refused_before_the_run_begins(psk: bytes):
    """META_TOO_BIG at plan load; the agent refuses such a plan with a sentence of its own."""
    cfg = DisplayConfig(replace(subset_of(2), metadata=(b"{}", b"x" * 65537)))
    with pytest.raises(LocalProtocolError, match=r"META_TOO_BIG: x-ray 2"):
        DisplayCore(cfg, (), psk, random.Random(0).randbytes)
