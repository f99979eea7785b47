"""The queue sends everything in the end, in order, through restarts and refusals."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from phone_agent.manifest import BatchReply, ManifestPhoto
from phone_agent.upload import Uploader, UploadError
from phone_agent.upload_log import UploadLog
from phone_agent.upload_queue import UploadJob, UploadQueue


class Fake:
    """A sender with planned answers; `sent` is what went through."""

    def __init__(self):
        self.plan = []
        self.replies = []
        self.sent = []
        self.tried = []
        self.closed_batches = []
        self.gate = None
        self.ended = False

    def upload(self, session, path, name, sha256, progress=None):
        self.tried.append(name)
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.plan and (error := self.plan.pop(0)) is not None:
            raise error
        if progress is not None:
            progress(5, 5)
        self.sent.append((session, name, sha256))

    def close_batch(self, session, photos, count, chain):
        self.closed_batches.append((session, len(photos), count, chain))
        reply = self.replies.pop(0) if self.replies else BatchReply(True, (), True)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def stop(self):
        if self.gate is not None:
            self.gate.set()

    def close(self):
        self.ended = True


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def said():
    return []


@pytest.fixture
def make(tmp_path, fake, said):
    """Make a started queue; all are stopped at the end."""
    queues = []

    def build(*senders, start=True, **options):
        options = {"retry_s": 0.001, "refused_s": 0.002, "on_progress": said.append, **options}
        log = UploadLog(tmp_path / "uploads.jsonl")
        queues.append(UploadQueue(senders or [fake], log, **options))
        if start:
            queues[-1].start()
        return queues[-1]

    yield build
    for queue in queues:
        assert queue.stop()


@pytest.fixture
def job(tmp_path):
    def build(name, session="s1", data=b"photo"):
        path = tmp_path / name
        path.write_bytes(data)
        return UploadJob(session, path, name)

    return build


SHA = hashlib.sha256(b"photo").digest()
MANIFEST = [ManifestPhoto("a.jpg", SHA, 5, 1, 1)]


def kinds(said) -> list[str]:
    return [each.kind for each in said if each.kind != "sending"]


def test_files_go_in_order_while_shooting(make, fake, said, job):
    """Mode "during": at once, with progress, hashed if need be."""
    queue = make()
    for name in ("a.jpg", "a.json", "b.jpg"):
        queue.put(job(name))
    assert queue.wait(5)
    assert fake.sent == [("s1", name, SHA) for name in ("a.jpg", "a.json", "b.jpg")]
    assert kinds(said) == ["confirmed"] * 3
    assert [each.done for each in said if each.kind == "confirmed"] == [1, 2, 3]
    assert said[-1].total == 3


def test_batch_mode_waits_for_the_end(make, fake, job):
    """Mode "batch": nothing moves until the session is finished; other sessions still wait."""
    queue = make(mode="batch")
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg", session="s2"))
    assert queue.wait(5)  # nothing that may be sent
    assert fake.tried == []
    queue.finish("s1", MANIFEST, 1, "c0")
    assert queue.wait(5)
    assert fake.tried == ["a.jpg"]
    assert fake.closed_batches == [("s1", 1, 1, "c0")]
    queue.release("s2")
    assert queue.wait(5)
    assert fake.tried == ["a.jpg", "b.jpg"]


def test_batch_is_closed_after_its_last_file(make, fake, said, job):
    """The manifest never overtakes a photo, though finish is called first."""
    fake.gate = threading.Event()
    queue = make()
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg"))
    queue.finish("s1", MANIFEST, 2, "c0")
    assert not queue.wait(0.05)
    assert fake.closed_batches == []
    fake.gate.set()
    assert queue.wait(5)
    assert kinds(said) == ["confirmed", "confirmed", "closed"]


def test_lost_link_is_waited_out_in_order(make, fake, said, job):
    """The same file again, then the rest; nobody is skipped."""
    fake.plan = [UploadError("link", "away"), UploadError("refused", "pair"), None]
    queue = make()
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg"))
    assert queue.wait(5)
    assert fake.tried == ["a.jpg", "a.jpg", "a.jpg", "b.jpg"]
    assert kinds(said) == ["waiting", "waiting", "confirmed", "confirmed"]
    assert [each.note for each in said if each.kind == "waiting"] == ["away", "pair"]


def test_refused_session_does_not_hold_up_the_others(make, fake, said, job):
    """A session the controller no longer knows rests alone, files and batch."""
    fake.plan = [UploadError("refused", "not known")]
    queue = make(refused_s=600, start=False)
    queue.put(job("a.jpg", session="old"))
    queue.finish("old", MANIFEST, 1, "c1")
    queue.put(job("b.jpg"))
    queue.finish("s1", MANIFEST, 1, "c0")
    queue.start()
    assert not queue.wait(0.1)
    assert fake.tried == ["a.jpg", "b.jpg"]
    assert fake.closed_batches == [("s1", 1, 1, "c0")]
    queue.retry_now()
    assert queue.wait(5)
    assert fake.tried == ["a.jpg", "b.jpg", "a.jpg"]
    assert fake.closed_batches[1:] == [("old", 1, 1, "c1")]


def test_pauses_of_a_lost_link_grow_to_a_minute(make, fake, job, monkeypatch):
    """2, 4, ... 60 s, and back to 2 s after a success."""
    queue, pauses = make(start=False, retry_s=2.0), []
    monkeypatch.setattr(
        queue._change, "wait_for", lambda done, pause: pauses.append(pause) or done()
    )
    fake.plan = [UploadError("link", "away")] * 7 + [None, UploadError("link", "away")]
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg"))
    for _ in range(10):
        queue._send(queue._await_work(), fake)
        queue._busy.clear()
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 2]


def test_one_bad_file_does_not_block_the_rest(make, fake, said, job):
    """A file of its own trouble is told and passed over."""
    fake.plan = [UploadError("file", "damaged twice")]
    queue = make()
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg"))
    assert queue.wait(5)
    assert fake.sent == [("s1", "b.jpg", SHA)]
    assert [(e.kind, e.name, e.note) for e in said if e.kind == "failed"] == [
        ("failed", "a.jpg", "damaged twice")
    ]


def test_vanished_file_is_told(make, fake, said, job, tmp_path):
    """The hash cannot be computed: this file only."""
    gone = job("a.jpg")
    gone.path.unlink()
    queue = make()
    queue.put(gone)
    assert queue.wait(5)
    assert (kinds(said), fake.tried) == (["failed"], [])


def test_putting_twice_costs_nothing(make, fake, job):
    """The agent may put all committed photos again at any time."""
    queue = make()
    queue.put(job("a.jpg"))
    assert queue.wait(5)
    queue.put(job("a.jpg"))
    assert queue.wait(5)
    assert fake.tried == ["a.jpg"]


def test_restart_asks_nothing_about_confirmed_files(make, fake, said, job):
    """A second process finds the log: confirmed files and the closed batch cost no request."""
    first = make()
    first.put(job("a.jpg"))
    first.finish("s1", MANIFEST, 1, "c0")
    assert first.wait(5)
    assert first.stop()
    said.clear()
    second = make()
    second.put(job("a.jpg"))
    second.put(job("b.jpg"))
    second.finish("s1", MANIFEST, 1, "c0")
    assert second.wait(5)
    assert fake.tried == ["a.jpg", "b.jpg"]
    assert len(fake.closed_batches) == 1
    assert kinds(said) == ["confirmed", "confirmed", "closed"]


def test_missing_files_are_sent_again(make, fake, said, job):
    """The controller has the last word over the log."""
    fake.replies = [BatchReply(False, ("a.jpg",), True)]
    queue = make()
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg"))
    queue.finish("s1", MANIFEST, 2, "c0")
    assert queue.wait(5)
    assert fake.tried == ["a.jpg", "b.jpg", "a.jpg"]
    assert kinds(said) == ["confirmed", "confirmed", "incomplete", "confirmed", "closed"]
    assert said[-1].done == 2


def test_files_missing_again_and_again_are_given_up(make, fake, said, job):
    """After three rounds a person must look; the sentence is harmless to print."""
    fake.replies = [BatchReply(False, ("a.jpg",), True)] * 9
    queue = make()
    queue.put(job("a.jpg"))
    queue.finish("s1", MANIFEST, 1, "c0")
    assert queue.wait(5)
    assert len(fake.closed_batches) == 4
    assert kinds(said)[-1] == "failed"
    assert "first 'a.jpg'; bring them by cable" in said[-1].note


def test_files_the_phone_never_had_are_told_at_once(make, fake, said):
    """Nothing to send again: no rounds."""
    fake.replies = [BatchReply(False, ("\x1bz.jpg",), True)]
    queue = make()
    queue.finish("s1", [], 1, "c0")
    assert queue.wait(5)
    assert kinds(said) == ["failed"]
    assert said[0].note.isprintable()


def test_batch_not_durable_yet_is_asked_again(make, fake, said):
    """Complete without durable does not close the batch."""
    fake.replies = [BatchReply(True, (), False), UploadError("link", "away")]
    queue = make()
    queue.finish("s1", [], 0, "c0")
    assert queue.wait(5)
    assert kinds(said) == ["waiting", "waiting", "closed"]


def test_stop_in_mid_transfer_and_nothing_is_lost(make, controller, job, tmp_path, said):
    """With the real uploader: stopped while bytes move, a new queue finishes the file."""
    controller.gate = threading.Event()
    queue = make(Uploader(controller.url, controller.TOKEN))
    queue.put(job("a.jpg", data=b"x" * 300_000))
    assert controller.started.wait(5)
    assert queue.stop()
    assert "confirmed" not in kinds(said)
    controller.gate.set()
    again = make(Uploader(controller.url, controller.TOKEN))
    again.put(job("a.jpg", data=b"x" * 300_000))
    again.finish("s1", [ManifestPhoto("a.jpg", SHA, 300_000, 1, 1)], 1, "c0")
    assert again.wait(5)
    assert controller.data("a.jpg") == b"x" * 300_000
    assert kinds(said) == ["confirmed", "closed"]


def test_stop_ends_a_long_pause(make, fake, job):
    """Nobody waits for the next try of a lost link."""
    fake.plan = [UploadError("link", "away")]
    waiting = threading.Event()
    queue = make(retry_s=600, on_progress=lambda p: waiting.set())
    queue.put(job("a.jpg"))
    assert waiting.wait(5)
    assert not queue.wait(0.01)
    assert queue.stop(5)
    assert fake.ended


def test_retry_now_ends_a_pause(make, fake, job):
    """The network is back: go on."""
    fake.plan = [UploadError("refused", "pair")]
    waiting = threading.Event()
    queue = make(refused_s=600, on_progress=lambda p: waiting.set())
    queue.put(job("a.jpg"))
    assert waiting.wait(5)
    queue.retry_now()
    assert queue.wait(5)
    assert fake.sent


def test_full_phone_does_not_stop_the_uploads(make, fake, said, job, monkeypatch):
    """The log cannot be written: the file counts as confirmed, with a note."""

    def full(self, entry):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(UploadLog, "_append", full)
    queue = make()
    queue.put(job("a.jpg"))
    queue.put(job("b.jpg"))
    assert queue.wait(5)
    assert len(fake.sent) == 2
    assert "No space left" in said[-1].note


def test_defect_in_the_thread_is_not_silent(make, fake, job):
    """An unexpected exception comes out where somebody waits."""
    queue = make(on_progress=lambda progress: 1 / 0)
    queue.put(job("a.jpg"))
    with pytest.raises(ZeroDivisionError):
        queue.wait(5)
    with pytest.raises(ZeroDivisionError):
        queue.stop()
    queue._crash = None  # so that the fixture's own stop is quiet


def test_stop_without_start(make):
    """A queue that never ran ends as well."""
    assert make(start=False).stop()


class Line(Fake):
    """One of several connections: says what it begins and ends, and may be held up."""

    def __init__(self, name, events):
        super().__init__()
        self.name, self.events = name, events

    def upload(self, session, path, name, sha256, progress=None):
        self.events.append(("begin", self.name, name))
        super().upload(session, path, name, sha256, progress)
        self.events.append(("end", self.name, name))


@pytest.fixture
def lines():
    """Two connections that share one list of events."""
    events = []
    return Line("one", events), Line("two", events), events


def test_two_connections_send_at_the_same_time(make, lines, job):
    """While one waits for the controller's disk the other one sends; nothing goes twice."""
    one, two, events = lines
    one.gate = threading.Event()
    two.gate = threading.Event()
    queue = make(one, two)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        queue.put(job(name))
    until(lambda: len(events) == 2)
    assert {(what, who) for what, who, _ in events} == {("begin", "one"), ("begin", "two")}
    one.gate.set()
    two.gate.set()
    assert queue.wait(10)
    assert sorted(name for _, name, _ in one.sent + two.sent) == ["a.jpg", "b.jpg", "c.jpg"]


def test_photo_never_goes_before_its_sidecar(make, lines, job):
    """The second connection takes another photo's files, not this one's."""
    one, two, events = lines
    one.gate = threading.Event()
    two.gate = threading.Event()
    queue = make(one, two, mode="batch")
    for stem in "abcd":
        queue.put(job(f"{stem}.json"))
        queue.put(job(f"{stem}.jpg"))
    queue.release("s1")
    until(lambda: len(events) == 2)
    assert {name for _, _, name in events} == {"a.json", "b.json"}
    one.gate.set()
    two.gate.set()
    assert queue.wait(10)
    for stem in "abcd":
        ended = next(i for i, e in enumerate(events) if (e[0], e[2]) == ("end", f"{stem}.json"))
        began = next(i for i, e in enumerate(events) if (e[0], e[2]) == ("begin", f"{stem}.jpg"))
        assert ended < began


def test_batch_is_not_closed_while_a_file_is_under_way(make, lines, job):
    """The idle connection waits for the other one's last file, then one of them closes, once."""
    one, two, events = lines
    one.gate = threading.Event()
    two.gate = one.gate
    queue = make(one, two)
    queue.put(job("a.jpg"))
    queue.finish("s1", MANIFEST, 1, "c0")
    until(lambda: events)
    assert one.closed_batches + two.closed_batches == []
    one.gate.set()
    assert queue.wait(10)
    assert one.closed_batches + two.closed_batches == [("s1", 1, 1, "c0")]


def test_one_broken_connection_does_not_stop_the_other(make, lines, job, said):
    """The file that failed is sent in the end, by whichever comes first."""
    one, two, _ = lines
    one.plan = [UploadError("link", "cut")] * 3
    queue = make(one, two)
    for number in range(20):
        queue.put(job(f"{number}.jpg"))
    assert queue.wait(10)
    assert len({name for _, name, _ in one.sent + two.sent}) == 20
    assert len(one.sent + two.sent) == 20


def test_wait_ends_when_the_queue_is_stopped(make, fake, job):
    """Ctrl-C while a batch waits for a controller that is away."""
    fake.plan = [UploadError("link", "away")] * 1000
    queue = make(retry_s=60.0)
    queue.put(job("a.jpg"))
    ended = []
    waiter = threading.Thread(target=lambda: ended.append(queue.wait()))
    waiter.start()
    until(lambda: fake.tried)
    assert queue.stop()
    waiter.join(10)
    assert ended == [False]


def until(condition):
    """Poll threads that have clocks of their own."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)
