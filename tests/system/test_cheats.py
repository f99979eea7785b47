"""What must stop the rig, or at least be found out: wrong index, wrong picture, cut uploads."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from rig.protocol.chain import chain_next
from rig.protocol.codes import Code, MessageType, Timers
from rig.protocol.datagram import BadDatagram, Datagram, canonical, decode, encode, parse_payload
from rig.protocol.endpoint import Connection
from rig.protocol.keys import Pairing, boot_key, connection_keys, parse_pairing

pytestmark = pytest.mark.system


class RogueDisplay(asyncio.DatagramProtocol):
    """A second display with the right key and a wrong idea of the index."""

    def __init__(
        self, pairing: Pairing, campaign: str, session: dict[str, Any], photos: Path
    ) -> None:
        self._photos = photos
        self._psk = pairing.psk
        self._key = boot_key(pairing.psk)
        self._nonce = os.urandom(16)
        self._campaign, self._session = campaign, session
        self._connection: Connection | None = None
        self._ready: dict[str, Any] = {}
        self.let_loose = False
        self.aborted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            kind = decode(data, self._key)
        except BadDatagram:
            if self._connection is not None:
                self._answer(self._connection.open(data, addr, 0.0), addr)
            return
        if kind.type == MessageType.KNOCK and self.let_loose and self._connection is None:
            body = {
                "nonce_d": self._nonce.hex(),
                "campaign_id": self._campaign,
                "vmin": 1,
                "vmax": 1,
            }
            hello = Datagram(MessageType.HELLO, pn=1, subset=1, payload=canonical(body))
            self._transport.sendto(encode(hello, self._key), addr)
        elif kind.type == MessageType.READY and self._connection is None:
            self._arm(kind, addr)

    def _arm(self, ready: Datagram, addr: tuple[str, int]) -> None:
        self._ready = parse_payload(ready.payload)
        keys = connection_keys(self._psk, self._nonce, bytes.fromhex(self._ready["nonce_p"]))
        self._connection = Connection(keys.conn_id, keys.d2p, keys.p2d, addr, 0.0, Timers())
        chain = bytes.fromhex(self._ready["chain"])
        self._next = self._ready["committed"] + 1
        if "in_doubt_sha" in self._ready:
            self._next += 1
            photo = bytes.fromhex(self._ready["in_doubt_sha"])
            meta = self._meta_of(self._ready["in_doubt_index"])
            attempt = self._ready["in_doubt_attempt"]
            chain = chain_next(chain, self._ready["in_doubt_index"], attempt, photo, meta)
        body = {
            "campaign_id": self._campaign, "first": 1, "last": self._session["last"],
            "manifest": self._session["manifest"], "env_id": "x", "session": self._session["id"],
            "view_committed": self._ready["committed"], "view_sha": self._ready.get("in_doubt_sha"),
            "resolution": "commit" if "in_doubt_sha" in self._ready else "none",
        }  # fmt: skip
        self._send(Datagram(MessageType.ARM, subset=1, index=self._next, chain=chain[:8],
                            payload=canonical(body)), addr)  # fmt: skip

    def _meta_of(self, index: int) -> bytes:
        """The sidecar is the metadata to the byte, so its digest is the metadata's."""
        sidecar = next(self._photos.glob(f"*_i{index:07d}_*.json"))
        return hashlib.sha256(sidecar.read_bytes()).digest()

    def _answer(self, d: Datagram | None, addr: tuple[str, int]) -> None:
        if d is None:
            return
        if d.type == MessageType.ARMED:
            meta = canonical({"key": "p/s/v", "env": "x"})
            self._send(Datagram(
                MessageType.CAPTURE, subset=1, index=self._next + 1, attempt=1, token=b"rogue!!!",
                chain=d.chain, digest=hashlib.sha256(meta).digest()[:8], payload=meta,
            ), addr)  # fmt: skip
        elif d.type == MessageType.ABORT and not self.aborted.done():
            self.aborted.set_result(d.code)
            self._send(Datagram(MessageType.ABORT_ACK, ack_pn=d.pn, digest=d.digest), addr)

    def _send(self, template: Datagram, addr: tuple[str, int]) -> None:
        assert self._connection is not None
        self._transport.sendto(self._connection.seal(template, 0.0)[1], addr)


async def test_an_index_that_is_not_the_next_one_stops_everything(
    make_rig: Callable[..., Any], tools: dict[str, Any]
) -> None:
    """Abort on both sides and on the dashboard, nothing more written, until a person re-arms."""
    rig = make_rig(10)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    real = parse_pairing(rig.pairing.read_text())
    rogue_port = tools["free_port"](2)
    both = Pairing(real.psk, (*real.hosts, ("127.0.0.1", rogue_port)), "", real.upload_url,
                   real.upload_token)  # fmt: skip
    rig.start_phone(pair=both.url())
    rig.start_session()
    await asyncio.to_thread(rig.await_committed, 3)
    rig.post(f"/api/sessions/{rig.session}/pause")
    await asyncio.to_thread(rig.await_state, "paused")
    await asyncio.to_thread(rig.display.kill)
    exported = rig.rig("plan", "export", "c", "1")
    assert exported.returncode == 0, exported.stderr
    manifest = json.loads(exported.stdout)["manifest_sha256"]
    campaign = json.loads(exported.stdout)["campaign_id"]
    session = {"id": rig.session, "last": 10, "manifest": manifest}
    loop = asyncio.get_running_loop()
    transport, rogue = await loop.create_datagram_endpoint(
        lambda: RogueDisplay(real, campaign, session, rig.phone_dir / "photos"),
        local_addr=("127.0.0.1", rogue_port),
    )
    try:
        rogue.let_loose = True
        async with asyncio.timeout(20):
            assert await rogue.aborted == Code.INDEX_MISMATCH
    finally:
        transport.close()
    written = sorted(p.name for p in (rig.phone_dir / "photos").iterdir())
    await asyncio.to_thread(rig.display.start)
    seen = await asyncio.to_thread(rig.await_state, "aborted")
    assert seen["abort"]["code"] == "INDEX_MISMATCH"
    assert "the next one is" in seen["abort"]["why"]
    assert any(line.get("event") == "aborted" for line in rig.phone.lines())
    page = rig.http.get(f"/sessions/{rig.session}")
    assert "INDEX_MISMATCH" in page.text or "the next one is" in page.text
    assert sorted(p.name for p in (rig.phone_dir / "photos").iterdir()) == written

    wrong = rig.http.post(f"/api/sessions/{rig.session}/rearm", json={"abort_id": "00" * 8})
    assert wrong.status_code == 409
    assert rig.show()["state"] == "aborted"
    rig.post(f"/api/sessions/{rig.session}/rearm", abort_id=seen["abort"]["abort_id"])
    await asyncio.to_thread(rig.await_state, "completed")
    await asyncio.to_thread(rig.audit)


@pytest.fixture
def lagging_camera() -> Iterator[Callable[[str, int], str]]:
    """A camera that once returns the picture before: shot number *n* shows what n - 1 showed."""
    servers: list[ThreadingHTTPServer] = []

    def make(frames: str, nth: int) -> str:
        state: dict[str, Any] = {"shots": 0, "last": b""}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fresh = httpx.get(f"{frames}/frame.jpg", trust_env=False).content
                state["shots"] += 1
                body = state["last"] if state["shots"] == nth else fresh
                state["last"] = fresh
                self.send_response(200)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/frame.jpg"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_photo_of_another_xray_is_rejected_and_not_in_the_dataset(
    make_rig: Callable[..., Any], lagging_camera: Callable[[str, int], str], tmp_path: Path
) -> None:
    """A camera that returns the previous picture fools the protocol, not the optical check."""
    rig = make_rig(6)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    shots_before_first = 0
    rig.start_phone(camera=lagging_camera(rig.frames, shots_before_first + 4))
    rig.start_session()
    rig.await_state("completed")
    verdicts = {v["index"]: v for v in rig.await_verdicts()}
    bad = [i for i, v in verdicts.items() if not v["verified"]]
    assert len(bad) == 1
    assert verdicts[bad[0]]["reason"]
    assert rig.show()["rejected"] == 1
    built = rig.rig("dataset", "build", "c", "--out", str(tmp_path / "out"), "--json")
    assert built.returncode == 1, "a gap is not a success"
    report = json.loads(built.stdout)
    assert [gap["index"] for gap in report["gaps"]] == bad
    paths = list(Path(report["dataset"]).rglob("*.jpg"))
    assert len(paths) == 5


def test_a_cut_upload_is_resumed(
    make_rig: Callable[..., Any], cutting_proxy: Callable[..., Any]
) -> None:
    """Connections that die in mid-photo cost a retry from where they stopped, never a photo."""
    rig = make_rig(6)
    proxy = cutting_proxy(rig.port, cuts=4, after=60_000)
    rig.public_url = f"http://127.0.0.1:{proxy.port}"
    rig.bring_up()
    rig.await_state("completed")
    verdicts = rig.await_verdicts()
    assert proxy.cut == 4
    assert all(v["verified"] for v in verdicts)
    rig.audit()
    incoming = rig.home / "sessions" / rig.session / "incoming"
    for sent in (rig.phone_dir / "photos").iterdir():
        assert (incoming / sent.name).read_bytes() == sent.read_bytes()
