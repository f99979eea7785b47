"""Photos coming back: resumable, checked, idempotent; nothing unchecked becomes a path."""

import asyncio
import hashlib
import socket
from urllib.parse import quote

import httpx
import pytest

from rig.store import captures
from rig.web.receive import BadNameError, Turns, check_name


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def path_of(session: str, name: str) -> str:
    return f"/api/sessions/{session}/photos/{quote(name, safe='')}"


def headers(offset: int, data: bytes, **more: str) -> dict[str, str]:
    return {
        "Upload-Offset": str(offset),
        "Upload-Length": str(len(data)),
        "X-Content-SHA256": sha(data),
        "Content-Type": "application/partial-upload",
        **more,
    }


@pytest.fixture
def phone(ready):
    """The phone of the station, as an HTTP client."""
    with ready.running.client(ready.phone_token) as client:
        yield client


@pytest.fixture
def session(ready):
    return ready.new_session()["id"]


def files(ready, session):
    folder = ready.running.home / "sessions" / session
    return sorted(p.name for p in folder.rglob("*") if p.is_file()) if folder.exists() else []


def test_a_photo_in_one_piece_is_kept_and_noted(ready, session, phone, jpeg):
    """It lies under its name with its bytes, and the store knows it."""
    data = jpeg(1)
    name = ready.photo(1, data)
    head = phone.head(path_of(session, name))
    assert (head.status_code, head.headers["upload-offset"]) == (204, "0")
    assert head.headers["upload-complete"] == "?0"
    answer = phone.patch(path_of(session, name), headers=headers(0, data), content=data)
    assert answer.status_code == 204, answer.text
    assert answer.headers["upload-complete"] == "?1"
    assert answer.headers["upload-offset"] == str(len(data))
    assert files(ready, session) == [name]
    (noted,) = ready.running.get(f"/api/sessions/{session}/photos")
    assert (noted["index"], noted["sha256"], noted["verified"]) == (1, sha(data), None)
    with ready.running.operator() as client:
        assert client.get(path_of(session, name)).content == data
        assert len(client.get(path_of(session, name), params={"width": 16}).content) < len(data)


def test_sending_a_complete_photo_again_is_harmless(ready, session, phone, jpeg):
    """The answer says complete; there still is one event and one row."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    for _ in range(2):
        answer = phone.patch(path, headers=headers(0, data), content=data)
        assert (answer.status_code, answer.headers["upload-complete"]) == (204, "?1")
    assert phone.head(path).headers["upload-complete"] == "?1"
    events = ready.running.get(f"/api/sessions/{session}/events", kind="photo_received")
    assert len(events) == 1
    assert ready.running.get(f"/api/sessions/{session}")["photos"] == 1


def test_an_upload_goes_on_where_the_connection_broke(ready, session, phone, jpeg):
    """Bytes that arrived before a cut are kept, and HEAD says how many."""
    data = jpeg(1) * 300
    name = ready.photo(1, data)
    path = path_of(session, name)
    address = ready.running.url.removeprefix("http://").split(":")
    told = headers(0, data, Host="localhost", Authorization=f"Bearer {ready.phone_token}")
    lines = [f"PATCH {path} HTTP/1.1", *(f"{k}: {v}" for k, v in told.items())]
    lines += [f"Content-Length: {len(data)}", "", ""]
    half = len(data) // 2
    with socket.create_connection((address[0], int(address[1]))) as cut:
        cut.sendall("\r\n".join(lines).encode() + data[:half])
        # The server has it all once it has closed its side after ours.
        cut.shutdown(socket.SHUT_WR)
        while cut.recv(4096):
            pass
    here = int(phone.head(path).headers["upload-offset"])
    assert 0 < here <= half
    answer = phone.patch(path, headers=headers(here, data), content=data[here:])
    assert answer.headers["upload-complete"] == "?1"
    assert (ready.running.home / "sessions" / session / "incoming" / name).read_bytes() == data
    assert files(ready, session) == [name]


def test_pieces_add_up(ready, session, phone, jpeg):
    """A photo may come in as many requests as the phone likes."""
    data = jpeg(2)
    path = path_of(session, ready.photo(2, data))
    for at in range(0, len(data), 700):
        piece = data[at : at + 700]
        answer = phone.patch(path, headers=headers(at, data), content=piece)
        assert answer.headers["upload-offset"] == str(at + len(piece))
    assert answer.headers["upload-complete"] == "?1"


def test_a_wrong_offset_is_a_conflict_with_the_right_one(ready, session, phone, jpeg):
    """409 and `Upload-Offset`; nothing is written."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    phone.patch(path, headers=headers(0, data), content=data[:100])
    for wrong in (0, 50, 101):
        answer = phone.patch(path, headers=headers(wrong, data), content=b"x")
        assert (answer.status_code, answer.headers["upload-offset"]) == (409, "100")
        assert answer.headers["content-type"] == "application/problem+json"
    assert phone.head(path).headers["upload-offset"] == "100"


def test_a_wrong_hash_discards_the_part(ready, session, phone, jpeg):
    """422, and the next HEAD begins at 0."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    bad = bytes(len(data))
    answer = phone.patch(path, headers=headers(0, data), content=bad)
    assert (answer.status_code, answer.headers["upload-offset"]) == (422, "0")
    assert phone.head(path).headers["upload-offset"] == "0"
    assert files(ready, session) == []


def test_the_name_and_the_announced_hash_must_agree(ready, session, phone, jpeg):
    """The name says how the hash begins."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, jpeg(2)))
    assert phone.patch(path, headers=headers(0, data), content=data).status_code == 400
    assert files(ready, session) == []


def test_more_bytes_than_announced_are_refused(ready, session, phone, jpeg):
    """Also without a Content-Length."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    for body in (data + b"x", iter([data, b"x"])):
        answer = phone.patch(path, headers=headers(0, data), content=body)
        assert answer.status_code == 400
    assert files(ready, session) == []


def test_a_photo_over_the_limit_is_refused(ready, session, phone, jpeg):
    """64 MiB, before a byte is read."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    told = headers(0, data) | {"Upload-Length": str(64 * 2**20 + 1)}
    assert phone.patch(path, headers=told, content=data).status_code == 413


def test_sidecars_go_the_same_way_and_make_no_row(ready, session, phone, jpeg):
    """`.json` beside the photo, same stem."""
    name = ready.photo(1, jpeg(1)).removesuffix(".jpg") + ".json"
    text = b'{"index":1}'
    answer = phone.patch(path_of(session, name), headers=headers(0, text), content=text)
    assert answer.headers["upload-complete"] == "?1"
    assert files(ready, session) == [name]
    assert ready.running.get(f"/api/sessions/{session}/photos") == []
    other = b'{"index":2}'
    again = phone.patch(path_of(session, name), headers=headers(0, other), content=other)
    assert again.status_code == 409


BAD = [
    "photo.jpg",
    "../../secret.jpg",
    "..%2f..%2fsecret.jpg",
    "x1_..\\..\\a.jpg",
    "x1_a\0.jpg",
    "x1_a.jpg.part",
    ".x1_a.jpg",
    "x1_" + "a" * 300 + ".jpg",
    "manifest.json",
    "x1_0000000000000001_s0001_i0000001_a001_e01_k_m0000000000000000_p0000000000000000_c00000000.jpg",
]


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_refused_and_write_nothing(ready, session, phone, jpeg, name):
    """Whatever is not exactly a name of ours: 4xx, and the home is untouched."""
    data = jpeg(1)
    before = sorted(ready.running.home.rglob("*"))
    for method in ("HEAD", "PATCH"):
        answer = phone.request(
            method, path_of(session, name), headers=headers(0, data), content=data
        )
        assert 400 <= answer.status_code < 500, (name, answer.status_code)
    assert sorted(ready.running.home.rglob("*")) == before


@pytest.mark.parametrize("name", BAD)
def test_bad_names_raise_the_declared_error(name):
    """A name is either one of ours or a `BadNameError`."""
    with pytest.raises(BadNameError):
        check_name(name)


def test_unknown_sessions_are_not_found(ready, phone, jpeg):
    """404 as problem details, for phones that come with another home's photos."""
    data = jpeg(1)
    path = path_of("s" + "0" * 16, ready.photo(1, data))
    assert phone.head(path).status_code == 404
    answer = phone.patch(path, headers=headers(0, data), content=data)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_a_phone_sends_only_for_its_own_station(ready, session, jpeg):
    """Another station's phone gets 403; a display agent too."""
    other = ready.running.post("/api/stations", name="room-2")
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    for token in (ready.running.rig.auth.phone_token("room-2"), other["token"], ready.token):
        with ready.running.client(token) as client:
            assert client.head(path).status_code == 403
            answer = client.patch(path, headers=headers(0, data), content=data)
            assert answer.status_code == 403
    assert files(ready, session) == []


def listed(ready, jpegs):
    return {
        "photos": [
            {
                "name": ready.photo(i, data),
                "sha256": sha(data),
                "size": len(data),
                "index": i,
                "attempt": 1,
            }
            for i, data in jpegs.items()
        ],
        "count": len(jpegs),
        "chain": "ab" * 32,
    }


def test_the_manifest_names_what_is_missing_and_closes_the_batch_once(ready, session, phone, jpeg):
    """The hook runs when the last photo is there, and not again."""
    jpegs = {i: jpeg(i) for i in (1, 2, 3)}
    manifest = listed(ready, jpegs)
    path = f"/api/sessions/{session}/manifest"
    for index in (1, 3):
        name = ready.photo(index, jpegs[index])
        data = jpegs[index]
        phone.patch(path_of(session, name), headers=headers(0, data), content=data)
    answer = phone.post(path, json=manifest).json()
    assert answer == {"complete": False, "missing": [ready.photo(2, jpegs[2])], "durable": True}
    assert ready.running.batches == []
    name = ready.photo(2, jpegs[2])
    phone.patch(path_of(session, name), headers=headers(0, jpegs[2]), content=jpegs[2])
    for _ in range(2):
        answer = phone.post(path, json=manifest).json()
        assert answer == {"complete": True, "missing": [], "durable": True}
    assert ready.running.batches == [session]
    shown = ready.running.get(f"/api/sessions/{session}")
    assert shown["batch"] == {"count": 3, "missing": 0, "complete": True}


def test_a_manifest_that_contradicts_itself_is_refused(ready, session, phone, jpeg):
    """The count is that of the list, and names are names."""
    manifest = listed(ready, {1: jpeg(1)})
    path = f"/api/sessions/{session}/manifest"
    assert phone.post(path, json=manifest | {"count": 2}).status_code == 422
    manifest["photos"][0]["name"] = "../x.jpg"
    assert phone.post(path, json=manifest).status_code == 400
    assert files(ready, session) == []


def test_a_photo_whose_note_was_lost_is_noted_when_it_is_asked_for(ready, session, phone, jpeg):
    """After a crash between the rename and the row, HEAD mends it."""
    data = jpeg(1)
    name = ready.photo(1, data)
    folder = captures.incoming(ready.running.home, session)
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    assert phone.head(path_of(session, name)).headers["upload-complete"] == "?1"
    (noted,) = ready.running.get(f"/api/sessions/{session}/photos")
    assert noted["name"] == name


async def test_a_newer_connection_takes_over(ready, session, jpeg):
    """The older one of two that send the same photo writes nothing more."""
    data = jpeg(1)
    path = path_of(session, ready.photo(1, data))
    token = {"Authorization": f"Bearer {ready.phone_token}"}
    go = asyncio.Event()

    async def slowly():
        yield data[:10]
        await go.wait()
        yield data[10:]

    async with httpx.AsyncClient(base_url=ready.running.url, headers=token) as client:
        old = asyncio.create_task(client.patch(path, headers=headers(0, data), content=slowly()))
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while True:
                new = await client.patch(path, headers=headers(0, data), content=data)
                if new.headers.get("upload-complete") == "?1":
                    break
        go.set()
        answer = await old
        # It either gave way, or came so late that all was complete.
        assert answer.status_code in {204, 409}
        whole = await client.head(path)
    assert whole.headers["upload-complete"] == "?1"
    folder = captures.incoming(ready.running.home, session)
    assert [p.read_bytes() for p in folder.iterdir()] == [data]


def test_turns_leave_nothing_behind():
    """The newest connection has the turn; the table empties itself."""
    turns = Turns()
    old, new = turns.enter("s", "n"), turns.enter("s", "n")
    assert (old.mine, new.mine) == (False, True)
    old.leave()
    new.leave()
    assert not turns._turns


async def test_photos_that_come_before_their_events_are_not_judged_yet(
    ready, phone, jpeg, agent, shoot
):
    """The display's link may be slower than the phone's: intake waits for the last commit."""
    jpegs = {i: jpeg(i) for i in (1, 2, 3)}
    running = ready.running
    session = ready.new_session()

    def upload() -> None:
        for index, data in jpegs.items():
            path = path_of(session["id"], ready.photo(index, data))
            phone.patch(path, headers=headers(0, data), content=data)
        phone.post(f"/api/sessions/{session['id']}/manifest", json=listed(ready, jpegs))

    await asyncio.to_thread(upload)
    assert running.rig.database.query(captures.waiting) == ()
    async with agent(ready, {session["id"]: 0}) as one:
        seq = await shoot(one, session, jpegs, ready.photo)
        await one.event(session["id"], seq + 1, "completed", count=3, chain="ab" * 32)
        await one.acked(session["id"], seq + 1)
        async with asyncio.timeout(20):
            while running.batches != [session["id"]] * 2:
                await asyncio.sleep(0.02)
    assert running.rig.database.query(captures.waiting) == (session["id"],)
