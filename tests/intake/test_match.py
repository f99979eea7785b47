"""Matching by name and bytes."""

from __future__ import annotations

import hashlib

import pytest

from rig.intake.match import Match, Rejection, Status, match, newest_attempts


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def one(batch):
    """Index 1 committed with these bytes."""
    batch.commit(1, b"photo", write=False)
    return batch


def test_the_committed_photo_matches(one):
    """Name and bytes as committed."""
    found = match(one.name(1, b"photo"), sha(b"photo"), one.committed)
    assert isinstance(found, Match)
    assert found.capture is one.committed[1, 1]


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"campaign": "f" * 16}, Status.FOREIGN, "campaign"),
        ({"subset": 2}, Status.FOREIGN, "subset"),
        ({"index": 7}, Status.FOREIGN, "never committed"),
        ({"attempt": 2}, Status.SUPERSEDED, "attempt 1 was committed"),
        ({"meta16": "1" * 16}, Status.FOREIGN, "another session"),
        ({"env": "e02-bright"}, Status.MISNAMED, "another name"),
    ],
)
def test_strangers_say_what_they_are(one, changes, status, word):
    """Every way of not belonging has its own status and sentence."""
    found = match(one.name(1, b"photo", **changes), sha(b"photo"), one.committed)
    assert isinstance(found, Rejection)
    assert found.status is status
    assert word in found.reason


def test_other_bytes_are_altered(one):
    """An edited or truncated file keeps its name and is told apart by its bytes."""
    found = match(one.name(1, b"photo"), sha(b"phot"), one.committed)
    assert isinstance(found, Rejection)
    assert found.status is Status.ALTERED


@pytest.mark.parametrize("name", ["IMG_0001.jpg", "", "../x1_.jpg", "x1_\x00.jpg", "x" * 300])
def test_any_other_name_is_misnamed(one, name):
    """Names are parsed or refused, never trusted."""
    found = match(name, sha(b"photo"), one.committed)
    assert isinstance(found, Rejection)
    assert found.status is Status.MISNAMED


def test_nothing_committed_makes_every_photo_foreign(batch):
    """An empty session accepts nothing."""
    found = match(batch.name(1, b"x"), sha(b"x"), {})
    assert isinstance(found, Rejection)
    assert found.status is Status.FOREIGN


def test_the_newest_attempt_counts(one):
    """When two attempts were committed the earlier one is superseded."""
    one.committed[1, 3] = one.committed[1, 1]
    assert newest_attempts(one.committed) == {1: 3}
    found = match(one.name(1, b"photo"), sha(b"photo"), one.committed)
    assert isinstance(found, Rejection)
    assert found.status is Status.SUPERSEDED
