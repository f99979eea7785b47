"""The final audit: sound folders pass, and every single lie is found and named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.audit import AuditReport, audit_display, audit_phone, read_journal
from rig.protocol.codes import MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display_ledger import done_record
from rig.protocol.journal import JournalCorrupt, Record, encode_record
from rig.protocol.names import decode_name, encode_name, sidecar_name


@dataclass
class Shot:
    """A phone's folder after a subset, and what the display wrote of it."""

    folder: Path
    phone: Any
    records: list[Record]
    names: list[str]

    def photo(self, index: int) -> Path:
        return self.folder / "photos" / self.names[index - 1]

    def sidecar(self, index: int) -> Path:
        return self.folder / "photos" / sidecar_name(self.names[index - 1])

    def write(self) -> None:
        (self.folder / "journal").write_bytes(b"".join(map(encode_record, self.phone.journal)))

    def audit(self) -> AuditReport:
        self.write()
        return audit_phone(self.folder)


def _expose(bench: Any, folder: Path, index: int, content: bytes) -> Record:
    """One exposure with real files; the display's DONE record of it."""
    bench.capture(index)
    ticket = bench.said_of(act.TriggerCamera)[-1].ticket
    photo = act.Photo(hashlib.sha256(content).digest(), len(content), 4, 3, 1, 2)
    bench.feed(bench.core.camera_result(ticket, photo, 0.0))
    store = bench.said_of(act.StorePhoto)[-1]
    (folder / store.final).write_bytes(content)
    (folder / sidecar_name(store.final)).write_bytes(store.sidecar)
    bench.feed(bench.core.photo_stored(ticket, None, 0.0))
    bench.photo_sha[index, 1] = photo.sha256
    result = {
        "sha256": photo.sha256.hex(), "size": photo.size, "w": 4, "h": 3,
        "t_trigger": "1", "t_done": "2",
    }  # fmt: skip
    return done_record(bench.subset, index, 1, result)


@pytest.fixture
def shot(tmp_path: Path, phone_bench: Any, large_subset: Any) -> Shot:
    """Four x-rays shot, decided and finished; metadata of several datagrams."""
    (tmp_path / "photos").mkdir()
    bench = phone_bench(subset=large_subset(4, 10)).start().connect()
    s = bench.subset
    records: list[Record] = [{
        "k": "RUN", "camp": s.campaign.hex(), "sub": s.subset, "first": s.first, "last": s.last,
        "man": s.manifest.hex(), "ses": s.session,
    }]  # fmt: skip
    for index in range(1, 5):
        records.append(_expose(bench, tmp_path / "photos", index, b"photo %d" % index * 99))
        bench.decide(index)
    finish = Datagram(MessageType.FINISH, subset=1, index=4, chain=bench.chain[:8])
    bench.tell(finish)
    records.append({"k": "COMPLETE", "count": 4, "chain": bench.chain.hex()})
    return Shot(tmp_path, bench, records, [str(r["name"]) for r in records[1:5]])


def _whys(report: AuditReport) -> list[str]:
    return [f.why for f in report.findings]


# -- sound -----------------------------------------------------------------------------------------


def test_a_sound_folder_is_sound_and_every_file_was_hashed(shot: Shot):
    report = shot.audit()
    assert report.sound
    assert report.findings == ()
    assert report.hashed == 8
    run = report.runs[0]
    assert (run.subset, run.decided, run.finished) == (1, 4, True)
    assert run.chain == shot.phone.chain.hex()
    assert report.text().endswith("8 files hashed: sound")


def test_both_sides_books_give_the_same_chain(shot: Shot):
    shot.write()
    display = audit_display(shot.records, shot.folder)
    assert display.sound
    assert display.hashed == 8
    assert display.runs == audit_phone(shot.folder).runs


def test_a_flat_folder_of_photos_will_do(shot: Shot):
    assert audit_display(shot.records, shot.folder / "photos").sound


def test_a_display_s_journal_alone_can_be_audited(shot: Shot):
    report = audit_display(shot.records)
    assert report.sound
    assert report.hashed == 0
    assert report.runs[0].finished


def test_the_report_is_plain_json(shot: Shot):
    told = json.loads(json.dumps(shot.audit().as_json()))
    assert told["sound"] is True
    assert told["runs"][0]["decided"] == 4


def test_an_audit_changes_nothing(shot: Shot):
    shot.write()
    with (shot.folder / "journal").open("ab") as journal:
        journal.write(b"torn")
    before = {p: p.read_bytes() for p in shot.folder.rglob("*") if p.is_file()}
    assert audit_phone(shot.folder).sound
    assert {p: p.read_bytes() for p in shot.folder.rglob("*") if p.is_file()} == before


def test_hidden_files_are_nobody_s_business(shot: Shot):
    (shot.folder / "photos" / ".nomedia").touch()
    assert shot.audit().sound


# -- files that lie --------------------------------------------------------------------------------

LIES: list[tuple[str, Callable[[Shot], Any], str]] = [
    ("a flipped bit", lambda s: _flip(s.photo(2)), "the photo has other bytes"),
    ("a photo gone", lambda s: s.photo(2).unlink(), "the photo is missing"),
    ("an empty photo", lambda s: s.photo(2).write_bytes(b""), "the photo has other bytes"),
    ("two photos swapped", lambda s: _swap(s.photo(2), s.photo(3)), "the photo has other bytes"),
    ("a sidecar gone", lambda s: s.sidecar(2).unlink(), "the metadata is missing"),
    ("a sidecar changed", lambda s: _flip(s.sidecar(2)), "the metadata has other bytes"),
    ("sidecars swapped", lambda s: _swap(s.sidecar(2), s.sidecar(3)), "the metadata has other"),
]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _swap(one: Path, two: Path) -> None:
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)


@pytest.mark.parametrize(("lie", "said"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_a_file_that_is_not_what_was_decided_is_found_by_both(shot: Shot, lie: Any, said: str):
    lie(shot)
    for report in (shot.audit(), audit_display(shot.records, shot.folder)):
        assert not report.sound
        assert said in report.findings[0].why
        assert report.findings[0].index == 2
        assert "WRONG" in report.text()


def test_a_stranger_among_the_photos_is_found(shot: Shot):
    (shot.folder / "photos" / "holiday.jpg").write_bytes(b"x")
    findings = shot.audit().findings
    assert [(f.name, f.why) for f in findings] == [
        ("holiday.jpg", "no decided photo has this name")
    ]


def test_a_photo_that_was_never_decided_is_found(shot: Shot):
    """A second photo of an index that is decided already, well named and all."""
    said = decode_name(shot.names[1])
    twin = encode_name(replace(said, attempt=2))
    (shot.folder / "photos" / twin).write_bytes(b"x")
    assert "the display never decided this photo" in _whys(audit_display(shot.records, shot.folder))
    assert "no decided photo has this name" in _whys(shot.audit())


def test_a_name_that_was_cut_is_found(shot: Shot):
    name = shot.names[1]
    shot.photo(2).rename(shot.folder / "photos" / (name[:-9] + ".jpg"))
    whys = _whys(audit_display(shot.records, shot.folder))
    assert whys == ["the photo is missing", "its name was cut or changed"]


def test_a_photo_in_doubt_is_undecided(tmp_path: Path, phone_bench: Any):
    (tmp_path / "photos").mkdir()
    bench = phone_bench().start().connect()
    _expose(bench, tmp_path / "photos", 1, b"photo")
    report = Shot(tmp_path, bench, [], []).audit()
    assert _whys(report) == ["undecided: the display has yet to decide"]
    assert not report.runs[0].finished


# -- books that lie --------------------------------------------------------------------------------


def _changed(records: list[Record], n: int, **fields: Any) -> list[Record]:
    return [{**r, **fields} if i == n else r for i, r in enumerate(records)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"i": 3}, "the photo after index 1 is of index 3"),
        ({"a": 2}, "its name says another attempt"),
        ({"sha": "ab" * 32}, "its name says another photo16"),
        ({"meta": "ab" * 32}, "its name says another meta16"),
        ({"name": "../../etc/passwd"}, "its name cannot be read"),
    ],
)
def test_a_decision_that_does_not_fit_is_found(shot: Shot, fields: dict[str, Any], said: str):
    """And the chain is another one then."""
    report = audit_display(_changed(shot.records, 2, **fields))
    whys = _whys(report)
    assert any(said in why for why in whys)
    chained = set(fields) & {"i", "a", "sha", "meta"}
    assert ("COMPLETE names another chain than its records give" in whys) == bool(chained)


def test_a_decision_that_is_left_out_is_found(shot: Shot):
    whys = _whys(audit_display(shot.records[:2] + shot.records[3:]))
    assert "the photo after index 1 is of index 3" in whys
    assert "COMPLETE with 3 photos of 4" in whys


def test_a_run_that_is_not_complete_is_sound_as_far_as_it_went(shot: Shot):
    report = audit_display(shot.records[:3])
    assert report.sound
    assert (report.runs[0].decided, report.runs[0].finished) == (2, False)


@pytest.mark.parametrize("records", [[], [{"k": "BOOT"}], [{"k": "RUN", "camp": "zz"}]])
def test_what_is_no_display_s_journal_is_refused(records: list[Record]):
    with pytest.raises(JournalCorrupt):
        audit_display(records)


def test_a_phone_s_journal_that_finished_with_another_chain_is_refused(shot: Shot):
    """FINISH holds the full chain; a journal that contradicts it vouches for nothing."""
    finish = next(r for r in shot.phone.journal if r["k"] == "FINISH")
    assert finish["chain"] == shot.phone.chain.hex()
    n = shot.phone.journal.index(finish)
    shot.phone.journal = _changed(shot.phone.journal, n, chain="00" * 32)
    with pytest.raises(JournalCorrupt):
        shot.audit()


def test_without_a_journal_there_is_nothing_to_audit(tmp_path: Path):
    with pytest.raises(OSError, match="journal"):
        audit_phone(tmp_path)
    with pytest.raises(OSError, match="journal"):
        read_journal(tmp_path / "journal")


def released(shot: Shot, *indices: int) -> set[tuple[str, bytes]]:
    """The note of deleting these photos, which are gone."""
    notes = set()
    for index in indices:
        path = shot.photo(index)
        notes.add((path.name, hashlib.sha256(path.read_bytes()).digest()))
        path.unlink()
    return notes


def test_deleted_with_a_note_is_sound(shot: Shot) -> None:
    """The metadata is still hashed; the photos are counted as let go."""
    shot.write()
    report = audit_phone(shot.folder, released(shot, 2, 3))
    assert report.sound, report.text()
    assert (report.released, report.hashed) == (2, 6)
    assert "2 photos were deleted" in report.text()


def test_note_with_other_bytes_excuses_nothing(shot: Shot) -> None:
    """Name and hash together are the note."""
    shot.write()
    wrong = {(name, bytes(32)) for name, _ in released(shot, 2)}
    assert [f.why for f in audit_phone(shot.folder, wrong).findings] == ["the photo is missing"]


def test_note_excuses_neither_metadata_nor_changed_photos(shot: Shot) -> None:
    """A photo that is there is read, whatever the note says."""
    shot.write()
    notes = released(shot, 2)
    notes.add((shot.names[2], hashlib.sha256(shot.photo(3).read_bytes()).digest()))
    shot.photo(3).write_bytes(b"changed")
    shot.sidecar(2).unlink()
    report = audit_phone(shot.folder, notes)
    assert sorted(f.why for f in report.findings) == [
        "the metadata is missing", "the photo has other bytes than were decided",
    ]  # fmt: skip
    assert report.released == 1


def test_note_excuses_nothing_of_an_unfinished_subset(shot: Shot) -> None:
    """The display may still ask for it."""
    records = [r for r in shot.phone.journal if r["k"] != "FINISH"]
    (shot.folder / "journal").write_bytes(b"".join(map(encode_record, records)))
    report = audit_phone(shot.folder, released(shot, 1))
    assert (report.released, [f.why for f in report.findings]) == (0, ["the photo is missing"])
