"""What manual mode keeps on the disk."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from display_agent.manual_book import SELECTION, SHOWN, Book
from rig.errors import UserError
from rig.intake.manual import Left, Showing, read_shown

SETTINGS = {"order": "plan", "seed": 0}


def _showing(number: int, index: int) -> Showing:
    return Showing(number, 1, number, index, 1, f"key{index}", "ab" * 32, (), 10 * number)


@pytest.fixture
def items(make_item):
    return tuple(make_item(index, on_disk=False) for index in (1, 2, 3))


@pytest.fixture
def book(tmp_path, items):
    made = Book(tmp_path / "out", items, SETTINGS)
    yield made
    made.close()


def _again(tmp_path, items, **settings) -> Book:
    return Book(tmp_path / "out", items, SETTINGS | settings)


def test_a_line_is_on_the_disk_when_it_was_written(book, tmp_path, monkeypatch):
    """Fsynced: the photo of it may be taken at once."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    book.write(_showing(1, 2))
    size = (tmp_path / "out" / SHOWN).stat().st_size
    assert synced == [size]
    assert size > 0


def test_a_restart_knows_the_last_showing_and_how_often_each_was_shown(book, tmp_path, items):
    """An x-ray shown again has attempt 2."""
    book.write(_showing(1, 2))
    book.write(replace(_showing(1, 2), to_ns=15, left=Left.NEXT))
    book.write(_showing(2, 3))
    assert (book.attempt(2), book.attempt(1)) == (2, 1)
    book.close()
    again = _again(tmp_path, items)
    assert again.last == _showing(2, 3)
    assert again.next_showing == 3
    assert [again.attempt(index) for index in (1, 2, 3)] == [1, 2, 2]
    again.close()


def test_an_unfinished_last_line_is_cut_off(book, tmp_path, items):
    """A crash in the middle of a line."""
    book.write(_showing(1, 2))
    book.close()
    path = tmp_path / "out" / SHOWN
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"showing":2,"se')
    again = _again(tmp_path, items)
    again.write(_showing(2, 1))
    again.close()
    read, _ = read_shown(path.read_bytes())
    assert [one.index for one in read] == [2, 1]


@pytest.mark.parametrize("change", [{"seed": 1}, {"order": "random"}])
def test_other_settings_are_another_selection(book, tmp_path, items, change):
    """Sets and order would not fit what was shown."""
    book.close()
    with pytest.raises(UserError, match="another selection"):
        _again(tmp_path, items, **change)


def test_other_xrays_or_another_order_are_another_selection(book, tmp_path, items):
    """Position 2 must stay the same x-ray."""
    book.close()
    for other in (items[:2], items[::-1]):
        with pytest.raises(UserError, match="another selection"):
            _again(tmp_path, other)


def test_two_displays_do_not_write_one_folder(book, tmp_path, items):
    """The second is refused."""
    with pytest.raises(UserError, match="in use"):
        _again(tmp_path, items)


def test_a_full_disk_is_a_sentence_and_leaves_no_half_line(book, tmp_path, monkeypatch):
    """What was written before stays whole."""
    book.write(_showing(1, 2))
    before = (tmp_path / "out" / SHOWN).read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="free some disk"):
            book.write(_showing(2, 3))
    assert (tmp_path / "out" / SHOWN).read_bytes() == before
    assert book.next_showing == 2


def test_a_damaged_selection_is_named(book, tmp_path, items):
    """Not overwritten."""
    book.close()
    (tmp_path / "out" / SELECTION).write_bytes(b"{")
    with pytest.raises(UserError, match="is damaged"):
        _again(tmp_path, items)


def test_damage_among_the_lines_stops_the_start_and_frees_the_folder(book, tmp_path, items):
    """After the repair it goes on."""
    book.write(_showing(1, 2))
    book.close()
    path = tmp_path / "out" / SHOWN
    good = path.read_bytes()
    path.write_bytes(b"rubbish\n" + good)
    with pytest.raises(UserError, match="line 1"):
        _again(tmp_path, items)
    path.write_bytes(good)
    _again(tmp_path, items).close()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, items):
    """A file stands in its place."""
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written"):
        _again(tmp_path, items)
