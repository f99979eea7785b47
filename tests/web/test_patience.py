"""Whoever sends nothing, or a little now and then, does not hold a connection."""

from __future__ import annotations

import contextlib
import socket
import time

import httpx
import pytest

from rig.web import patience
from rig.web.patience import PatientProtocol

HOST = b"Host: 127.0.0.1\r\n"
PAIR = b"POST /api/phone/pair HTTP/1.1\r\n" + HOST
FORM = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Origin: http://127.0.0.1\r\n"


@pytest.fixture
def impatient(monkeypatch):
    """A head and a body have half a second."""
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(patience, "BODY_SECONDS", 0.5)


def connect(ready, first=b""):
    line = socket.create_connection(("127.0.0.1", httpx.URL(ready.running.url).port), timeout=20)
    line.sendall(first)
    return line


def end_of(line, *, drip=b""):
    """All that comes until the other side closes; *drip* is sent again and again meanwhile."""
    got = b""
    line.settimeout(0.1 if drip else 20)
    until = time.monotonic() + 20
    with line:
        while time.monotonic() < until:
            try:
                data = line.recv(65536)
            except TimeoutError:
                assert drip, "the connection is still open"
                with contextlib.suppress(OSError):
                    line.sendall(drip)
                continue
            except ConnectionResetError:
                return got
            if not data:
                return got
            got += data
    raise AssertionError("the connection is still open")


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: 127", b""),
        (b"GET / HTTP/1.1\r\n" + HOST, b"X: y\r\n"),
    ],
    ids=["nothing", "half a head", "a head that never ends"],
)
def test_a_request_that_never_begins_is_not_waited_for(ready, impatient, first, drip):
    """Even if something arrives all the time."""
    assert end_of(connect(ready, first), drip=drip) == b""


@pytest.mark.parametrize("head", [PAIR, FORM], ids=["pair", "sign-in"])
def test_a_body_that_does_not_come_is_an_error(ready, impatient, head):
    """The two forms that are open to everybody; no traceback is logged for it."""
    line = connect(ready, head + b"Content-Length: 1000\r\n\r\n{")
    answer = end_of(line, drip=b" ")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 "))


def test_a_refused_request_is_not_read_to_its_end(ready, impatient):
    """401 at once; the body it announced holds nothing up."""
    line = connect(ready, b"POST /api/campaigns HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n")
    assert end_of(line).startswith(b"HTTP/1.1 401 ")


def test_a_second_request_has_no_more_time(ready, impatient):
    """On a connection that is kept, too."""
    ask = b"GET /phone/agent.sha256 HTTP/1.1\r\n" + HOST + b"\r\n"
    line = connect(ready, ask + b"GET / HTTP/1.1\r\n")
    assert end_of(line).startswith(b"HTTP/1.1 200 ")


def test_who_is_signed_in_may_take_time(ready, impatient):
    """A phone in a bad spot sends slowly, and a live page only listens."""
    url = httpx.URL(ready.running.url)
    token = ready.running.rig.auth.token.encode()
    body = b'{"name": "slow-1"}'
    head = b"POST /api/stations HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + token
    head += b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ready.running.operator() as client, client.stream("GET", "/api/events") as live:
        line = connect(ready, head)
        for byte in body[:-1]:
            line.sendall(bytes([byte]))
            time.sleep(0.1)
        line.sendall(body[-1:])
        line.settimeout(20)
        assert line.recv(65536).startswith(b"HTTP/1.1 201 ")
        line.close()
        lines = live.iter_lines()
        assert any(part.startswith("event: tick") for part in lines)
    assert url.port


@pytest.mark.parametrize(("address", "refused"), [("192.0.2.7", True), ("127.0.0.1", False)])
def test_one_address_has_so_many_connections(address, refused, monkeypatch):
    """Others are not in its way; this machine's own proxy is not counted."""
    monkeypatch.setattr(patience, "MOST_FROM_ONE", 3)
    one = object.__new__(PatientProtocol)
    one.connections = {_Client(address, number) for number in range(3)}
    one.connections |= {_Client("192.0.2.8", number) for number in range(9)}
    assert not one._crowded(address)
    one.connections.add(_Client(address, 99))
    assert one._crowded(address) is refused


class _Client:
    def __init__(self, address, number):
        self.client = (address, number)
