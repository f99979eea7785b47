"""The status page: what it shows, and to whom."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re

import pytest

from phone_agent.findings import Finding
from phone_agent.page import CSP, PageError, StatusPage, is_loopback, status_address
from phone_agent.page_source import PAGE
from phone_agent.view import View

TOKEN = "0123456789abcdef"


@pytest.fixture
def view():
    return View()


@pytest.fixture
def serve(view):
    """Start a page; the answer to GET comes as (status, headers, body)."""
    pages = []

    def start(token=""):
        page = StatusPage(("127.0.0.1", 0), view, token)
        page.start()
        pages.append(page)

        def get(path, host="127.0.0.1"):
            connection = http.client.HTTPConnection(*page._server.server_address, timeout=10)
            try:
                connection.request("GET", path, headers={"Host": host})
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

        return get

    yield start
    for page in pages:
        page.close()


def test_page_runs_nothing_but_its_own_script(serve):
    """The policy names the hashes of exactly the script and style that are in the page."""
    status, headers, body = serve()("/")
    assert (status, body.decode()) == (200, PAGE)
    assert headers["Content-Security-Policy"] == CSP
    for tag in ("script", "style"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in CSP
    assert "default-src 'none'" in CSP
    assert "unsafe" not in CSP
    assert not re.search(r"https?://|\son\w+=|style=", PAGE)


def test_status_is_the_snapshot_without_paths(serve, view, tmp_path):
    """Everything the page draws; no path of the phone."""
    view.update(
        state="armed", index=7, name="x1_a.jpg", count=3, total=9, battery_pct=80,
        checks=(Finding("clock", False, "late"),), photo=tmp_path / "x1_a.jpg",
    )  # fmt: skip
    status, headers, body = serve()("/status.json")
    said = json.loads(body)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert (said["state"], said["index"], said["count"], said["total"]) == ("armed", 7, 3, 9)
    assert said["checks"] == [{"name": "clock", "ok": False, "text": "late"}]
    assert said["has_photo"] is True
    assert str(tmp_path) not in body.decode()


def test_last_photo_is_the_agents_choice(serve, view, tmp_path):
    """The request names no file; without a photo, or with one that is gone, 404."""
    get = serve()
    assert get("/last.jpg")[0] == 404
    photo = tmp_path / "x1_a.jpg"
    photo.write_bytes(b"\xff\xd8photo")
    view.update(photo=photo)
    status, headers, body = get("/last.jpg?name=../../etc/passwd&n=1")
    assert (status, headers["Content-Type"], body) == (200, "image/jpeg", b"\xff\xd8photo")
    photo.unlink()
    assert get("/last.jpg")[0] == 404


@pytest.mark.parametrize("path", ["/x1_a.jpg", "/photos/", "/../pairing.json", "/status"])
def test_nothing_else_is_served(serve, path):
    """Three paths, and no file by its name."""
    assert serve()(path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.7:8765", ""])
def test_other_names_for_loopback_see_nothing(serve, host):
    """DNS rebinding: a page of the web that resolves to 127.0.0.1."""
    get = serve()
    assert get("/status.json", host)[0] == 403
    assert get("/last.jpg", host)[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765"])
def test_loopback_names_are_known(serve, host):
    """What the phone's own browser says."""
    assert serve()("/status.json", host)[0] == 200


def test_token_is_asked_of_everything(serve):
    """Whatever the Host header says."""
    get = serve(TOKEN)
    for path in ("/", "/status.json", "/last.jpg"):
        assert get(path)[0] == 403
        assert get(f"{path}?t={TOKEN[:-1]}")[0] == 403
    assert get(f"/status.json?t={TOKEN}", "phone.example")[0] == 200


def test_token_is_required_beyond_loopback(view):
    """Photos of patients' x-rays are not for the whole Wi-Fi."""
    with pytest.raises(PageError, match="--status-token"):
        StatusPage(("0.0.0.0", 0), view)
    with pytest.raises(PageError, match="16 characters"):
        StatusPage(("127.0.0.1", 0), view, "short")


def test_taken_address_is_a_sentence(view):
    """Another agent's page."""
    first = StatusPage(("127.0.0.1", 0), view)
    try:
        with pytest.raises(PageError, match="--status off"):
            StatusPage(first._server.server_address, view)
    finally:
        first.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8765", ("127.0.0.1", 8765)), ("[::1]:80", ("::1", 80)), ("a:0", ("a", 0))],
)
def test_address_is_read(text, address):
    """HOST:PORT."""
    assert status_address(text) == address


@pytest.mark.parametrize("text", ["8765", ":8765", "a:b", "a:65536", "a:", ""])
def test_no_address_is_refused(text):
    """One sentence with an example."""
    with pytest.raises(PageError, match="HOST:PORT"):
        status_address(text)


def test_loopback_is_judged_by_address_not_by_prefix():
    """A name that begins like a loopback address is none."""
    assert is_loopback("127.8.9.1")
    assert is_loopback("::1")
    assert not is_loopback("127.0.0.1.evil.example")
    assert not is_loopback("0.0.0.0")


def test_clients_that_say_nothing_do_not_pile_up(view):
    """At most eight are waited for; the next ones are turned away, the page lives on."""
    import socket

    page = StatusPage(("127.0.0.1", 0), view)
    page.start()
    idle = []
    try:
        address = page._server.server_address
        idle += [socket.create_connection(address, timeout=10) for _ in range(20)]
        turned_away = 0
        for each in idle[8:]:
            turned_away += each.recv(1) == b""
        assert turned_away == 12
    finally:
        for each in idle:
            each.close()
        page.close()


def test_clients_that_drip_are_ended(view, monkeypatch):
    """A byte now and then does not hold one of the eight places for ever."""
    import socket
    import time

    monkeypatch.setattr("phone_agent.page._CLIENT_S", 0.5)
    page = StatusPage(("127.0.0.1", 0), view)
    page.start()
    try:
        with socket.create_connection(page._server.server_address, timeout=0.1) as line:
            line.sendall(b"GET / HTTP/1.1\r\n")
            ended, until = False, time.monotonic() + 20
            while not ended and time.monotonic() < until:
                try:
                    line.sendall(b"X: y\r\n")
                    ended = line.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    ended = True
        assert ended
    finally:
        page.close()
