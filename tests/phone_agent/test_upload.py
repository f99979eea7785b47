"""The uploader against a controller that keeps to the contract, or does not."""

from __future__ import annotations

import hashlib
import itertools
import socket
import ssl
import threading

import pytest

from phone_agent.files import BadName
from phone_agent.manifest import BatchReply, ManifestPhoto
from phone_agent.upload import Uploader, UploadError, UploadStopped

DATA = bytes(range(256)) * 1200  # 300 kB: several chunks
SHA = hashlib.sha256(DATA).digest()
NAME = "x1_k%2fv_~0f_c01.jpg"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(DATA)
    return path


@pytest.fixture
def naps():
    return []


@pytest.fixture
def uploader(controller, naps):
    with Uploader(
        controller.url, controller.TOKEN, sleep=naps.append, jitter=lambda: 0.5, timeout_s=5
    ) as made:
        yield made


def send(uploader, photo, **changes):
    arguments = {"session": "s1", "path": photo, "name": NAME, "sha256": SHA, **changes}
    uploader.upload(**arguments)


def refusal(uploader, photo, **changes) -> UploadError:
    with pytest.raises(UploadError) as caught:
        send(uploader, photo, **changes)
    return caught.value


def stored(controller) -> bytes:
    file = controller.files["s1", NAME.replace("%", "%25")]
    return bytes(file.data) if file.complete else b"incomplete"


def sent(controller) -> list[tuple[int, int]]:
    return [(offset, count) for _, offset, count in controller.patches]


def test_photo_arrives_whole(controller, uploader, photo, naps):
    """HEAD, then PATCH with everything; no pause was needed."""
    seen = []
    send(uploader, photo, progress=lambda done, size: seen.append((done, size)))
    assert stored(controller) == DATA
    assert sent(controller) == [(0, len(DATA))]
    assert naps == []
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))
    assert seen == sorted(seen)


def test_name_is_escaped_in_the_path(controller, uploader, photo):
    """`%` of the name itself is escaped, so the controller gets the very same name."""
    send(uploader, photo)
    assert controller.requests[0] == "HEAD /api/sessions/s1/photos/x1_k%252fv_~0f_c01.jpg"


def test_second_upload_costs_one_question(controller, uploader, photo):
    """What is complete is not sent again."""
    send(uploader, photo)
    send(uploader, photo)
    assert len(controller.patches) == 1


def test_connection_is_kept(controller, uploader, photo, tmp_path):
    """Several files go over one connection."""
    for number in range(4):
        send(uploader, photo, name=f"n{number}.jpg")
    assert controller.server.opened == 1


def test_broken_connection_resumes_with_the_missing_bytes_only(controller, uploader, photo, naps):
    """Twice cut in mid-body: each byte the controller has kept is sent once."""
    controller.plan = ["cut:100000", "cut:7"]
    send(uploader, photo)
    assert stored(controller) == DATA
    assert sent(controller) == [(0, 100_000), (100_000, 7), (100_007, len(DATA) - 100_007)]
    assert naps == [0.625, 1.25]


def test_lost_confirmation_is_asked_for(controller, uploader, photo):
    """All bytes arrived but the answer did not: HEAD says complete, nothing is sent twice."""
    controller.plan = [f"cut:{len(DATA)}"]
    send(uploader, photo)
    # The controller had all bytes but had not verified them: an empty PATCH completes the file.
    assert sent(controller) == [(0, len(DATA)), (len(DATA), 0)]
    assert stored(controller) == DATA


def test_wrong_offset_takes_the_controllers(controller, uploader, photo, naps):
    """409 tells the right offset, which is used at once."""
    controller.content = DATA
    controller.plan = ["409:5000"]
    send(uploader, photo)
    assert sent(controller) == [(0, len(DATA)), (5000, len(DATA) - 5000)]
    assert stored(controller) == DATA
    assert naps == []


def test_damage_on_the_way_restarts_once(controller, uploader, photo):
    """422 once: the whole file again."""
    controller.plan = ["422"]
    send(uploader, photo)
    assert sent(controller) == [(0, len(DATA)), (0, len(DATA))]
    assert stored(controller) == DATA


def test_damage_twice_is_an_error_of_this_file(controller, uploader, photo):
    """422 again: not the line, and nobody should wait for it."""
    controller.plan = ["422", "422"]
    found = refusal(uploader, photo)
    assert (found.kind, len(controller.patches)) == ("file", 2)
    assert "damaged twice" in str(found)


def test_photo_that_changed_on_the_phone_is_named(controller, uploader, photo):
    """When the phone's own copy has another hash, one 422 is enough."""
    found = refusal(uploader, photo, sha256=bytes(32))
    assert (found.kind, len(controller.patches)) == ("file", 1)
    assert "has changed on the phone" in str(found)


def test_server_errors_are_waited_out(controller, uploader, photo, naps):
    """500 to PATCH and 503 to HEAD pass; the pauses grow."""
    controller.plan = ["500"]
    controller.head_plan = [503, 429]
    send(uploader, photo)
    assert stored(controller) == DATA
    assert naps == [0.625, 1.25, 2.5]


def test_attempts_are_bounded(controller, uploader, photo, naps):
    """After the last attempt: a sentence with place and reason, no secret, no escape codes."""
    controller.plan = ["500"] * 99
    found = refusal(uploader, photo)
    assert found.kind == "link"
    assert len(controller.patches) == 6
    assert len(naps) == 5
    text = str(found)
    assert NAME in text
    assert "answered 500: disk on fire" in text
    assert controller.TOKEN not in text
    assert text.isprintable()


def test_pauses_have_a_ceiling(controller, photo, naps):
    """However long it lasts, nobody waits more than 22.5 s for the next try."""
    controller.head_plan = [500] * 12
    with Uploader(
        controller.url, controller.TOKEN, sleep=naps.append, jitter=lambda: 0.999, attempts=12
    ) as uploader:
        assert refusal(uploader, photo).kind == "link"
    assert max(naps) < 22.5
    assert naps == sorted(naps)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_phone_is_not_repeated(controller, uploader, photo, naps, status):
    """Pairing is a person's matter."""
    controller.head_plan = [status]
    found = refusal(uploader, photo)
    assert (found.kind, naps, len(controller.requests)) == ("refused", [], 1)
    assert "Pair it again" in str(found)


def test_wrong_token_is_refused_without_telling_it(controller, photo):
    """The real 401, and the token is nowhere in the sentence."""
    with Uploader(controller.url, "other-token") as uploader:
        found = refusal(uploader, photo)
    assert found.kind == "refused"
    assert "other-token" not in str(found)


def test_unknown_session(controller, uploader, photo):
    """404 is not repeated either."""
    found = refusal(uploader, photo, session="s2")
    assert (found.kind, "does not know" in str(found)) == ("refused", True)


def test_redirect_is_not_followed(controller, uploader, photo):
    """The token goes to the paired controller only."""
    controller.head_plan = [307]
    assert "redirects elsewhere" in str(refusal(uploader, photo))
    assert len(controller.requests) == 1


def test_other_refusals_are_of_this_file(controller, uploader, photo):
    """413 and the like: this file only, the rest may go on."""
    controller.head_plan = [413]
    assert refusal(uploader, photo).kind == "file"


def test_answer_before_the_body_is_understood(controller, uploader, photo, tmp_path):
    """A controller that refuses early and hangs up is heard, if its answer came through.

    The bytes still in flight may destroy the answer; then HEAD repeats the question.
    """
    big = tmp_path / "big"
    big.write_bytes(bytes(8_000_000))
    sha = hashlib.sha256(big.read_bytes()).digest()
    controller.plan = ["early:403"] * 6
    found = refusal(uploader, big, name="big.jpg", sha256=sha)
    assert found.kind in {"refused", "link"}


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "\u0661", "9" * 16])
def test_foreign_answers_are_not_believed(http_foreign, photo, offset):
    """A captive portal says 200 to everything; that is no upload."""
    with Uploader(http_foreign(offset), "t", sleep=lambda s: None, attempts=2) as uploader:
        found = refusal(uploader, photo)
    assert (found.kind, "not answer as a capture-rig" in str(found)) == ("link", True)


@pytest.fixture
def http_foreign():
    """A server in one thread that answers every HEAD with the given Upload-Offset."""
    sockets, threads = [], []

    def start(offset):
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while connection.recv(65536):
                        text = f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nUpload-Offset: {offset}"
                        connection.sendall(text.encode() + b"\r\n\r\n")

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for each in sockets:
        each.shutdown(socket.SHUT_RDWR)
        each.close()
    for each in threads:
        each.join(5)


def test_controller_with_more_bytes_than_the_file(controller, uploader, photo):
    """An offset behind the end is a contradiction, not a reason to send."""
    controller.content = DATA + DATA
    controller.plan = [f"409:{len(DATA) + 1}"]
    found = refusal(uploader, photo)
    assert (found.kind, len(controller.patches)) == ("file", 1)
    assert f"holds {len(DATA) + 1} bytes" in str(found)


def test_controller_that_never_completes(controller, uploader, photo, monkeypatch):
    """204 without completion is asked again, but not for ever."""
    monkeypatch.setattr(controller, "_state", lambda http, status, each: forged(http))

    def forged(http):
        http.send_response(204)
        http.send_header("Upload-Offset", str(len(DATA)))
        http.send_header("Upload-Complete", "?0")
        http.end_headers()

    assert refusal(uploader, photo).kind == "link"
    assert len(controller.patches) <= 6


def test_missing_and_shrinking_files_are_of_this_file(controller, uploader, photo, tmp_path):
    """The phone's own file is gone or became shorter: say which."""
    assert "cannot be read" in str(refusal(uploader, tmp_path / "gone"))

    def shrink(done, size):
        photo.write_bytes(DATA[:10])

    found = refusal(uploader, photo, progress=shrink)
    assert (found.kind, "became shorter" in str(found)) == ("file", True)


@pytest.mark.parametrize("bad", [{"session": "../s"}, {"name": "a/b.jpg"}, {"name": ".."}])
def test_bad_names_are_never_sent(controller, uploader, photo, bad):
    """Names are checked before they become part of a path."""
    with pytest.raises(BadName):
        send(uploader, photo, **bad)
    assert controller.requests == []


def test_prefix_of_the_base_is_kept(controller, photo):
    """Behind a reverse proxy the controller may live under a path."""
    with Uploader(controller.url + "/rig/", controller.TOKEN) as uploader:
        refusal(uploader, photo)
    assert controller.requests[0].startswith("HEAD /rig/api/sessions/s1/")


def test_idle_connection_closed_by_the_controller_is_reopened(controller, uploader, photo, naps):
    """Between two photos the controller may hang up: that is no failure and costs no pause."""
    send(uploader, photo)
    for connection in list(controller.server.connections):
        connection.shutdown(socket.SHUT_RDWR)
    send(uploader, photo, name="second.jpg")
    assert (naps, controller.server.opened) == ([], 2)


def test_nobody_listening(controller, uploader, photo, naps):
    """The controller is away: tried, then told with its place."""
    controller.server.end()
    found = refusal(uploader, photo)
    assert (found.kind, len(naps)) == ("link", 5)
    assert "Nothing listens at 127.0.0.1" in str(found)


def test_stop_ends_a_transfer_at_once(controller, photo):
    """From another thread, while the controller is silent."""
    controller.gate = threading.Event()
    uploader = Uploader(controller.url, controller.TOKEN)
    caught = []

    def run():
        try:
            send(uploader, photo)
        except UploadError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert controller.started.wait(5)
    uploader.stop()
    thread.join(5)
    uploader.close()
    assert [type(error) for error in caught] == [UploadStopped]
    with pytest.raises(UploadStopped):
        send(uploader, photo)


def test_stop_ends_a_pause_at_once(controller, photo):
    """The default pause is woken by stop."""
    controller.head_plan = [500] * 9
    with Uploader(controller.url, controller.TOKEN, jitter=lambda: 1000.0) as uploader:
        timer = threading.Timer(0.1, uploader.stop)
        timer.start()
        with pytest.raises(UploadStopped):
            send(uploader, photo)
        timer.join()


PHOTOS = [ManifestPhoto(NAME, SHA, len(DATA), 1, 2)]


def test_manifest_closes_the_batch(controller, uploader):
    """The list goes as the contract says; the answer comes back as data."""
    controller.manifest_plan = [{"complete": True, "missing": [], "durable": True}]
    assert uploader.close_batch("s1", PHOTOS, 1, "c0ffee") == BatchReply(True, (), True)
    assert controller.manifests == [
        {
            "photos": [
                {"name": NAME, "sha256": SHA.hex(), "size": len(DATA), "index": 1, "attempt": 2}
            ],
            "count": 1,
            "chain": "c0ffee",
        }
    ]
    assert controller.requests == ["POST /api/sessions/s1/manifest"]


def test_manifest_tells_what_is_missing(controller, uploader):
    """A gap is an answer, not an error."""
    assert uploader.close_batch("s1", PHOTOS, 1, "c0") == BatchReply(False, (NAME,), True)


def test_manifest_is_repeated_until_answered(controller, uploader, naps):
    """A broken connection, a server error and nonsense are tried again."""
    controller.manifest_plan = ["hang-up", 500, {"complete": 1, "missing": [], "durable": True},
                                {"complete": True, "missing": [], "durable": True}]  # fmt: skip
    assert uploader.close_batch("s1", [], 0, "c0").complete
    assert len(naps) == 3


@pytest.mark.parametrize(
    "body", [[], {}, {"complete": True, "missing": [1], "durable": True}, "x", None]
)
def test_manifest_with_nonsense_answers_gives_up(controller, uploader, body):
    """What is no reply never counts as complete."""
    controller.manifest_plan = [body] * 6
    with pytest.raises(UploadError, match="not what a controller says") as caught:
        uploader.close_batch("s1", [], 0, "c0")
    assert caught.value.kind == "link"


@pytest.mark.parametrize(("status", "kind"), [(401, "refused"), (404, "refused"), (409, "file")])
def test_manifest_refusals_are_not_repeated(controller, uploader, status, kind):
    """As with photos."""
    controller.manifest_plan = list(itertools.repeat(status, 6))
    with pytest.raises(UploadError) as caught:
        uploader.close_batch("s1", [], 0, "c0")
    assert (caught.value.kind, len(controller.requests)) == (kind, 1)


@pytest.mark.parametrize("url", ["ftp://h", "http://u:p@h", "h:80"])
def test_bad_base_is_refused(url):
    """At once, not at the first photo."""
    with pytest.raises(ValueError, match="address"):
        Uploader(url, "t")


def test_https_checks_the_certificate(controller, photo):
    """A plain server is no TLS server, and the sentence says that the connection failed."""
    url = controller.url.replace("http:", "https:")
    context = ssl.create_default_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    with Uploader(
        url, controller.TOKEN, sleep=lambda s: None, attempts=2, context=context, timeout_s=5
    ) as uploader:
        assert refusal(uploader, photo).kind == "link"
    assert controller.requests == []
