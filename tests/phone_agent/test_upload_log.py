"""uploads.jsonl remembers what is confirmed, and damage only costs a question."""

from __future__ import annotations

from phone_agent.upload_log import UploadLog, released_photos

A, B = bytes(32), bytes(31) + b"\1"


def test_confirmed_files_and_batches_survive_a_restart(tmp_path):
    """The key is session, name and bytes together; a batch is known by its chain."""
    log = UploadLog(tmp_path / "uploads.jsonl")
    assert not log.has("s1", "a.jpg", A)
    log.add("s1", "a.jpg", A)
    log.add_closed("s1", "c0")
    again = UploadLog(tmp_path / "uploads.jsonl")
    assert again.has("s1", "a.jpg", A)
    assert again.is_closed("s1", "c0")
    assert not again.has("s2", "a.jpg", A)
    assert not again.has("s1", "a.jpg", B)
    assert not again.is_closed("s1", "c1")


def test_torn_last_line_is_cut_off(tmp_path):
    """The next entry starts on a line of its own."""
    path = tmp_path / "uploads.jsonl"
    UploadLog(path).add("s1", "a.jpg", A)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    log = UploadLog(path)
    assert path.read_bytes() == whole
    log.add("s1", "b.jpg", B)
    again = UploadLog(path)
    assert again.has("s1", "a.jpg", A)
    assert again.has("s1", "b.jpg", B)


def test_damaged_lines_are_passed_over(tmp_path):
    """Whatever stands there, the good lines count."""
    path = tmp_path / "uploads.jsonl"
    UploadLog(path).add("s1", "a.jpg", A)
    junk = b'\x00\xff\n[]\n{"session":1,"closed":"x"}\n{}\n' + b"[" * 100_000 + b"\n"
    path.write_bytes(junk + path.read_bytes())
    assert UploadLog(path).has("s1", "a.jpg", A)


def test_forgotten_file_is_not_confirmed(tmp_path):
    """The controller has the last word."""
    log = UploadLog(tmp_path / "uploads.jsonl")
    log.add("s1", "a.jpg", A)
    log.add("s1", "b.jpg", B)
    log.forget("s1", "a.jpg")
    assert not log.has("s1", "a.jpg", A)
    assert log.has("s1", "b.jpg", B)


def test_deletions_survive_a_restart_and_are_written_once(tmp_path):
    """Name and bytes together; the reader that changes nothing sees the same."""
    path = tmp_path / "uploads.jsonl"
    assert released_photos(path) == frozenset()
    log = UploadLog(path)
    log.add_released("s1", "a.jpg", A)
    log.add_released("s1", "a.jpg", A)
    log.add("s1", "b.jpg", B)
    assert len(path.read_bytes().splitlines()) == 2
    assert UploadLog(path).released == released_photos(path) == {("a.jpg", A)}
    assert not UploadLog(path).has("s1", "a.jpg", A)
    assert log.was_released("a.jpg", A)
    assert not log.was_released("a.jpg", B)


def test_torn_or_damaged_deletion_is_none(tmp_path):
    """The photo is still there then: the note comes before the deletion."""
    path = tmp_path / "uploads.jsonl"
    log = UploadLog(path)
    log.add_released("s1", "a.jpg", A)
    log.add_released("s1", "b.jpg", B)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert released_photos(path) == {("a.jpg", A)}
    assert path.read_bytes() == whole[:-3]
    path.write_bytes(whole.replace(b'"sha256":"00', b'"sha256":"zz'))
    assert released_photos(path) == frozenset()
