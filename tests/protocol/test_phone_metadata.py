"""Metadata larger than a datagram, as the phone takes it in."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.metadata import PART_SIZE, Part, cut, encode_part, parse_part
from rig.protocol.names import decode_name

M = MessageType


@pytest.fixture
def phone(phone_bench: Any, large_subset: Any) -> Any:
    """An armed phone whose subset has metadata of 3 parts each."""
    return phone_bench(subset=large_subset()).start().connect()


def _part(bench: Any, index: int, offset: int, **fields: Any) -> Part:
    """META_PART for *index* from *offset*; returns what the META_ACK says."""
    bench.take()
    payload = encode_part(cut(bench.subset.meta(index), offset))
    bench.tell(replace(Datagram(M.META_PART, index=index, payload=payload), **fields))
    return parse_part(bench.messages(M.META_ACK)[-1].payload)


def _bring(bench: Any, index: int) -> None:
    wanted = Part(b"", 0, 1)
    while wanted.offset < wanted.total:
        wanted = _part(bench, index, wanted.offset)


def _ask(bench: Any, index: int, attempt: int = 1, **fields: Any) -> None:
    """CAPTURE with nothing but the digest."""
    digest = hashlib.sha256(bench.subset.meta(index)).digest()[:8]
    values = {"payload": b"", "digest": digest, "flags": Flag.META_EXT, **fields}
    bench.capture(index, attempt, **values)


def test_a_capture_without_its_metadata_is_answered_need_meta_and_nothing_is_written(phone):
    """NEED_META in ACCEPTED: no INTENT, no shutter, no attempt burnt; the same CAPTURE works."""
    before = list(phone.journal)
    phone.take()
    _ask(phone, 1)
    assert [d.code for d in phone.messages(M.ACCEPTED)] == [Code.NEED_META]
    assert phone.said_of(act.TriggerCamera) == []
    assert phone.journal == before
    _bring(phone, 1)
    _ask(phone, 1)
    assert [d.code for d in phone.messages(M.ACCEPTED)] == [Code.EXPOSING]
    assert phone.kinds()[-1] == "INTENT"


def test_half_of_it_is_not_enough(phone):
    assert _part(phone, 1, 0).offset == PART_SIZE
    _ask(phone, 1)
    assert phone.messages(M.ACCEPTED)[-1].code == Code.NEED_META
    assert "INTENT" not in phone.kinds()


def test_every_part_is_answered_by_the_next_offset_wanted(phone):
    """A duplicate, one too early, and one of what is whole: the answer says what is wanted."""
    total = len(phone.subset.meta(1))
    assert _part(phone, 1, 2 * PART_SIZE).offset == 0
    assert _part(phone, 1, 0) == Part(hashlib.sha256(phone.subset.meta(1)).digest(), 1024, total)
    assert _part(phone, 1, 0).offset == PART_SIZE
    assert _part(phone, 1, PART_SIZE).offset == 2 * PART_SIZE
    assert _part(phone, 1, 2 * PART_SIZE).offset == total
    assert _part(phone, 1, PART_SIZE).offset == total
    assert phone.kinds() == ["BOOT", "RUN", "ARM"]


def test_the_answer_names_the_part_it_answers(phone):
    phone.take()
    data = phone.tell(Datagram(M.META_PART, payload=encode_part(cut(b"x" * 2000, 0))))
    ack = phone.messages(M.META_ACK)[0]
    assert ack.ack_pn == phone.tap.read(data).pn
    assert ack.digest == hashlib.sha256(b"x" * 2000).digest()[:8]


def test_the_sidecar_holds_the_whole_metadata_and_the_name_its_hash(phone):
    _bring(phone, 1)
    _ask(phone, 1)
    ticket = phone.said_of(act.TriggerCamera)[-1].ticket
    phone.feed(phone.core.camera_result(ticket, phone.photo(), 0.0))
    store = phone.said_of(act.StorePhoto)[0]
    meta = phone.subset.meta(1)
    assert store.sidecar == meta
    assert decode_name(store.final).meta16 == hashlib.sha256(meta).hexdigest()[:16]
    intent = next(r for r in phone.journal if r["k"] == "INTENT")
    assert intent["meta"] == hashlib.sha256(meta).hexdigest()


def test_what_is_sent_ahead_is_there_when_it_is_asked_for(phone):
    """Prefetched while the exposure before it runs, camera busy or not."""
    _bring(phone, 1)
    _ask(phone, 1)
    ticket = phone.said_of(act.TriggerCamera)[-1].ticket
    _bring(phone, 2)
    photo = phone.photo()
    phone.feed(phone.core.camera_result(ticket, photo, 0.0))
    phone.feed(phone.core.photo_stored(ticket, None, 0.0))
    phone.photo_sha[1, 1] = photo.sha256
    phone.decide(1)
    _ask(phone, 2)
    assert phone.kinds()[-2:] == ["COMMIT", "INTENT"]


def test_need_meta_commits_nothing_of_the_photo_before(phone):
    """The decision comes with the CAPTURE that is accepted, not with one that is sent back."""
    _bring(phone, 1)
    _ask(phone, 1)
    ticket = phone.said_of(act.TriggerCamera)[-1].ticket
    photo = phone.photo()
    phone.feed(phone.core.camera_result(ticket, photo, 0.0))
    phone.feed(phone.core.photo_stored(ticket, None, 0.0))
    phone.photo_sha[1, 1] = photo.sha256
    phone.decide(1)
    _ask(phone, 2)
    assert phone.messages(M.ACCEPTED)[-1].code == Code.NEED_META
    assert phone.core.ledger.current.doubtful is not None
    assert phone.core.ledger.current.committed == 0


def test_a_repeated_capture_is_answered_without_its_metadata(phone_bench: Any, phone):
    """(i,a) journalled: the stored answer, also when a restart has emptied the shelf."""
    _bring(phone, 1)
    _ask(phone, 1)
    ticket = phone.said_of(act.TriggerCamera)[-1].ticket
    phone.feed(phone.core.camera_result(ticket, phone.photo(), 0.0))
    phone.feed(phone.core.photo_stored(ticket, None, 0.0))
    phone.core._shelf._pieces.clear()
    phone.core._shelf._whole.clear()
    phone.take()
    _ask(phone, 1)
    assert [d.type for d in phone.messages()] == [M.CAPTURED]


def test_a_restarted_phone_asks_for_it_again(phone):
    _bring(phone, 1)
    after = phone.restart()
    after.hello()
    after.arm()
    after.take()
    _ask(after, 1)
    assert after.messages(M.ACCEPTED)[0].code == Code.NEED_META
    _bring(after, 1)
    _ask(after, 1)
    assert after.messages(M.ACCEPTED)[-1].code == Code.EXPOSING


def test_contradictions_come_before_need_meta(phone):
    """A wrong index aborts whether the metadata is there or not."""
    _ask(phone, 3)
    assert phone.messages(M.ABORT)[0].code == Code.INDEX_MISMATCH


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        ({"payload": b"{}"}, None),
        ({}, b"[1, 2]"),
        ({}, b'{"key": {"nested": 1}}'),
        ({}, b"\xff" * 2000),
    ],
)
def test_metadata_that_is_no_flat_json_aborts(phone, fields: dict[str, Any], metadata):
    """Inside a CAPTURE that says otherwise, or put together from parts."""
    if metadata is not None:
        fields["digest"] = hashlib.sha256(metadata).digest()[:8]
        for at in range(0, len(metadata), PART_SIZE):
            phone.tell(Datagram(M.META_PART, payload=encode_part(cut(metadata, at))))
    _ask(phone, 1, **fields)
    assert phone.messages(M.ABORT)[0].code == Code.PROTOCOL
    assert "INTENT" not in phone.kinds()


def test_a_part_too_many_is_refused_on_the_wire(phone):
    phone.take()
    phone.tell(Datagram(M.META_PART, payload=encode_part(Part(bytes(32), 0, 65537, b"x"))))
    assert [d.code for d in phone.messages(M.META_ACK)] == [Code.META_TOO_BIG]
    assert phone.core.ledger.latch is None


def test_an_aborted_phone_takes_no_parts(phone):
    _ask(phone, 3)
    phone.take()
    phone.tell(Datagram(M.META_PART, payload=encode_part(cut(b"x" * 2000, 0))))
    assert [d.type for d in phone.messages()] == [M.ABORT]
