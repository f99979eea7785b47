"""One connection: TLS for real, and cut from outside at any moment."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from phone_agent.link import Link, LinkCut, LinkError, Url, parse_url

PEM = Path(__file__).with_name("localhost.pem")


@pytest.fixture
def tls_server():
    """Accepts TLS connections and answers every request with `hello`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError), context.wrap_socket(
                plain, server_side=True
            ) as secure:  # fmt: skip
                while secure.recv(65536):
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_with_a_trusted_certificate(tls_server, host):
    """Two exchanges over one TLS connection."""
    context = ssl.create_default_context(cafile=str(PEM))
    with Link(parse_url(f"https://{host}:{tls_server}"), timeout_s=5, context=context) as link:
        for _ in range(2):
            assert link.exchange("GET", "/", {}).body == b"hello"


def test_tls_with_a_strange_certificate(tls_server):
    """The default context trusts no self-signed certificate, and the sentence says so."""
    with (
        Link(parse_url(f"https://127.0.0.1:{tls_server}"), timeout_s=5) as link,
        pytest.raises(LinkError, match="certificate this phone does not trust"),
    ):
        link.exchange("GET", "/", {})


def test_cut_during_a_tls_handshake():
    """A server that takes the connection and never speaks TLS can be left at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = Link(parse_url(f"https://127.0.0.1:{listener.getsockname()[1]}"), timeout_s=30)
        caught = []

        def run():
            try:
                link.exchange("GET", "/", {})
            except LinkCut as cut:
                caught.append(str(cut))

        thread = threading.Thread(target=run)
        thread.start()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(10)  # the ClientHello is out: the handshake waits
            link.cut("enough")
            thread.join(5)
            assert not thread.is_alive()
        link.close()
        assert caught == ["enough"]


def test_cut_before_the_start_and_twice():
    """A cut link stays cut, with the first reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = Link(parse_url(f"http://127.0.0.1:{listener.getsockname()[1]}"), timeout_s=5)
        link.cut("first")
        link.cut("second")
        for _ in range(2):
            with pytest.raises(LinkCut, match="first"):
                link.exchange("GET", "/", {})
        link.close()


def test_unknown_host_is_a_link_error(monkeypatch):
    """Names that the system cannot resolve are told as such."""

    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        Link(Url("http", "rig.lan", 80, ""), timeout_s=5) as link,
        pytest.raises(LinkError, match=r"rig\.lan:80 failed: .*not known"),
    ):
        link.exchange("GET", "/", {})


@pytest.mark.parametrize(
    ("text", "url", "place"),
    [
        ("http://h", Url("http", "h", 80, ""), "h:80"),
        ("https://h/", Url("https", "h", 443, ""), "h:443"),
        ("http://192.168.1.5:8000/rig/", Url("http", "192.168.1.5", 8000, "/rig"), None),
        ("http://[::1]:8000/", Url("http", "::1", 8000, ""), "[::1]:8000"),
    ],
)
def test_addresses(text, url, place):
    """Ports default by scheme, trailing slashes go, IPv6 is bracketed in messages."""
    assert parse_url(text) == url
    assert place is None or url.place == place
