"""The checklist: read by everybody, confirmed by a person with a name, with pictures if wanted."""

import hashlib
import io
import stat

import pytest
from PIL import Image

from rig.capture import sessions
from rig.web import evidence
from rig.web.conditions import conditions_view
from rig.web.evidence import EvidenceError
from rig.web.render import TEMPLATES
from rig.web.view import session_view

PAGE = {"Accept": "text/html"}


@pytest.fixture
def checklist(ready):
    """A session and how to ask for its conditions."""
    session = ready.new_session()["id"]

    class Checklist:
        id = session
        at = f"/api/sessions/{session}/conditions"

        def get(self):
            return ready.running.get(self.at)

        def ask(self, method, path="", **more):
            with ready.running.operator() as client:
                return client.request(method, self.at + path, **more)

        def form(self, **fields):
            with ready.running.operator() as client:
                return client.post(f"/sessions/{session}/conditions", data=fields)

    return Checklist()


@pytest.fixture
def picture():
    """Bytes of a picture."""

    def make(kind="JPEG", size=(64, 48), **more):
        out = io.BytesIO()
        Image.new("RGB", size, (200, 30, 30)).save(out, kind, **more)
        return out.getvalue()

    return make


def state_of(told, factor):
    return next(one for one in told["factors"] if one["factor"] == factor)


def test_the_checklist_says_what_to_do(checklist):
    """Every factor of the environment with a sentence; the display's ones block nothing."""
    told = checklist.get()
    assert [one["state"] for one in told["factors"]] == ["waiting"] * 8
    assert len(told["blockers"]) == 6
    assert not told["ready"]
    blinds = state_of(told, "blinds")
    assert blinds["sentence"] in {"Open the blinds", "Close the blinds"}
    assert not state_of(told, "cursor")["may_confirm"]


def test_one_level_is_confirmed_with_a_name_and_a_note(checklist):
    """And the others still wait."""
    body = {"confirm": True, "name": "Ann", "note": "taped"}
    told = checklist.ask("POST", "/blinds", json=body).json()
    seen = state_of(told, "blinds")
    assert (seen["state"], seen["name"], seen["note"]) == ("confirmed", "Ann", "taped")
    assert seen["words"] == "confirmed by Ann"
    assert len(told["blockers"]) == 5


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/blinds", {"confirm": False, "name": "Ann"}, 422),
        ("/blinds", {"confirm": True}, 422),
        ("/blinds", {"confirm": True, "name": "  "}, 422),
        ("/blinds", {"confirm": True, "name": "A", "note": "x" * 501}, 422),
        ("/curtains", {"confirm": True, "name": "Ann"}, 404),
        ("/cursor", {"confirm": True, "name": "Ann"}, 409),
        ("/..%2Fblinds", {"confirm": True, "name": "Ann"}, 404),
        ("", {"name": "Ann"}, 422),
        ("", {"confirm_all": True, "unchanged": True, "name": "Ann"}, 422),
    ],
)
def test_what_confirms_nothing_is_refused(checklist, path, body, status):
    """With a status that fits; nothing changes."""
    answer = checklist.ask("POST", path, json=body)
    assert answer.status_code == status, answer.text
    assert len(checklist.get()["blockers"]) == 6


def test_everything_at_once(checklist):
    """For scripts, and for a person who has walked round the room."""
    told = checklist.ask("POST", json={"confirm_all": True, "name": "Ann"}).json()
    assert told["ready"]
    assert {one["name"] for one in told["factors"]} == {"Ann", None}


def test_only_operators_may(ready, checklist):
    """Not a phone, not a station, not nobody."""
    for token, status in ((None, 401), (ready.token, 403), (ready.phone_token, 403)):
        with ready.running.client(token) as client:
            assert client.get(checklist.at).status_code == status
            body = {"confirm_all": True, "name": "x"}
            assert client.post(checklist.at, json=body).status_code == status
            assert client.put(checklist.at + "/blinds/evidence").status_code == status


def test_the_form_works_without_scripts(checklist):
    """Ticked boxes, one button; then back to the checklist."""
    answer = checklist.form(do="confirm", factor=["blinds", "tripod"], name="Ann", note="")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sessions/{checklist.id}#conditions"
    assert len(checklist.get()["blockers"]) == 4
    for fields in (
        {"do": "confirm", "name": "Ann"},
        {"do": "confirm", "factor": "finish", "name": ""},
        {"do": "dance", "name": "Ann"},
        {},
    ):
        answer = checklist.form(**fields)
        assert answer.status_code == 422
        assert "<h1" in answer.text
    assert checklist.form(do="unchanged", name="Ann").status_code == 303
    assert len(checklist.get()["blockers"]) == 4
    assert checklist.form(do="apply").status_code == 303


def test_a_form_of_another_site_is_refused(ready, checklist):
    """As every unsafe request of a browser."""
    with ready.running.client() as client:
        client.post("/sign-in", data={"token": ready.running.rig.auth.token}, headers={
            "Origin": ready.running.url})  # fmt: skip
        answer = client.post(
            f"/sessions/{checklist.id}/conditions", data={"do": "unchanged", "name": "x"},
            headers={"Origin": "http://elsewhere.example"},
        )  # fmt: skip
    assert answer.status_code == 403


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_kept_as_evidence(ready, checklist, picture, kind):
    """Written anew as a JPEG below the session, under its hash, for the owner's eyes only."""
    answer = checklist.ask("PUT", "/blinds/evidence", content=picture(kind))
    assert answer.status_code == 201, answer.text
    sha256 = answer.json()["sha256"]
    path = ready.running.home / "sessions" / checklist.id / "evidence" / f"{sha256}.jpg"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert state_of(checklist.get(), "blinds")["evidence"][0]["sha256"] == sha256
    with ready.running.operator() as client:
        shown = client.get(answer.json()["url"])
        assert shown.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(shown.content)).size == (64, 48)
        other = client.get(f"/api/sessions/{checklist.id}/evidence/{'0' * 64}")
        assert other.status_code == 404


def test_what_is_no_picture_is_not_kept(ready, checklist, picture):
    """Nor one of an unknown factor, nor half of one."""
    whole = picture(size=(400, 400))
    for path, data, status in (
        ("/blinds/evidence", b"<svg onload=alert(1)>", 422),
        ("/blinds/evidence", b"", 422),
        ("/blinds/evidence", whole[: len(whole) // 2], 422),
        ("/blinds/evidence", picture("GIF"), 422),
        ("/blinds/evidence", b"\xff" * (8 * 1024 * 1024 + 1), 413),
        ("/curtains/evidence", whole, 404),
    ):
        answer = checklist.ask("PUT", path, content=data)
        assert answer.status_code == status, (path, data[:20], answer.text)
    assert not (ready.running.home / "sessions" / checklist.id / "evidence").exists()


def test_only_the_pixels_of_a_picture_are_kept(tmp_path, picture):
    """Turned upright, made small, without the place where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "secret maker"
    data = picture(size=(4000, 1000), exif=exif)
    sha256 = evidence.keep(tmp_path, "s" + "1" * 16, data)
    kept = evidence.place(tmp_path, "s" + "1" * 16, sha256)
    with Image.open(kept) as image:
        assert image.height == evidence.EDGE
        assert image.width < image.height
        assert not image.getexif()
    assert b"secret" not in kept.read_bytes()


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path, picture, monkeypatch):
    """A small file can hold a very large picture."""
    monkeypatch.setattr(evidence, "MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(EvidenceError, match="64 x 48 pixels"):
        evidence.keep(tmp_path, "s" + "1" * 16, picture())
    assert list(tmp_path.iterdir()) == []


def test_the_checklist_is_on_the_page_of_the_session(ready, checklist):
    """With a label for every field and a button that says what it does."""
    checklist.ask("POST", "/blinds", json={"confirm": True, "name": "A<b>", "note": "<i>"})

    def read(connection):
        found = sessions.find(connection, checklist.id)
        view = session_view(connection, found, ready.running.rig.hub)
        return view | {"conditions": conditions_view(connection, found)}

    view = ready.running.rig.database.query(read)
    text = TEMPLATES.get_template("conditions.html").render(s=view)
    assert "5 to do" in text
    assert "confirmed by A&lt;b&gt;" in text
    assert "<i>" not in text
    for factor in ("orientation", "tripod"):
        assert f'for="condition-{factor}"' in text
        assert f'for="evidence-{factor}"' in text
    assert 'id="condition-blinds"' not in text
    assert 'id="condition-cursor"' not in text
    assert "Set what the rig can set" not in text
