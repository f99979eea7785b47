"""DICOMweb servers that page oddly, refuse, break off or send something else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.http import Web
from rig.dicom.pacs.model import Instance, Wanted
from rig.dicom.pacs.pace import Pace
from rig.dicom.pacs.web import WebSource

Answer = tuple[int, dict[str, str], bytes]
Respond = Callable[[str, dict[str, list[str]]], Answer]
ASKED = Instance("1.1", "1.1.1", "1.1.1.1", "1.9")


@pytest.fixture
def serve() -> Iterator[Callable[[Respond], WebSource]]:
    """Starts a server that answers by a function of path and query."""
    servers: list[ThreadingHTTPServer] = []
    sources: list[WebSource] = []

    def start(respond: Respond) -> WebSource:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                where = urlsplit(self.path)
                status, headers, body = respond(where.path, parse_qs(where.query))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        web = Web(f"http://127.0.0.1:{server.server_address[1]}/dw", timeout=20)
        sources.append(WebSource(web, Pace(0, time.monotonic, time.sleep), most=1 << 16))
        return sources[-1]

    yield start
    for source in sources:
        source.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def rows(*uids: str, tag: str) -> bytes:
    return json.dumps([{tag: {"vr": "UI", "Value": [uid]}} for uid in uids]).encode()


@pytest.mark.parametrize("page", [2, 100])
@pytest.mark.parametrize("knows_offset", [True, False])
def test_all_pages_are_read_whatever_their_size(
    serve: Callable[[Respond], WebSource], page: int, knows_offset: bool
) -> None:
    """A server with a limit of its own, and one that sends everything each time."""
    uids = [f"1.2.{number}" for number in range(5)]

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        if path.endswith("/studies"):
            start = int(query["offset"][0])
            some = uids[start : start + page] if knows_offset else uids
            return 200, {}, rows(*some, tag="0020000D")
        study = path.split("/")[3]
        return 200, {}, rows(f"{study}.1", tag="0020000E")

    found = [one.study for one in serve(respond).series(Wanted())]
    assert sorted(found) == uids


def test_no_content_is_nothing(serve: Callable[[Respond], WebSource]) -> None:
    assert list(serve(lambda _p, _q: (204, {}, b"")).series(Wanted())) == []


@pytest.mark.parametrize(
    ("answer", "sentence", "again", "some"),
    [
        ((401, {}, b""), "wants a password", False, False),
        ((403, {}, b""), "does not allow us", False, False),
        ((404, {}, b""), "does not have it", False, True),
        ((429, {}, b""), "wants us to be slower", True, True),
        ((503, {}, b""), "cannot do it .HTTP 503", True, True),
        ((302, {"Location": "http://192.0.2.1/"}, b""), "sends us to another", False, False),
        ((200, {"Content-Length": "500"}, b"half"), "broke off in the middle", True, False),
        ((200, {"Content-Type": "multipart/x; boundary=m"}, b"--m\r\n\r\n"), "broken", True, False),
        ((200, {"Content-Type": "multipart/related"}, b"x"), "is broken", True, False),
        ((200, {}, b"x" * (1 << 18)), "sends more than", False, False),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_image_is_explained(
    serve: Callable[[Respond], WebSource], answer: Answer, sentence: str, again: bool, some: bool
) -> None:
    source = serve(lambda _p, _q: answer)
    with pytest.raises(PacsError, match=sentence) as caught:
        source.fetch([ASKED], lambda _sop, _data: pytest.fail("it was kept"))
    assert (caught.value.again, caught.value.some) == (again, some)


@pytest.mark.parametrize("body", [b"<html>", b'{"a": 1}', rows("../x", tag="0020000D"), b'["x"]'])
def test_a_query_that_is_answered_with_something_else_is_told(
    serve: Callable[[Respond], WebSource], body: bytes
) -> None:
    with pytest.raises(PacsError, match=r"no JSON|no list|a UID that is none"):
        list(serve(lambda _p, _q: (200, {}, body)).series(Wanted()))


def test_parts_and_a_bare_file_are_both_taken(serve: Callable[[Respond], WebSource]) -> None:
    kept: list[bytes] = []
    parts = b"--m\r\nContent-Type: application/dicom\r\n\r\nBYTES\r\n--m--"
    kind = 'multipart/related; type="application/dicom"; boundary=m'
    serve(lambda _p, _q: (200, {"Content-Type": kind}, parts)).fetch(
        [ASKED], lambda _sop, data: kept.append(data)
    )
    serve(lambda _p, _q: (200, {"Content-Type": "application/dicom"}, b"BYTES")).fetch(
        [ASKED], lambda _sop, data: kept.append(data)
    )
    assert kept == [b"BYTES", b"BYTES"]
