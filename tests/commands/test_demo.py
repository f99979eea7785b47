"""What `rig demo` tells of its run."""

from __future__ import annotations

from typing import Any

from rig.commands.demo_run import summarize


def photo(index: int, *, verified: bool) -> dict[str, Any]:
    reason = "" if verified else "shows another x-ray"
    return {
        "session": "s1", "index": index, "name": f"{index}.jpg", "verified": verified,
        "reason": reason, "score": 0.9,
    }  # fmt: skip


BUILT = {"dataset": "/d", "synthetic": {"digital": 3}}


def test_a_gap_and_a_double_are_both_counted() -> None:
    """Skipped is what has no capture, duplicated what has more than one."""
    captures = [{"index": 1}, {"index": 1}, {"index": 3}]
    told = summarize(3, captures, [], BUILT, {"capture": 1.23456})
    assert (told["captured"], told["skipped"], told["duplicated"]) == (3, 1, 1)
    assert told["seconds"] == {"capture": 1.23}


def test_a_rejected_photo_is_listed_with_its_session_and_reason() -> None:
    """The list says which file of which session, and why."""
    photos = [photo(1, verified=True), photo(2, verified=False)]
    told = summarize(2, [{"index": 1}, {"index": 2}], photos, BUILT, {})
    assert told["verified"] == 1
    assert told["rejected"] == [
        {"session": "s1", "index": 2, "name": "2.jpg", "reason": "shows another x-ray"}
    ]
