"""The frame server over real loopback HTTP."""

from __future__ import annotations

import asyncio
import io
import threading

import httpx
import numpy as np
import pytest
from PIL import Image

from display_agent.compose import compose
from display_agent.frames import MAX_HEAD, FrameServer, Optics
from display_agent.screens.null import NullScreen
from rig.errors import UserError

TOKEN = "frame-token"


def _ramp(offset: int = 0) -> Image.Image:
    row = (np.arange(64) * 3 + offset).astype(np.uint8)
    return Image.fromarray(np.tile(row, (48, 1)))


@pytest.fixture
async def screen():
    made = NullScreen((64, 48))
    await made.show(b"token017", compose(_ramp(), (64, 48)))
    return made


@pytest.fixture
async def serve(screen):
    """Start a frame server of the screen with the given options; closed afterwards."""
    started: list[FrameServer] = []

    async def start(**options) -> FrameServer:
        server = FrameServer(screen.frame, **options)
        await server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        await server.close()


@pytest.fixture
async def http():
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def _raw(server: FrameServer, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def _pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


async def test_the_frame_that_is_up_is_served_as_grey_jpeg(serve, http):
    """Without optics the photo is the frame."""
    answer = await http.get((await serve()).url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert np.abs(_pixels(answer.content) - np.asarray(_ramp()).astype(int)).max() < 12


async def test_each_request_sees_what_is_up_at_that_moment(serve, http, screen):
    """Paint, look, blank, look."""
    server = await serve()
    await screen.show(b"token018", compose(_ramp(40), (64, 48)))
    seen = _pixels((await http.get(server.url)).content)
    assert np.abs(seen - np.asarray(_ramp(40)).astype(int)).mean() < 8
    await screen.close()
    assert _pixels((await http.get(server.url)).content).max() < 5


async def test_the_answer_tells_nothing_but_the_pixels(serve, http):
    """A camera would not know which image it is, so neither headers nor file may say."""
    answer = await http.get((await serve()).url)
    assert set(answer.headers) == {
        "content-type",
        "content-length",
        "cache-control",
        "x-content-type-options",
        "connection",
    }
    assert b"token017" not in answer.content
    assert answer.headers["cache-control"] == "no-store"


async def test_head_has_the_headers_and_no_body(serve):
    """As GET would answer."""
    server = await serve()
    answer = await _raw(server, b"HEAD /frame.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: image/jpeg" in head
    assert body == b""


async def test_optics_are_those_of_one_tripod_and_a_noisy_sensor(serve, http):
    """Two photos differ by noise only; the same seed gives the same row of photos."""
    options = {"optics": Optics("typical", seed=5, megapixels=0.05)}
    first, again = await serve(**options), await serve(**options)
    one = (await http.get(first.url)).content
    two = (await http.get(first.url)).content
    assert one != two
    assert np.abs(_pixels(one) - _pixels(two)).mean() < 6
    assert (await http.get(again.url)).content == one
    other = await serve(optics=Optics("typical", seed=6, megapixels=0.05))
    assert np.abs(_pixels(one) - _pixels((await http.get(other.url)).content)).mean() > 6


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "rig.example"])
async def test_an_open_address_without_token_is_refused_before_listening(screen, host):
    """The sentence says the two ways out."""
    server = FrameServer(screen.frame, host=host)
    with pytest.raises(UserError, match="give a token, or listen on 127"):
        await server.start()


async def test_an_open_address_with_token_answers_who_brings_it(serve, http):
    """As bearer or in the query; anything else is 401 and the token is not echoed."""
    server = await serve(host="0.0.0.0", token=TOKEN)
    url = f"http://127.0.0.1:{server.port}/frame.jpg"
    assert (await http.get(url, params={"token": TOKEN})).status_code == 200
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert (await http.get(url, headers=bearer)).status_code == 200
    for attempt in (
        http.get(url),
        http.get(url, params={"token": "guess"}),
        http.get(f"{url}?token={TOKEN}&token={TOKEN}"),
        http.get(url, headers={"Authorization": f"Basic {TOKEN}"}),
        http.get(url, params={"token": TOKEN}, headers={"Authorization": "Bearer guess"}),
        http.get(url, params={"token": "gu\u00e9ss"}),
    ):
        answer = await attempt
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert TOKEN not in answer.text


async def test_a_token_on_loopback_is_asked_for_too(serve, http):
    """Whoever set one meant it."""
    assert (await http.get((await serve(token=TOKEN)).url)).status_code == 401


async def test_without_token_a_foreign_host_name_is_refused(serve, http):
    """A web page that points its own name at this machine does not see the screen."""
    server = await serve()
    answer = await http.get(server.url, headers={"Host": f"evil.example:{server.port}"})
    assert answer.status_code == 421
    for name in ("localhost", f"127.0.0.1:{server.port}", "[::1]:80"):
        assert (await http.get(server.url, headers={"Host": name})).status_code == 200


async def test_other_paths_and_methods_are_refused(serve, http):
    """404 and 405, the latter saying what is allowed."""
    server = await serve()
    base = server.url.removesuffix("/frame.jpg")
    assert (await http.get(f"{base}/")).status_code == 404
    assert (await http.get(f"{base}/frame.jpg/17")).status_code == 404
    answer = await http.post(server.url, content=b"x" * 200_000)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET /frame.jpg\r\n\r\n",
        b"GET frame.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /frame.jpg HTTP/2\r\nHost: localhost\r\n\r\n",
        b"GET /frame.jpg HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /frame.jpg HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
        b"GET /frame.jpg HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_400(serve, request_):
    """And the server goes on."""
    server = await serve()
    assert (await _raw(server, request_)).startswith(b"HTTP/1.1 400 ")
    good = b"GET /frame.jpg HTTP/1.0\r\nHost: localhost\r\n\r\n"
    assert (await _raw(server, good)).startswith(b"HTTP/1.1 200 ")


async def test_too_long_a_head_is_answered_431(serve):
    """Memory per client is bounded."""
    server = await serve()
    long = b"GET /frame.jpg HTTP/1.1\r\nX: " + b"y" * (4 * MAX_HEAD) + b"\r\n\r\n"
    assert (await _raw(server, long)).startswith(b"HTTP/1.1 431 ")


async def test_who_sends_nothing_is_let_go(serve):
    """After the patience, with 408."""
    server = await serve(patience=0.02)
    assert (await _raw(server, b"GET /fra")).startswith(b"HTTP/1.1 408 ")


async def test_too_many_clients_are_turned_away(serve):
    """The camera's own connection is one; a flood gets 503."""
    server = await serve(max_clients=1)
    _, idle = await asyncio.open_connection("127.0.0.1", server.port)
    good = b"GET /frame.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert (await _raw(server, good)).startswith(b"HTTP/1.1 503 ")
    idle.close()


async def test_the_loop_goes_on_while_a_photo_is_made(screen, http, monkeypatch):
    """Optics and encoding never hold up a capture."""
    loop, begun, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slow(frame, *_args, **_options):
        loop.call_soon_threadsafe(begun.set)
        assert release.wait(10)
        return frame

    monkeypatch.setattr("display_agent.frames.photograph", slow)
    server = FrameServer(screen.frame)
    await server.start()
    asking = asyncio.create_task(http.get(server.url))
    await begun.wait()
    release.set()  # reached only because the loop is free
    assert (await asking).status_code == 200
    await server.close()


async def test_a_frame_that_cannot_be_encoded_is_answered_500(http):
    """The sentence stays general, the log has the fault."""
    server = FrameServer(lambda: Image.new("L", (4, 4)), optics=Optics("no such"))  # type: ignore[arg-type]
    await server.start()
    answer = await http.get(server.url)
    assert answer.status_code == 500
    assert "no such" not in answer.text
    await server.close()


async def test_a_taken_port_is_said_in_a_sentence(serve, screen):
    """With the address and what to do."""
    server = await serve()
    second = FrameServer(screen.frame, port=server.port)
    with pytest.raises(UserError, match=f"127.0.0.1:{server.port}.*choose another"):
        await second.start()


async def test_closing_drops_clients_and_leaves_no_thread(screen, http):
    """Twice is fine."""
    server = FrameServer(screen.frame)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await http.get(server.url)  # came second, so the first is being served by now
    assert len(server._clients) >= 1
    await server.close()
    await server.close()
    assert await reader.read() == b""
    writer.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("frames")]
