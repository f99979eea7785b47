"""A phone may delete exactly what lies here whole and an operator let go."""

import asyncio
import hashlib
from urllib.parse import quote

import pytest

from rig.capture import photos, projections
from rig.capture.messages import AgentEvent
from rig.capture.sessions import ingest
from rig.store import captures


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def shot(ready, jpeg):
    """A session with three photos on the phone; `shot.send(...)` uploads, `shot.close()` lists."""
    return Shot(ready, jpeg)


class Shot:
    def __init__(self, ready, jpeg):
        self.ready = ready
        self.rig = ready.running.rig
        self.session = ready.new_session()["id"]
        self.data = {}
        for index in (1, 2, 3):
            self.add(index, jpeg(index))
        self.names = list(self.data)
        self.incoming = captures.incoming(ready.running.home, self.session)

    def add(self, index, data, attempt=1):
        name = self.ready.photo(index, data, attempt)
        self.data[name] = data
        return name

    def send(self, *names):
        with self.ready.running.client(self.ready.phone_token) as phone:
            for name in names:
                data = self.data[name]
                headers = {
                    "Upload-Offset": "0",
                    "Upload-Length": str(len(data)),
                    "X-Content-SHA256": sha(data),
                }
                path = f"/api/sessions/{self.session}/photos/{quote(name, safe='')}"
                assert phone.patch(path, headers=headers, content=data).status_code == 204

    def close(self):
        listed = [
            {"name": name, "sha256": sha(data), "size": len(data), "index": i, "attempt": 1}
            for i, (name, data) in enumerate(self.data.items(), 1)
        ]
        body = {"photos": listed, "count": len(listed), "chain": ""}
        with self.ready.running.client(self.ready.phone_token) as phone:
            path = f"/api/sessions/{self.session}/manifest"
            assert phone.post(path, json=body).status_code == 200

    def allow(self, allow=True):
        with self.ready.running.operator() as client:
            return client.post(f"/api/sessions/{self.session}/release", json={"allow": allow})

    def asked(self):
        with self.ready.running.client(self.ready.phone_token) as phone:
            return phone.get(f"/api/sessions/{self.session}/release").json()

    def listed(self, *names):
        return {
            "allowed": True,
            "photos": [{"name": name, "sha256": sha(self.data[name])} for name in names],
        }


NOTHING = {"allowed": False, "photos": []}


def test_nothing_may_be_deleted_until_somebody_says_so(shot):
    """Complete and durable is not enough."""
    assert shot.asked() == NOTHING
    shot.send(*shot.names)
    shot.close()
    assert shot.asked() == NOTHING


def test_an_operator_lets_go_and_takes_it_back(shot):
    """The phone sees names and hashes; both decisions are in the log."""
    shot.send(*shot.names)
    shot.close()
    answer = shot.allow()
    assert answer.status_code == 200, answer.text
    assert answer.json() == shot.asked() == shot.listed(*shot.names)
    assert shot.allow(False).json() == shot.asked() == NOTHING
    path = f"/api/sessions/{shot.session}/events"
    told = shot.ready.running.get(path, kind="release")
    assert [(one["actor"], one["body"]["allow"]) for one in told] == [
        ("operator", True),
        ("operator", False),
    ]


def test_an_open_batch_is_not_let_go(shot):
    """409 and why: no list yet, then one photo missing."""
    shot.send(*shot.names[:2])
    answer = shot.allow()
    assert (answer.status_code, "not closed the batch" in answer.json()["detail"]) == (409, True)
    shot.close()
    answer = shot.allow()
    assert (answer.status_code, "1 of the 3 photos" in answer.json()["detail"]) == (409, True)
    assert shot.asked() == NOTHING


@pytest.mark.parametrize("harm", ["gone", "changed", "cut"])
def test_a_file_that_is_not_whole_here_any_more_holds_everything_back(shot, harm):
    """The disk is asked, not the store; the sentence names the file."""
    shot.send(*shot.names)
    shot.close()
    file = shot.incoming / shot.names[1]
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(b"x" * (file.stat().st_size if harm == "changed" else 5))
    answer = shot.allow()
    assert (answer.status_code, shot.names[1] in answer.json()["detail"]) == (409, True)
    assert shot.asked() == NOTHING


def test_a_file_lost_after_the_permission_is_not_listed(shot):
    """The phone's copy is the last one then."""
    shot.send(*shot.names)
    shot.close()
    shot.allow()
    (shot.incoming / shot.names[0]).unlink()
    assert shot.asked() == shot.listed(*shot.names[1:])


def test_a_photo_that_comes_later_needs_a_new_permission(shot, jpeg):
    """A permission covers what was here when it was given."""
    shot.send(*shot.names)
    shot.close()
    shot.allow()
    late = shot.add(3, jpeg(9), attempt=2)
    shot.send(late)
    assert shot.asked() == shot.listed(*shot.names)
    shot.close()
    assert shot.asked() == shot.listed(*shot.names)
    assert shot.allow().json() == shot.listed(*shot.names, late)


def test_a_photo_that_is_neither_listed_nor_verified_stays(shot, jpeg):
    """A thrown-away exposure: nobody said that it may go; once verified, it may."""
    shot.send(*shot.names)
    extra = shot.add(2, jpeg(8), attempt=2)
    shot.send(extra)
    del shot.data[extra]
    shot.close()  # without it
    assert shot.allow().json() == shot.listed(*shot.names)
    shot.rig.database.write_now(
        lambda c: photos.verified(c, shot.session, name=extra, verified=True, reason="", now_ns=1)
    )
    names = [one["name"] for one in shot.asked()["photos"]]
    assert sorted(names) == sorted([*shot.names, extra])


def test_a_manifest_that_is_lost_is_a_refusal(shot):
    """Without the phone's list nobody can say that everything is here."""
    shot.send(*shot.names)
    shot.close()
    (shot.incoming.parent / "manifest.json").unlink()
    answer = shot.allow()
    assert (answer.status_code, "manifest.json" in answer.json()["detail"]) == (409, True)


def test_a_station_cannot_let_go(shot):
    """An event of that kind from a display agent changes nothing; its phone may only ask."""
    shot.send(*shot.names)
    shot.close()
    event = AgentEvent(event="release", session=shot.session, seq=1, time_ns=1, allow=True)
    shot.rig.database.write_now(lambda c: ingest(c, "room-1", [event], 2))
    assert shot.asked() == NOTHING
    for token in (shot.ready.phone_token, shot.ready.token):
        with shot.ready.running.client(token) as client:
            path = f"/api/sessions/{shot.session}/release"
            assert client.post(path, json={"allow": True}).status_code == 403


def test_another_stations_phone_is_told_nothing(shot):
    """403, as for its uploads; unknown sessions are 404."""
    shot.ready.running.post("/api/stations", name="room-2")
    other = shot.rig.auth.phone_token("room-2")
    with shot.ready.running.client(other) as client:
        assert client.get(f"/api/sessions/{shot.session}/release").status_code == 403
    with shot.ready.running.operator() as client:
        path = f"/api/sessions/s{'0' * 16}/release"
        assert client.get(path).status_code == 404
        assert client.post(path, json={"allow": True}).status_code == 404


async def test_the_permission_survives_a_rebuild_of_the_projections(shot):
    """The log is the truth."""
    await asyncio.to_thread(shot.send, *shot.names)
    await asyncio.to_thread(shot.close)
    await asyncio.to_thread(shot.allow)
    before = await asyncio.to_thread(shot.asked)
    await shot.rig.database.awrite(projections.rebuild)
    assert await asyncio.to_thread(shot.asked) == before == shot.listed(*shot.names)


def test_the_page_offers_it_once_everything_is_here(shot):
    """As the form on the page sends it: words, not JSON booleans."""

    def page():
        with shot.ready.running.operator() as client:
            return client.get("/phone/live", headers={"Accept": "text/html"}).text

    shot.send(*shot.names[:2])
    shot.close()
    assert "1 of them are missing" in page()
    assert "do-release" not in page()
    shot.send(shot.names[2])
    shot.close()
    assert "Let the phone delete" in page()
    assert shot.allow("true").json() == shot.listed(*shot.names)
    assert "Keep them on the phone" in page()
    assert shot.allow("false").json() == NOTHING
    assert shot.allow("perhaps").status_code == 422


def test_other_bytes_under_a_released_name_need_a_new_permission(shot):
    """Verified or not: what was let go was another photo."""
    shot.send(*shot.names)
    shot.close()
    shot.allow()
    name, size = shot.names[0], len(shot.data[shot.names[0]])

    def replace(connection):
        photos.received(
            connection,
            shot.session,
            name=name,
            index=1,
            attempt=1,
            sha256="0" * 64,
            size=size,
            now_ns=1,
            actor="command",
        )
        photos.verified(connection, shot.session, name=name, verified=True, reason="", now_ns=2)

    shot.rig.database.write_now(replace)
    assert shot.asked() == shot.listed(*shot.names[1:])
