"""Photos of real runs go to a real server over two connections; deletions follow permission."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time

import pytest

from phone_agent.status import Status
from phone_agent.store import PhotoStore
from phone_agent.upload_log import UploadLog
from phone_agent.uploads import CONNECTIONS, LOG, Uploads
from rig.protocol.ledger import Run, Shot, ShotState


@pytest.fixture
def store(tmp_path):
    """A phone's folder with four photos and their sidecars."""
    with PhotoStore(tmp_path / "rig") as opened:
        for index in range(1, 5):
            opened.photo_path(f"p{index}.jpg").write_bytes(b"photo %d" % index * 5000)
            opened.sidecar_path(f"p{index}.jpg").write_bytes(b'{"i": %d}' % index)
        yield opened


@pytest.fixture
def run(store):
    """The finished subset these photos are of."""
    made = Run(bytes(8), 1, 1, 4, bytes(32), "e", "s1", bytes(32), committed=4, finished=True)
    for index in range(1, 5):
        data = store.photo_path(f"p{index}.jpg").read_bytes()
        made.shots[index, 1] = Shot(
            index, 1, state=ShotState.COMMITTED, token=bytes(8), meta_sha=bytes(32),
            sha256=hashlib.sha256(data).digest(), size=len(data), name=f"p{index}.jpg",
        )  # fmt: skip
    return made


@pytest.fixture
def start(store, controller):
    """Start uploads; what is said and shown is kept."""
    running = []

    def begin(mode="batch"):
        out, shown = io.StringIO(), []
        status = Status(out, json_lines=True)
        uploads = Uploads(
            controller.url, controller.TOKEN, store.folder, mode, status, shown.append
        )
        uploads.start()
        running.append(uploads)
        uploads.out, uploads.shown = out, shown
        return uploads

    yield begin
    for each in running:
        each.stop()


def send(uploads, run, store):
    for shot in run.committed_shots():
        uploads.photo(run.session, store, shot)
    uploads.finish(run, store)


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_batch_goes_over_two_connections(start, run, store, controller):
    """Both are kept alive; all bytes are there, the manifest closes the batch once."""
    controller.gate = threading.Event()
    uploads = start()
    send(uploads, run, store)
    until(lambda: controller.server.opened == CONNECTIONS)
    controller.gate.set()
    uploads.wait()
    assert len(controller.files) == 8
    for (_, name), stored in controller.files.items():
        assert bytes(stored.data) == (store.photos / name).read_bytes()
    assert [m["count"] for m in controller.manifests] == [4]
    # One more may be there for the question about the deletion.
    assert controller.server.opened <= CONNECTIONS + 1
    assert uploads.shown[-1] == "batch s1 is complete at the controller"


def test_cut_anywhere_it_is_whole_in_the_end(start, run, store, controller):
    """Broken in each file at another byte; after a restart nothing is sent twice."""
    controller.plan = ["cut:3", "cut:0", "ok", "cut:20000", "500", "422", "early:503"]
    uploads = start()
    send(uploads, run, store)
    uploads.wait()
    assert len(controller.files) == 8
    for (_, name), stored in controller.files.items():
        assert bytes(stored.data) == (store.photos / name).read_bytes()
    uploads.stop()
    before = len(controller.patches)
    again = start()
    send(again, run, store)
    again.wait()
    assert len(controller.patches) == before


def test_permission_deletes_and_a_restart_knows(start, run, store, controller, monkeypatch):
    """Asked once the batch is closed; a restart neither sends nor misses what is gone."""
    photos = [{"name": s.name, "sha256": s.sha256.hex()} for s in run.committed_shots()[:3]]
    answer = json.dumps({"allowed": True, "photos": photos}).encode()

    def get(http):
        assert http.path == "/api/sessions/s1/release"
        assert http.headers["Authorization"] == f"Bearer {controller.TOKEN}"
        http.send_response(200)
        http.send_header("Content-Length", str(len(answer)))
        http.end_headers()
        http.wfile.write(answer)

    monkeypatch.setattr(controller.server.RequestHandlerClass, "do_GET", get, raising=False)
    uploads = start()
    send(uploads, run, store)
    until(lambda: not store.photo_path("p3.jpg").exists())
    until(lambda: "deleted 3 photos of s1" in uploads.out.getvalue())
    assert store.photo_path("p4.jpg").is_file()
    assert store.sidecar_path("p1.jpg").is_file()
    uploads.stop()
    assert len(UploadLog(store.folder / LOG).released) == 3
    again = start()
    send(again, run, store)
    again.wait()
    assert "failed" not in again.out.getvalue()
