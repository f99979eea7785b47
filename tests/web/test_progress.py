"""How far a campaign is: remembered, and right again after every event."""

from __future__ import annotations

from typing import Any

import pytest

from rig.capture import campaigns, projections
from rig.store.events import Event
from rig.web import matrix, progress
from rig.web.home import progress_view
from rig.web.progress import ProgressBook, Reached


@pytest.fixture
def read(ready):
    """What a book says of the campaign."""
    database = ready.running.rig.database

    def ask(book: ProgressBook) -> dict[int, Reached]:
        return database.query(lambda c: book.of(c, campaigns.find(c, "first")))

    return ask


def tell(ready: Any, session: str, kind: str, seq: int, **body: Any) -> None:
    event = Event(kind, seq, seq, "station:room-1", session=session, source_seq=seq, body=body)
    ready.running.rig.database.write_now(lambda c: projections.record(c, event))


def test_it_is_what_counting_anew_says(ready, read):
    """After a session was made, shot, and completed; and for a new plan."""
    book = ProgressBook()
    assert set(read(book).values()) == {Reached("planned", 0)}
    session = ready.new_session()["id"]
    assert read(book)[1] == Reached("created", 0) == read(ProgressBook())[1]
    tell(ready, session, "armed", 1, first=1, last=3)
    assert read(book)[1].state == "armed"
    tell(ready, session, "completed", 2, count=3, chain="00")
    assert read(book) == read(ProgressBook())
    assert read(book)[1].state == "completed"
    ready.running.post("/api/campaigns/first/replan", seed=3)
    assert set(read(book)) == set(read(ProgressBook())) != {1, 2}


def test_only_what_moved_is_read_again(ready, read, monkeypatch):
    """Neither a second look nor an event of another campaign's session costs a count."""
    book, counted = ProgressBook(), []
    read(book)
    one, everything = progress._one, progress._everything
    monkeypatch.setattr(progress, "_one", lambda *a: counted.append(a[2]) or one(*a))
    monkeypatch.setattr(progress, "_everything", lambda *a: counted.append("all") or everything(*a))
    read(book)
    assert counted == []
    ready.new_session(2)
    read(book)
    read(book)
    assert counted == [2]


def test_a_long_absence_is_counted_anew(ready, read, monkeypatch):
    """Looking at every one of thousands of events would be slower."""
    book = ProgressBook()
    read(book)
    monkeypatch.setattr(progress, "FAR", 0)
    ready.new_session(2)
    assert read(book)[2].state == "created"


def test_the_matrix_has_each_subset_once(ready):
    """Under its environment, with a word and a sign as well as a colour; changes are marked."""
    rig = ready.running.rig
    ready.new_session(2)
    view = rig.database.query(
        lambda c: progress_view(c, campaigns.find(c, "first"), ProgressBook())
    )
    found = matrix.of(view["rows"])
    assert [cell.subset.id for cell in found.subsets] == [1, 2]
    for row in found.rows:
        for cell in row.cells:
            assert cell is None or cell.subset.environment == row.environment
    placed = [cell for row in found.rows for cell in row.cells if cell]
    assert sorted(cell.subset.id for cell in placed) == [1, 2]
    words = {cell.subset.id: (cell.mark, cell.word, cell.look) for cell in placed}
    assert words[1] == ("\N{WHITE CIRCLE}", "planned", "planned")
    assert words[2][1:] == ("preparing", "info")
    assert found.rows[0].differs == frozenset()
    one, two = (row.environment.levels for row in found.rows)
    assert found.rows[1].differs == {name for name in one if one[name] != two[name]}
    assert sum(size for size, _ in found.levels["room_light"].values()) == 6
