"""A backup of a controller that works: photos arrive and are noted while it is copied."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.system


class Sending(threading.Thread):
    """A phone that sends photos without a pause until it is told to stop."""

    def __init__(self, rig, session, size=20_000):
        super().__init__()
        self.rig, self.session, self.size = rig, session, size
        self.sent = []
        self.ended = threading.Event()
        self.some = threading.Semaphore(0)

    def run(self):
        import hashlib

        from rig.protocol.names import PhotoName, encode_name

        headers = {**self.rig.http.headers, "Content-Type": "application/partial-upload"}
        with httpx.Client(base_url=self.rig.url, headers=headers, trust_env=False) as client:
            for index in range(1, 5000):
                if self.ended.is_set():
                    return
                data = index.to_bytes(4, "big") * (self.size // 4)
                digest = hashlib.sha256(data).hexdigest()
                name = encode_name(
                    PhotoName(
                        campaign="0" * 16, subset=1, index=index, attempt=1, env="e", key="k",
                        meta16="0" * 16, photo16=digest[:16],
                    )
                )  # fmt: skip
                answer = client.patch(
                    f"/api/sessions/{self.session}/photos/{name}",
                    content=data,
                    headers={
                        "Upload-Offset": "0",
                        "Upload-Length": str(len(data)),
                        "Upload-Complete": "?1",
                        "X-Content-SHA256": digest,
                    },
                )
                assert answer.is_success, answer.text
                self.sent.append(name)
                self.some.release()

    def await_sent(self, count):
        for _ in range(count):
            assert self.some.acquire(timeout=60)

    def stop(self):
        self.ended.set()
        self.join(60)


@pytest.fixture
def busy(make_rig):
    """A real controller and a phone that sends to it."""
    rig = make_rig(4)
    rig.start_controller()
    rig.plan()
    made = rig.post("/api/sessions", campaign="c", subset=1, station="s")
    sending = Sending(rig, made["id"])
    sending.start()
    try:
        yield rig, sending
    finally:
        sending.stop()


def command(*words):
    return [sys.executable, "-m", "rig.cli", *map(str, words)]


def run(*words):
    return subprocess.run(command(*words), capture_output=True, text=True, check=False)


def test_backup_while_photos_arrive_then_a_new_home_serves_them(busy, tmp_path):
    """Nothing that the copied database knows is missing; the restored home is sound and serves."""
    rig, sending = busy
    sending.await_sent(20)
    before = len(sending.sent)
    target = tmp_path / "backup"
    done = run("backup", target, "--home", rig.home, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(sending.sent) > before, "no photo arrived during the backup: it proves nothing"
    sending.await_sent(10)
    again = run("backup", target, "--home", rig.home, "--json")
    first, second = json.loads(done.stdout), json.loads(again.stdout)
    assert (again.returncode, second["missing"]) == (0, [])
    assert second["kept"] >= first["files"] - 1
    sending.stop()
    check = run("check", "--home", rig.home, "--deep", "--json")
    assert check.returncode == 0, check.stdout
    new = tmp_path / "new"
    restored = run("restore", target, "--home", new, "--json")
    assert restored.returncode == 0, restored.stderr
    check = run("check", "--home", new, "--deep", "--json")
    assert (check.returncode, json.loads(check.stdout)["problems"]) == (0, []), check.stdout
    secret = Path("secret")
    assert (new / secret).read_bytes() == (rig.home / secret).read_bytes()
    serve = subprocess.Popen(
        command("serve", "--home", new, "--port", "0", "--json"), stdout=subprocess.PIPE, text=True
    )
    try:
        told = json.loads(serve.stdout.readline())
        answer = httpx.get(
            f"{told['url']}/api/sessions/{sending.session}/photos",
            headers={"Authorization": f"Bearer {told['token']}"},
            trust_env=False,
        )
        names = {one["name"] for one in answer.json()}
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.communicate(timeout=30)
    assert names <= set(sending.sent)
    assert set(sending.sent[:before]) <= names


_STOPS = """
import signal, sys
from rig.cli import main
from rig.store import copying
real, seen = copying.copy_file, []
def copy(source, target):
    seen.append(1)
    if len(seen) == 8:
        signal.pause()
    return real(source, target)
copying.copy_file = copy
sys.exit(main(sys.argv[1:]))
"""


def stopping(target, home, **more):
    """A backup that holds still after the secret and six photos."""
    words = [sys.executable, "-c", _STOPS, "backup", str(target), "--home", str(home)]
    return subprocess.Popen(words, **more)


def six(target):
    return lambda: len(list(target.glob("sessions/*/incoming/*.jpg"))) == 6


def test_a_backup_that_is_killed_goes_on(busy, tmp_path, tools):
    """SIGKILL once files are there: refused by restore, and the next run keeps what was copied."""
    rig, sending = busy
    sending.await_sent(20)
    target = tmp_path / "backup"
    # A terminal as standard error: the bar is drawn there and nowhere else.
    master, slave = pty.openpty()
    one = stopping(target, rig.home, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    try:
        tools["until"](six(target), "nothing is copied")
        one.kill()
        assert one.wait(60) == -signal.SIGKILL
        assert b"backing up" in os.read(master, 4096)
    finally:
        os.close(master)
    refused = run("restore", target, "--home", tmp_path / "new")
    assert (refused.returncode, "no complete backup" in refused.stderr) == (2, True)
    done = run("backup", target, "--home", rig.home, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == 7
    assert run("restore", target, "--home", tmp_path / "new").returncode == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_says_that_it_goes_on(busy, tmp_path, tools, signum):
    """A sentence, exit 130, no half file."""
    rig, sending = busy
    sending.await_sent(20)
    target = tmp_path / "backup"
    one = stopping(target, rig.home, stderr=subprocess.PIPE, text=True)
    tools["until"](six(target), "nothing is copied")
    one.send_signal(signum)
    _, err = one.communicate(timeout=60)
    assert (one.returncode, "running it again is safe" in err) == (130, True), err
    assert not list(target.rglob("*.copy"))
    assert not (target / "manifest.json").exists()


def test_a_run_goes_on_in_a_restored_home(make_rig, tmp_path):
    """The home is lost in the middle: what was shot since the backup comes again, exactly once."""
    rig = make_rig(10, settle_ms=800)
    rig.bring_up()
    rig.await_committed(2)
    target = tmp_path / "backup"
    done = rig.rig("backup", str(target), "--json")
    assert done.returncode == 0, done.stderr
    rig.await_committed(4)
    rig.controller.kill()
    rig.home.rename(tmp_path / "lost")
    restored = rig.rig("restore", str(target))
    assert restored.returncode == 0, restored.stderr
    rig.controller.start()
    rig.await_state("completed")
    rig.await_verdicts()
    rig.audit()
    check = rig.rig("check", "--deep", "--json")
    assert (check.returncode, json.loads(check.stdout)["problems"]) == (0, []), check.stdout
