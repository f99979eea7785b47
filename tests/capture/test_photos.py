"""Photos as the store knows them: received once, judged last-wins, complete when nothing lacks."""

import pytest
from sqlalchemy.exc import NoResultFound

from rig.capture import photos, projections
from rig.capture.photos import Listed
from rig.store import captures
from rig.store.events import Event

SHA = "a" * 64


@pytest.fixture
def receive(rig, session):
    def call(name="p1", sha256=SHA, index=1):
        return rig(
            lambda c: photos.received(
                c,
                session,
                name=name,
                index=index,
                attempt=1,
                sha256=sha256,
                size=5,
                now_ns=70,
                actor="phone:room-1",
            )
        )

    return call


@pytest.fixture
def judge(rig, session):
    def call(good, name="p1", **more):
        rig(
            lambda c: photos.verified(
                c, session, name=name, verified=good, reason="r", now_ns=80, **more
            )
        )

    return call


def close(rig, session, *listed):
    def work(connection):
        lacking = len(photos.missing(connection, session, listed))
        return photos.manifest(
            connection,
            session,
            count=len(listed),
            chain="c",
            lacking=lacking,
            now_ns=90,
            actor="phone:room-1",
        )

    return rig(work)


def test_the_same_photo_is_received_once(receive):
    """A repeated upload makes no second event; other bytes do."""
    assert [receive(), receive(), receive(sha256="b" * 64)] == [True, False, True]


def test_the_last_verdict_counts(rig, database, session, receive, judge):
    """With its measurements, as they were given."""
    receive()
    judge(False)
    judge(True, score=0.9, homography=[(1.0, 0.0, 2.0)] * 3, detail={"ms": 3})
    (photo,) = database.query(lambda c: captures.photos(c, session))
    assert (photo.verified, photo.score, photo.detail) == (True, 0.9, {"ms": 3})
    assert photo.homography == [[1.0, 0.0, 2.0]] * 3


def test_new_bytes_take_the_verdict_back(database, session, receive, judge):
    """What was said of other bytes does not hold."""
    receive()
    judge(True)
    receive(sha256="b" * 64)
    (photo,) = database.query(lambda c: captures.photos(c, session))
    assert photo.verified is None


def test_a_photo_that_did_not_arrive_cannot_be_judged(judge):
    """No row appears from nowhere."""
    with pytest.raises(NoResultFound):
        judge(True, name="none")


def commit(rig, session, index):
    """The display's word that it kept the photo of *index*."""
    body = {"sha256": SHA, "size": 5, "name": f"p{index}"}
    event = Event(
        "committed", 75, 75, "station:room-1", session=session, source_seq=index, index=index,
        attempt=1, body=body,
    )  # fmt: skip
    rig(lambda c: projections.record(c, event))


def test_a_batch_is_complete_once(rig, database, session, receive, judge):
    """The moment is told once; until all are judged the session waits for intake."""
    receive()
    both = (Listed("p1", SHA), Listed("p2", SHA))
    assert close(rig, session, *both)[1] is False
    receive(name="p2", index=2)
    batch, fresh = close(rig, session, *both)
    assert (batch.complete, batch.count, fresh) == (True, 2, True)
    assert close(rig, session, *both)[1] is False
    judge(True)
    assert database.query(captures.waiting) == (), "the display has not told of these photos yet"
    for index in (1, 2):
        commit(rig, session, index)
    assert database.query(captures.waiting) == (session,)
    judge(False, name="p2")
    assert database.query(captures.waiting) == ()


def test_other_bytes_than_listed_are_missing(rig, session, receive):
    """The name alone is not the photo."""
    receive(sha256="b" * 64)
    assert rig(lambda c: photos.missing(c, session, [Listed("p1", SHA)])) == ["p1"]
