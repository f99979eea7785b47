"""The loopback camera brings whole frames in time, or says what happened."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.parse

import pytest
from PIL import Image

from display_agent.frames import FrameServer
from phone_agent.cameras import CameraFault
from phone_agent.cameras.loopback import LoopbackCamera
from phone_agent.jpeg import JpegInfo, inspect


def send(http, body, *, status=200, length=None, headers=()):
    http.send_response(status)
    for name, value in headers:
        http.send_header(name, value)
    if length is not False:
        http.send_header("Content-Length", str(len(body) if length is None else length))
    else:
        http.close_connection = True
    http.end_headers()
    http.wfile.write(body)


def shoot(server, target, deadline_s=5.0, **options):
    with pytest.raises(CameraFault) as caught:
        LoopbackCamera(server.url, **options).shoot(target, deadline_s)
    assert not target.exists()
    return caught.value


@pytest.mark.parametrize("path", ["", "/", "/frame.jpg"])
@pytest.mark.parametrize("length", [None, False], ids=["with-length", "until-close"])
def test_frame_becomes_the_photo(http_server, tmp_path, jpeg, path, length):
    """With or without a path, the bytes of GET /frame.jpg are the file."""
    frame, asked = jpeg(40, 30), []

    def answer(http):
        asked.append((http.path, http.headers["Authorization"]))
        send(http, frame, length=length)

    target = tmp_path / "1.1.aa.part"
    LoopbackCamera(http_server(answer).url + path).shoot(target, 5.0)
    assert target.read_bytes() == frame
    assert asked == [("/frame.jpg", None)]


def test_token_and_own_path_are_sent(http_server, tmp_path, jpeg):
    """A given path is kept and the token goes as a bearer."""
    asked = []

    def answer(http):
        asked.append((http.path, http.headers["Authorization"]))
        send(http, jpeg())

    camera = LoopbackCamera(http_server(answer).url + "/a/b.jpg", "secret")
    camera.shoot(tmp_path / "p", 5.0)
    assert asked == [("/a/b.jpg", "Bearer secret")]


def test_each_shot_is_a_fresh_frame(http_server, tmp_path, jpeg):
    """Two shots are two requests; nothing is kept from the first."""
    frames = [jpeg(10, 10), jpeg(12, 12)]
    server = http_server(lambda http: send(http, frames.pop(0)))
    camera = LoopbackCamera(server.url)
    camera.shoot(tmp_path / "a", 5.0)
    camera.shoot(tmp_path / "b", 5.0)
    assert inspect(tmp_path / "a") == JpegInfo(10, 10)
    assert inspect(tmp_path / "b") == JpegInfo(12, 12)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "CAMERA_EMPTY"), (b"<html>", "CAMERA_BAD_JPEG"), (b"\xff\xd8\xff", "CAMERA_BAD_JPEG")],
)
def test_what_is_no_photo_is_found_by_inspection(http_server, tmp_path, body, code):
    """The camera brings what there is; the check after it refuses empty and foreign bytes."""
    target = tmp_path / "p"
    LoopbackCamera(http_server(lambda http: send(http, body)).url).shoot(target, 5.0)
    with pytest.raises(CameraFault) as caught:
        inspect(target)
    assert caught.value.code_name == code


def test_truncated_frame_is_an_error(http_server, tmp_path, jpeg):
    """Fewer bytes than announced are no frame, even when they end well."""

    def answer(http):
        http.close_connection = True
        send(http, jpeg(), length=100_000)

    found = shoot(http_server(answer), tmp_path / "p")
    assert found.code_name == "CAMERA_ERROR"
    assert "before its answer was complete" in found.sentence


def test_silent_server_meets_the_deadline(http_server, tmp_path):
    """A server that accepts and says nothing costs the deadline, not more."""
    server = http_server(lambda http: http.server.ending.wait(20))
    start = time.monotonic()
    found = shoot(server, tmp_path / "p", 0.15)
    assert found.code_name == "CAMERA_TIMEOUT"
    assert "0.15 s" in found.sentence
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("slow", ["header", "body"])
def test_dripping_server_meets_the_deadline(http_server, tmp_path, slow):
    """Bytes that keep coming do not stretch the deadline: it is for the whole shot."""

    def answer(http):
        begin = b"HTTP/1.1 200 OK\r\n"
        http.wfile.write(begin if slow == "header" else begin + b"Content-Length: 9999\r\n\r\n")
        http.close_connection = True
        while not http.server.ending.wait(0.02):
            http.wfile.write(b"a: b\r\n" if slow == "header" else b"x")

    found = shoot(http_server(answer), tmp_path / "p", 0.2)
    assert found.code_name == "CAMERA_TIMEOUT"


def test_body_without_length_that_is_cut_off_is_no_photo(http_server, tmp_path, jpeg):
    """When the deadline ends a body without a length, its beginning is not taken for a photo."""

    def answer(http):
        send(http, jpeg(), length=False)
        http.server.ending.wait(20)

    assert shoot(http_server(answer), tmp_path / "p", 0.2).code_name == "CAMERA_TIMEOUT"


def test_cancel_ends_the_shot_and_leaves_the_camera_usable(http_server, tmp_path, jpeg):
    """Cancel comes from another thread; the next shot works."""
    asked = threading.Event()

    def answer(http):
        if not asked.is_set():
            asked.set()
            http.server.ending.wait(20)
        send(http, jpeg(11, 12))

    camera = LoopbackCamera(http_server(answer).url)
    faults = []

    def run():
        try:
            camera.shoot(tmp_path / "a", 30.0)
        except CameraFault as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    assert asked.wait(5)
    camera.cancel()
    thread.join(5)
    assert [fault.code_name for fault in faults] == ["CAMERA_ERROR"]
    assert "cancelled" in faults[0].sentence
    camera.cancel()  # without a shot it does nothing
    camera.shoot(tmp_path / "b", 5.0)
    assert inspect(tmp_path / "b") == JpegInfo(11, 12)


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (302, "CAMERA_ERROR", "redirects"),
        (401, "CAMERA_PERMISSION", "token"),
        (403, "CAMERA_PERMISSION", "token"),
        (404, "CAMERA_ERROR", "no frame now"),
        (503, "CAMERA_ERROR", "no frame now"),
        (206, "CAMERA_ERROR", "no frame now"),
    ],
)
def test_other_answers_are_faults(http_server, tmp_path, jpeg, status, code, says):
    """Only 200 is a frame; a redirect is not followed."""
    asked = []

    def answer(http):
        asked.append(http.path)
        send(http, jpeg(), status=status, headers=[("Location", "/other.jpg")])

    found = shoot(http_server(answer), tmp_path / "p", token="hush")
    assert (found.code_name, asked) == (code, ["/frame.jpg"])
    assert says in found.sentence
    assert "hush" not in found.sentence


@pytest.mark.parametrize("length", [None, False])
def test_oversize_frame_is_refused(http_server, tmp_path, length):
    """A frame beyond the limit is not read into memory."""
    server = http_server(lambda http: send(http, b"x" * 5000, length=length))
    assert "4096" in shoot(server, tmp_path / "p", max_bytes=4096).sentence


def test_nobody_listening(http_server, tmp_path):
    """A server that is away is a camera error which names the place."""
    server = http_server(lambda http: None)
    server.end()
    found = shoot(server, tmp_path / "p")
    assert (found.code_name, "Nothing listens" in found.sentence) == ("CAMERA_ERROR", True)


def test_unwritable_target_is_the_disks_fault(http_server, tmp_path, jpeg):
    """An OSError of the file system is not disguised as a camera fault."""
    camera = LoopbackCamera(http_server(lambda http: send(http, jpeg())).url)
    with pytest.raises(FileNotFoundError):
        camera.shoot(tmp_path / "gone" / "p", 5.0)


def test_probe_tells_the_size_or_why_not(http_server, jpeg):
    """A camera that is away is a fact, not an exception."""
    bodies = [jpeg(50, 20), b"nothing yet"]
    server = http_server(lambda http: send(http, bodies.pop(0)))
    camera = LoopbackCamera(server.url)
    place = server.url.removeprefix("http://")
    assert camera.probe() == {
        "backend": "loopback", "id": place, "w": 50, "h": 20, "ready": True, "note": "",
    }  # fmt: skip
    assert "not a whole JPEG" in camera.probe()["note"]
    server.end()
    away = camera.probe()
    assert (away["ready"], away["w"]) == (False, 0)
    assert "Nothing listens" in away["note"]


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:80", "ftp://h/x", "http://", "http://u:pw@h/", "http://h:99999", "http://h/?k=pw",
     "http://h/#pw", "http://h/a b", "http://h/\u00e4", "http://[::1"],
)  # fmt: skip
def test_bad_addresses_are_refused_without_repeating_them(url):
    """What a person pasted may hold a password."""
    with pytest.raises(ValueError, match="address") as caught:
        LoopbackCamera(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/frame.jpg", "/a/b.jpg"])
@pytest.mark.parametrize("mark", ["?", "#"])
def test_a_token_in_the_address_travels_as_a_header_only(http_server, tmp_path, jpeg, path, mark):
    """The server sees a bearer and a path without it; nothing that people see holds it."""
    asked = []

    def answer(http):
        asked.append((http.path, http.headers["Authorization"]))
        send(http, jpeg(), status=200 if len(asked) == 1 else 401)

    server = http_server(answer)
    camera = LoopbackCamera(f"{server.url}{path}{mark}token=hush-%2F%7e1")
    camera.shoot(tmp_path / "p", 5.0)
    assert asked == [(path if path.endswith(".jpg") else "/frame.jpg", "Bearer hush-/~1")]
    note = str(camera.probe())
    assert "check its token" in note
    assert "hush" not in note
    server.end()
    assert "hush" not in str(camera.probe())


def test_a_frame_server_that_asks_for_a_token_gives_the_frame(tmp_path):
    """The display agent's own server: 401 without, a photo of what is up with either address."""
    addresses = []

    async def serve():
        frames = FrameServer(lambda: Image.new("RGB", (64, 48), "grey"), token="s3cret+/=")
        await frames.start()
        encoded = urllib.parse.quote("s3cret+/=", safe="")
        addresses.extend(frames.url + end for end in ("", f"?token={encoded}", f"#token={encoded}"))
        try:
            return [await asyncio.to_thread(LoopbackCamera(a).probe) for a in addresses]
        finally:
            await frames.close()

    without, query, fragment = asyncio.run(serve())
    assert (without["ready"], "token" in str(without["note"])) == (False, True)
    for facts in (query, fragment):
        assert facts["ready"], facts
        assert "s3cret" not in str(facts)


@pytest.mark.parametrize(
    "end",
    ["?token=hush&x=1", "?x=1&token=hush", "?token=hush#token=hush", "?token=hush?token=hush",
     "#hush", "?hush", "?token=", "#token=", "?token=hu%20sh", "?token=hush%0aX", "?token=%ff"],
)  # fmt: skip
def test_anything_else_behind_the_address_is_refused_without_repeating_it(end):
    with pytest.raises(ValueError, match=r"address|token") as caught:
        LoopbackCamera("http://h/frame.jpg" + end)
    assert "hu" not in str(caught.value)


def test_a_token_is_given_once():
    with pytest.raises(ValueError, match="twice") as caught:
        LoopbackCamera("http://h/?token=hush", "hush")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a b", "x\ny", "\u00fc"])
def test_bad_tokens_are_refused_without_repeating_them(token):
    """A token that would break the header is refused at once."""
    with pytest.raises(ValueError, match=r"^The token") as caught:
        LoopbackCamera("http://h", token)
    assert not token or token not in str(caught.value)
