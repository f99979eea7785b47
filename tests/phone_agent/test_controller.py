"""What the phone asks the controller, and what it makes of every answer."""

from __future__ import annotations

import json
import socket

import pytest

from phone_agent.controller import Controller, ControllerError
from phone_agent.files import BadName

TOKEN = "phone-token-abc"
PAIRING = "xcap://pair?v=1&k=" + "A" * 43 + "&h=127.0.0.1:9"


def reply(http, status, body=b"", kind="application/json", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    http.send_response(status)
    http.send_header("Content-Type", kind)
    http.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        http.send_header(name, value)
    http.end_headers()
    http.wfile.write(data)


@pytest.fixture
def serve(http_server):
    """A controller whose every answer is the given one; `asked` is what came in."""

    def start(*answer, **headers):
        asked = []

        def handle(http):
            length = int(http.headers.get("Content-Length", 0))
            body = json.loads(http.rfile.read(length)) if length else None
            asked.append((http.command, http.path, http.headers["Authorization"], body))
            reply(http, *answer, **headers)

        server = http_server(handle)
        server.asked = asked
        return server

    return start


@pytest.fixture
def ask(serve):
    """A client of such a controller."""
    clients = []

    def start(*answer, token=TOKEN, clock_ns=lambda: 5_000_000_000, **headers):
        server = serve(*answer, **headers)
        clients.append(Controller(server.url, token, timeout_s=5, clock_ns=clock_ns))
        clients[-1].asked = server.asked
        return clients[-1]

    yield start
    for client in clients:
        client.close()


def test_code_is_exchanged(ask):
    """The pairing comes back; no token is sent before there is one."""
    controller = ask(200, {"pairing": PAIRING}, token="")
    assert controller.pair("ABCD2345", "Pixel" * 40) == PAIRING
    [(method, path, authorization, body)] = controller.asked
    assert (method, path, authorization) == ("POST", "/api/phone/pair", None)
    assert body == {"code": "ABCD2345", "device": ("Pixel" * 40)[:80]}


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (403, {"detail": "This code is not valid any more."}, "refused", "not valid any more"),
        (429, {"detail": "Too many wrong codes: wait a minute."}, "busy", "wait a minute"),
        (429, {}, "busy", "asks to wait a minute"),
        (404, {"detail": "Not Found"}, "refused", "Not Found"),
        (503, {"detail": "x"}, "busy", "not well"),
        (401, {"detail": "no"}, "refused", "pair it again"),
        (200, b"nonsense", "odd", "same version"),
        (200, [], "odd", "not an object"),
        (200, {"pairing": 7}, "odd", "no pairing"),
        (200, {"pairing": "http://x"}, "odd", "no pairing"),
    ],
)
def test_refusals_are_one_sentence(ask, status, body, kind, sentence):
    """What the controller says is said on; what makes no sense is named."""
    with pytest.raises(ControllerError, match=sentence) as caught:
        ask(status, body).pair("ABCD2345", "phone")
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "headers"),
    [(200, {}), (302, {"Location": "http://login.example/"}), (511, {}), (403, {}), (404, {})],
)
def test_captive_portal_is_named(ask, status, headers):
    """A page instead of JSON, or a redirect to one: the Wi-Fi wants a log-in."""
    page = b"<!doctype html><title>Free Wi-Fi</title>"
    controller = ask(status, page, "text/html; charset=utf-8", **headers)
    with pytest.raises(ControllerError, match="captive portal") as caught:
        controller.hello()
    assert caught.value.kind == "portal"


def test_controller_away():
    """Nothing listens there: what to look at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ControllerError, match="same network") as caught:
        Controller(f"http://127.0.0.1:{port}", TOKEN).hello()
    assert caught.value.kind == "away"


def test_hello_tells_how_wrong_the_clock_is(ask):
    """Positive: the phone is ahead."""
    said = {
        "station": "s1", "controller_version": "0.1", "time_ns": 1_500_000_000,
        "udp": [["192.168.1.5", 47911]],
    }  # fmt: skip
    controller = ask(200, said)
    hello = controller.hello()
    assert (hello.station, hello.version, hello.udp) == ("s1", "0.1", (("192.168.1.5", 47911),))
    assert hello.skew_s == pytest.approx(3.5)
    assert controller.asked == [("GET", "/api/phone/hello", f"Bearer {TOKEN}", None)]
    assert hello.session is None


@pytest.mark.parametrize(("session", "opened"), [(None, False), ("", False), ("s1", True)])
def test_hello_may_tell_of_a_session(ask, session, opened):
    """Only with one the display has a reason to answer over UDP."""
    said = {"station": "s1", "controller_version": "0.1", "time_ns": 1, "udp": []}
    assert ask(200, {**said, "session": session}).hello().session is opened


@pytest.mark.parametrize("said", [{}, {"station": "s", "udp": [1], "time_ns": 1}])
def test_half_a_hello_is_refused(ask, said):
    """No guess is made about the time."""
    with pytest.raises(ControllerError, match="lacks something"):
        ask(200, said).hello()


def test_status_is_posted(ask):
    """204 without a body is well."""
    controller = ask(204)
    controller.report({"state": "armed"})
    assert controller.asked == [
        ("POST", "/api/phone/status", f"Bearer {TOKEN}", {"state": "armed"})
    ]


def test_release_is_read(ask):
    """Names and hashes; allowed only when it is literally true."""
    photos = [{"name": "x1_a.jpg", "sha256": "ab" * 32}]
    release = ask(200, {"allowed": True, "photos": photos}).release("s1")
    assert release.allowed
    assert release.photos == {"x1_a.jpg": b"\xab" * 32}
    assert not ask(200, {"allowed": 1, "photos": []}).release("s1").allowed


@pytest.mark.parametrize(
    "photos",
    [[{"name": "../x.jpg", "sha256": "ab" * 32}], [{"name": "x.jpg", "sha256": "ab"}],
     [{"name": "x.jpg", "sha256": "AB" * 32}], [{"name": "x.jpg"}], "x", None],
)  # fmt: skip
def test_strange_release_deletes_nothing(ask, photos):
    """A list that cannot be read whole is no list."""
    with pytest.raises(ControllerError, match="cannot be read"):
        ask(200, {"allowed": True, "photos": photos}).release("s1")


def test_session_must_be_a_safe_name(ask):
    """It becomes a path of the request."""
    with pytest.raises(BadName):
        ask(200, {}).release("../s1")


def test_token_and_control_bytes_never_come_back(ask):
    """A problem document that repeats the request does not reach the terminal as it is."""
    with pytest.raises(ControllerError) as caught:
        ask(403, {"detail": f"bad {TOKEN} \x1b[31m"}).hello()
    assert TOKEN not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_stop_ends_it(ask):
    """Later calls fail at once."""
    controller = ask(200, {})
    controller.stop()
    with pytest.raises(ControllerError, match="stopped"):
        controller.hello()
