"""Every route there is, from outside; devices that are signed out; errors that say nothing."""

from __future__ import annotations

import hashlib
import re
import socket
from contextlib import contextmanager

import pytest
from PIL import Image
from starlette.routing import Mount, WebSocketRoute

from rig.errors import UserError
from rig.store import tables
from rig.store.errors import StoreError
from rig.web.app import create_app
from rig.web.controller import Controller, read_secret
from rig.web.routes import every
from rig.web.server import make_server, need_token
from rig.web.tries import MOST, Tries

PUBLIC = {
    "/sign-in": "the form and the one-time link",
    "/favicon.ico": "the icon of the form",
    "/phone": "a pairing code is the permission",
    "/phone/agent.pyz": "the phone agent; it holds no secret",
    "/phone/agent.sha256": "its hash",
    "/api/phone/pair": "a pairing code is the permission",
    "/static/{path:path}": "style, scripts and icons of the form",
}
"""What is open to everybody, and why. Nothing else is."""
ENDLESS = "/api/events"


def walk(app):
    """(method, path template) of all routes, of mounted apps and WebSockets too."""
    found = []
    for route in every(app):
        if isinstance(route, Mount):
            found.append(("GET", route.path + "/{path:path}"))
        elif isinstance(route, WebSocketRoute):
            found.append(("WS", route.path))
        else:
            found += [(method, route.path) for method in sorted(route.methods)]
    return found


def fill(path, **names):
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda m: str(names.get(m[1], "x")), path)


@pytest.fixture
def routes(tmp_path):
    """All routes of an app."""
    rig = Controller.open(tmp_path / "other")
    app = create_app(rig)
    yield walk(app)
    rig.jobs.close()
    rig.database.close()


@pytest.fixture
def names(ready):
    """Path parameters that name what there is."""
    sid = ready.new_session()["id"]
    sha256 = ready.running.rig.database.query(
        lambda c: c.execute(tables.xray.select().limit(1)).mappings().one()["sha256"]
    )
    return {
        "session": sid, "name": "first", "sha256": sha256, "station": "room-1", "subset": 1,
        "index": 1, "catalog": "tiny", "device": "iphone", "factor": "room_light",
    }  # fmt: skip


def browser(running):
    """A client as a browser that has no cookie yet."""
    client = running.client()
    client.headers["Origin"] = running.url
    return client


@contextmanager
def signed_in(running, **form):
    """A browser with a cookie, as a client."""
    with browser(running) as client:
        answer = client.post("/sign-in", data={"token": running.rig.auth.token, **form})
        assert answer.status_code == 303
        yield client


def test_nothing_is_seen_without_signing_in_on_any_route(ready, routes, names):
    """401 or the way to the form, on each of them; save a list that is named here."""
    secrets = ("tiny", "room-1", names["session"], "patient0")
    seen = set()
    with ready.running.client() as client:
        for method, template in routes:
            if template in PUBLIC:
                seen.add(template)
                continue
            if method == "WS":
                continue
            path = fill(template, **names)
            answer = client.request(method, path)
            assert answer.status_code == 401, (method, template)
            page = client.request(method, path, headers={"Accept": "text/html"})
            assert page.status_code in {401, 303}, (method, template)
            if page.status_code == 303:
                assert page.headers["location"] == "/sign-in", template
            for secret in secrets:
                assert secret not in answer.text + page.text, template
    assert seen == set(PUBLIC)
    assert len(routes) > 100


def test_agents_without_a_token_do_not_get_in(ready, routes):
    """The WebSocket too."""
    assert [path for method, path in routes if method == "WS"] == ["/api/agent"]
    with ready.running.client() as client:
        upgrade = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }  # fmt: skip
        assert client.get("/api/agent", headers=upgrade).status_code in {401, 403}


def everything(running):
    """A hash over all rows of all tables."""
    total = hashlib.sha256()
    with running.rig.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            rows = connection.execute(table.select()).all()
            total.update(repr((table.name, rows)).encode())
    return total.hexdigest()


def test_no_get_changes_anything_on_any_route(ready, routes, names):
    """Asked for by an operator with names that exist, each GET leaves every table as it was."""
    before, asked = everything(ready.running), 0
    with ready.running.operator() as client:
        for method, template in routes:
            if method != "GET" or template == ENDLESS:
                continue
            answer = client.get(fill(template, **names), headers={"Accept": "text/html"})
            assert answer.status_code < 500, template
            assert everything(ready.running) == before, template
            asked += 1
    assert asked > 50


def test_every_get_of_a_command_is_refused(ready, routes, names):
    """Where only a POST is, a GET is 405 problem details that say what is taken."""
    gets = {path for method, path in routes if method == "GET"}
    only = {path for method, path in routes if method in {"POST", "PUT", "DELETE"}} - gets
    with ready.running.operator() as client:
        for template in sorted(only):
            answer = client.get(fill(template, **names))
            assert answer.status_code == 405, template
            assert answer.json()["status"] == 405
            assert answer.headers["allow"], template
        both = client.delete("/api/stations")
        assert both.headers["allow"] == "GET, POST"


def test_signing_out_voids_a_copied_cookie(running):
    """It is forgotten at the controller, not only by the browser."""
    with signed_in(running) as client:
        stolen = dict(client.cookies)
        with running.client(cookies=stolen) as thief:
            assert thief.get("/api/me").status_code == 200
            answer = client.post("/sign-out")
            assert "Max-Age=0" in answer.headers["set-cookie"]
            assert thief.get("/api/me").status_code == 401
    kept = running.rig.database.query(lambda c: c.execute(tables.device.select()).mappings().all())
    assert [one["revoked_ns"] is None for one in kept] == [False]
    (value,) = stolen.values()
    assert value not in repr(kept)


def test_each_device_is_signed_out_by_itself(running):
    """A browser by another one; a script's token; the others stay."""
    with signed_in(running, name="anna") as anna, signed_in(running, name="bo") as bo:
        assert anna.get("/api/me").json()["name"] == "anna"
        made = anna.post("/api/devices", json={"name": "cy", "label": "night script"}).json()
        with running.client(made["token"]) as script:
            assert script.get("/api/me").json()["name"] == "cy"
            listed = anna.get("/api/devices").json()
            assert [one["kind"] for one in listed] == ["script", "browser", "browser"]
            assert [one["name"] for one in listed if one["current"]] == ["anna"]
            for one in listed:
                if one["name"] in {"bo", "cy"}:
                    assert anna.post(f"/api/devices/{one['id']}/revoke").json()["good"] is False
                    again = anna.post(f"/api/devices/{one['id']}/revoke")
                    assert again.status_code == 409
            assert script.get("/api/me").status_code == 401
        assert bo.get("/api/me").status_code == 401
        assert anna.get("/api/me").status_code == 200
        assert anna.post("/api/devices/d0000000000000000/revoke").status_code == 404


def test_a_browsers_name_goes_with_its_commands(ready):
    """It is said once, kept with the sign-in, and stands in the log."""
    with signed_in(ready.running) as client:
        assert client.get("/api/me").json()["name"] is None
        assert client.post("/api/me", json={"name": "  Anna  B "}).json()["name"] == "Anna B"
        sid = ready.new_session()["id"]
        assert client.post(f"/api/sessions/{sid}/lock/take").json()["holder"] == "Anna B"
    with ready.running.operator() as client:
        assert client.post("/api/me", json={"name": "x"}).status_code == 409


async def test_a_stations_token_can_be_renewed(ready, agent):
    """The old one is void at once and its connection ends."""
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    async with agent(ready) as one:
        fresh = ready.running.post("/api/stations/room-1/renew")["token"]
        with pytest.raises(ConnectionClosed):
            await one.until("nothing")
    with pytest.raises(InvalidStatus):
        async with agent(ready):
            pass
    ready.token = fresh
    async with agent(ready) as again:
        assert again.welcome["station"] == "room-1"


def test_guessing_is_slowed_down(running):
    """After a few wrong tries the right token is not looked at either, for a minute."""
    with browser(running) as client:
        for _ in range(MOST):
            assert client.post("/sign-in", data={"token": "wrong"}).status_code == 403
        told = client.post("/sign-in", data={"token": running.rig.auth.token})
        assert told.status_code == 429
        assert 0 < int(told.headers["retry-after"]) <= 60
        assert client.get("/sign-in", params={"token": "guess"}).status_code == 429
        assert client.get("/sign-in").status_code == 200


def test_wrong_tries_are_forgotten_after_a_minute():
    """Of one sender; a clock that is set back locks nobody out."""
    tries, second = Tries(), 10**9
    for n in range(MOST):
        assert tries.wait_s("10.0.0.1", 100 * second) is None, n
        tries.wrong("10.0.0.1", 100 * second)
    assert tries.wait_s("10.0.0.1", 101 * second) == 59
    assert tries.wait_s("10.0.0.2", 101 * second) is None
    assert tries.wait_s("10.0.0.1", 161 * second) is None
    for _ in range(MOST):
        tries.wrong("10.0.0.1", 200 * second)
    assert tries.wait_s("10.0.0.1", 5 * second) is None


def test_a_body_that_grows_over_its_limit_is_413(running):
    """Announced or in chunks: problem details in both cases."""
    with running.operator() as client:
        told = client.post("/api/campaigns", content=b"x" * (8 * 2**20 + 1))
        grown = client.post("/api/campaigns", content=(b"x" * 2**20 for _ in range(9)))
    for answer in (told, grown):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert "8388608 bytes" in answer.json()["detail"]


def test_a_mistake_of_ours_tells_nothing_and_is_noted(running, monkeypatch):
    """500 as problem details, with all headers; the audit log has it."""

    def broken(*_args, **_more):
        raise RuntimeError("patient00001 was here")

    monkeypatch.setattr("rig.capture.stations.add", broken)
    with running.operator() as client:
        answer = client.post("/api/stations", json={"name": "a"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "content-security-policy" in answer.headers
    assert "patient" not in answer.text
    (row,) = running.get("/api/audit")
    assert (row["action"], row["status"]) == ("add_station", 500)
    assert "patient" not in repr(row)


@pytest.mark.parametrize("left", [0, 31, 33])
def test_a_secret_that_was_cut_short_is_refused(tmp_path, left):
    """All tokens follow from it: with an empty one everybody could make them."""
    (tmp_path / "secret").write_bytes(b"x" * left)
    with pytest.raises(StoreError, match=f"has {left} bytes, not 32"):
        read_secret(tmp_path)


def test_pictures_with_too_many_pixels_are_not_decoded(ready, monkeypatch):
    """Neither of a photo that came nor of one that somebody sends."""
    from rig.web import images

    sha256 = ready.running.rig.database.query(
        lambda c: c.execute(tables.xray.select().limit(1)).mappings().one()["sha256"]
    )
    with ready.running.operator() as client:
        assert client.get(f"/api/images/{sha256}?width=16").status_code == 200
        monkeypatch.setattr(images, "MOST_PIXELS", 100)
        told = client.get(f"/api/images/{sha256}?width=16")
    assert told.status_code == 422
    assert "cannot be read as a picture" in told.json()["detail"]


def test_pictures_are_of_the_kinds_that_are_meant(tmp_path):
    """A file that another decoder would open is none."""
    from rig.web.images import _scale

    Image.effect_noise((8, 8), 9).save(tmp_path / "a.jpg", "GIF")
    with pytest.raises(OSError, match="cannot identify"):
        _scale(tmp_path / "a.jpg", 8)


@pytest.mark.parametrize(
    ("address", "token", "starts"),
    [
        ("127.0.0.1", "", True), ("::1", "short", True), ("0.0.0.0", "", False),
        ("0.0.0.0", "x" * 15, False), ("::", "", False), ("192.168.1.5", "short", False),
        ("rig.example", "", False), ("0.0.0.0", "x" * 16, True), ("192.168.1.5", "x" * 43, True),
    ],
)  # fmt: skip
def test_who_can_be_reached_by_others_needs_a_token(address, token, starts):
    """However it is started: the loopback address alone does without."""
    if starts:
        need_token(address, token)
        return
    with pytest.raises(UserError, match="needs an access token of at least 16 characters"):
        need_token(address, token)


async def test_a_server_on_the_network_does_not_start_without_a_token(tmp_path):
    """The check is where the socket is, not only on the command line."""
    rig = Controller.open(tmp_path / "home")
    assert len(rig.auth.token) >= 16  # of the home's own, which nobody chose
    with socket.create_server(("0.0.0.0", 0)) as listener:
        server = make_server(create_app(rig), rig)
        with pytest.raises(UserError, match=r"listens on 0\.0\.0\.0.*rig token make"):
            await server.serve(sockets=[listener])
    rig.auth.token = ""
    assert not rig.auth.is_token("")
    rig.jobs.close()
    rig.database.close()
