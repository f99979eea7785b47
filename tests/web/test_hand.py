"""Photos taken by hand on the controller: side by side, decided by a person."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from rig.intake.hand_store import import_folder
from rig.intake.manual import Left, Showing
from rig.store import catalogs, hand

S = 1_000_000_000


@pytest.fixture
def doubtful(ready, tmp_path, jpeg):
    """Two photos that prove nothing, of three x-rays that were shown."""
    database, home = ready.running.rig.database, ready.running.home
    with database.read() as connection:
        xrays = catalogs.xrays(connection, catalogs.find(connection, "tiny").id)
    log, folder = tmp_path / "shown.jsonl", tmp_path / "phone"
    folder.mkdir()
    log.write_bytes(
        b"".join(
            Showing(
                showing=at, set=1, position=at, index=one.index, attempt=1, key=one.key,
                sha256=one.sha256, marker=(), from_ns=at * 10 * S, to_ns=at * 10 * S + 9 * S,
                left=Left.NEXT,
            ).line()
            for at, one in enumerate(xrays[:3], 1)
        )
    )  # fmt: skip
    first, second = jpeg(1), jpeg(2)
    (folder / "IMG_1.jpg").write_bytes(first)
    (folder / "IMG_2.jpg").write_bytes(second)
    import_folder(
        database, home, folder, campaign="first", device="iphone", log=log, actor="command",
        clock_ns=time.time_ns,
    )  # fmt: skip
    return ready, hashlib.sha256(first).hexdigest()


def test_the_doubtful_are_shown_side_by_side(doubtful):
    """The page has the photo, its candidates and a button for each."""
    ready, digest = doubtful
    with ready.running.operator() as client:
        page = client.get("/campaigns/first/hand")
        assert page.status_code == 200
        text = page.text
        assert "2 doubtful" in text
        assert f"/api/campaigns/first/hand/iphone/{digest}/image?width=700" in text
        assert "It shows x-ray 1" in text
        assert "It shows none of them" in text
        image = client.get(f"/api/campaigns/first/hand/iphone/{digest}/image")
        assert hashlib.sha256(image.content).hexdigest() == digest
        small = client.get(f"/api/campaigns/first/hand/iphone/{digest}/image?width=32")
        assert small.headers["content-type"] == "image/jpeg"
    listed = ready.running.get("/api/campaigns/first/hand", standing="doubtful")
    assert [one["name"] for one in listed] == ["IMG_1.jpg", "IMG_2.jpg"]
    assert "file" not in json.dumps(listed[0])


def test_a_person_s_word_is_recorded_with_name_and_time(doubtful):
    """x-ray, none, taken back: the newest word counts, all words stay."""
    ready, digest = doubtful
    at = f"/api/campaigns/first/hand/iphone/{digest}/decide"
    one = ready.running.post(at, index=2, name="anna")
    assert (one["standing"], one["index"], one["by"]) == ("accepted", 2, "operator:anna")
    assert one["decided_ns"] > 0
    with ready.running.rig.database.read() as connection:
        ident = hand.campaign_id(connection, "first")
        (kept,) = hand.natural(connection, ready.running.home, ident)
    assert (kept.index, kept.evidence[-1]) == (2, "person")
    assert ready.running.post(at, decision="none")["standing"] == "refused"
    assert ready.running.post(at, decision="open")["standing"] == "doubtful"
    with ready.running.operator() as client:
        assert "IMG_1.jpg" in client.get("/campaigns/first/hand").text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422), ({"index": 0}, 422), ({"index": 3, "decision": "none"}, 422),
        ({"index": 999}, 409), ({"decision": "open"}, 409), ({"decision": "maybe"}, 422),
        ({"index": 1, "name": "x" * 100}, 422),
    ],
)  # fmt: skip
def test_a_decision_that_makes_no_sense_is_refused(doubtful, body, status):
    """Nothing is recorded."""
    ready, digest = doubtful
    with ready.running.operator() as client:
        answer = client.post(f"/api/campaigns/first/hand/iphone/{digest}/decide", json=body)
    assert answer.status_code == status
    assert {one["standing"] for one in ready.running.get("/api/campaigns/first/hand")} == {
        "doubtful"
    }


def test_only_operators_may_look_or_decide(doubtful):
    """Neither a station's token nor nobody; unknown photos and campaigns are 404."""
    ready, digest = doubtful
    paths = ["/api/campaigns/first/hand", f"/api/campaigns/first/hand/iphone/{digest}/image"]
    for token in (None, ready.token, ready.phone_token):
        with ready.running.client(token) as client:
            assert all(client.get(path).status_code in {401, 403} for path in paths)
            at = f"/api/campaigns/first/hand/iphone/{digest}/decide"
            assert client.post(at, json={"index": 1}).status_code in {401, 403}
    with ready.running.operator() as client:
        assert client.get("/api/campaigns/none/hand").status_code == 404
        assert client.get(f"/api/campaigns/first/hand/iphone/{'0' * 64}/image").status_code == 404
        strange = client.get(f"/api/campaigns/first/hand/..%2f/{digest}/image")
        assert strange.status_code in {404, 422}
        assert client.get("/campaigns/none/hand").status_code == 404


def test_a_photo_that_is_gone_is_a_sentence(doubtful):
    """Somebody emptied the folder."""
    ready, digest = doubtful
    with ready.running.rig.database.read() as connection:
        ident = hand.campaign_id(connection, "first")
        photo = hand.find(connection, ready.running.home, ident, "iphone", digest)
    photo.file.unlink()
    with ready.running.operator() as client:
        answer = client.get(f"/api/campaigns/first/hand/iphone/{digest}/image")
    assert answer.status_code == 404
    assert "import it again" in answer.json()["detail"]
