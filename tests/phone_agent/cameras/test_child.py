"""A child ends, is ended, or is reported; nothing of it stays."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from phone_agent.cameras import child as module
from phone_agent.cameras.child import (
    OUTPUT_MAX,
    Child,
    ChildBusy,
    ChildCancelled,
    ChildLate,
    NoCommand,
)


def sh(script: str, deadline_s: float = 20.0, **options: bool) -> module.Ended:
    child = Child(**options)
    child.begin(deadline_s)
    return child.run(["sh", "-c", script])


@pytest.fixture(autouse=True)
def _clean(no_child_left):
    return None


def test_status_and_both_outputs_are_told():
    """What it wrote and how it ended."""
    ended = sh("echo good; echo bad >&2; exit 3")
    assert (ended.code, ended.out, ended.err) == (3, "good\n", "bad\n")
    assert ended.text == "good\n\nbad\n"


def test_messages_are_in_english_and_stdin_is_empty(monkeypatch):
    """The error texts that are looked for are the untranslated ones."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert sh('cat; echo "$LC_ALL $LANGUAGE"').out == "C C\n"


def test_signal_is_a_negative_status():
    """As subprocess has it."""
    assert sh("kill -KILL $$").code == -9


def test_output_is_bounded_and_does_not_stop_the_child():
    """More than is kept is read and dropped, so that a full pipe blocks nobody."""
    ended = sh("head -c 1000000 /dev/zero | tr '\\0' a; echo end >&2")
    assert (len(ended.out), ended.err) == (OUTPUT_MAX, "end\n")


def test_endless_output_meets_the_deadline():
    """A child that never stops talking is stopped."""
    with pytest.raises(ChildLate) as caught:
        sh("while :; do echo words; done", 0.3)
    assert caught.value.output.startswith("words\n")


def test_whole_group_is_killed_also_when_it_ignores_sigterm(tmp_path, is_alive, wait_until):
    """A hanging script, its children and theirs are gone when `run` returns."""
    pids = tmp_path / "pids"
    script = (
        f"trap '' TERM; (trap '' TERM; sleep 600 & echo $! >> {pids}; wait) & "
        f"sleep 600 & echo $! >> {pids}; echo $$ >> {pids}; wait"
    )
    child = Child()
    child.begin(60.0)
    raised = []

    def run():
        try:
            child.run(["sh", "-c", script])
        except ChildCancelled as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 3)
    numbers = [int(word) for word in pids.read_text().split()]
    assert all(map(is_alive, numbers))
    child.cancel()
    thread.join(20)
    assert len(raised) == 1
    assert wait_until(lambda: not any(map(is_alive, numbers)), 5)


def test_whole_group_is_asked_to_end_before_it_is_killed(tmp_path, monkeypatch, wait_until):
    """A grandchild may tidy up, too."""
    monkeypatch.setattr(module, "_TERM_S", 20.0)
    ready, bye = tmp_path / "ready", tmp_path / "bye"
    script = (
        f"(trap ': > {bye}; exit' TERM; sleep 600 & : > {ready}; wait) & "
        f"trap 'while [ ! -e {bye} ]; do sleep 0.02; done; exit' TERM; wait"
    )
    child = Child()
    child.begin(60.0)
    timer = threading.Thread(target=lambda: wait_until(ready.exists) and child.cancel())
    timer.start()
    with pytest.raises(ChildCancelled):
        child.run(["sh", "-c", script])
    timer.join(20)
    assert bye.exists()


def test_what_a_child_leaves_in_the_background_ends_with_it(tmp_path, is_alive, wait_until):
    """A good end, too, leaves nothing; and a pipe held open by a grandchild delays nothing."""
    start = time.monotonic()
    ended = sh("sleep 600 & echo $!")
    assert ended.code == 0
    assert time.monotonic() - start < 15
    assert wait_until(lambda: not is_alive(int(ended.out)), 5)


def test_deadline_holds_over_several_commands():
    """The deadline is for all that follows `begin`, pauses included."""
    child = Child()
    child.begin(0.3)
    child.run(["true"])
    with pytest.raises(ChildLate):
        child.pause(60)
    with pytest.raises(ChildLate):
        child.run(["true"])


def test_cancel_sticks_until_the_next_begin():
    """A cancel between two commands is not lost; a new exposure starts afresh."""
    child = Child()
    child.begin(20)
    child.cancel()
    with pytest.raises(ChildCancelled):
        child.run(["true"])
    with pytest.raises(ChildCancelled):
        child.pause(60)
    child.begin(20)
    assert child.run(["true"]).code == 0


@pytest.mark.parametrize("kind", ["missing", "no permission", "no interpreter"])
def test_command_that_cannot_be_started(tmp_path, kind):
    """Named, with the system's reason."""
    path = tmp_path / "command"
    if kind != "missing":
        path.write_text("#!/no/such/interpreter\n")
        path.chmod(0o755 if kind == "no interpreter" else 0o644)
    child = Child()
    child.begin(20)
    with pytest.raises(NoCommand, match=r"command cannot be started: (No such|Permission)"):
        child.run([str(path)])


def test_one_child_at_a_time_and_the_background_gives_way(tmp_path, wait_until):
    """A camera does not wait for the battery; the battery does not start beside the camera."""
    started = tmp_path / "started"
    raised = []

    def battery():
        try:
            sh(f": > {started}; exec sleep 600", 60.0, background=True)
        except ChildCancelled as error:
            raised.append(error)

    thread = threading.Thread(target=battery)
    thread.start()
    assert wait_until(started.exists)
    with pytest.raises(ChildBusy):
        sh("true", background=True)
    assert sh("echo photo").out == "photo\n"
    thread.join(20)
    assert len(raised) == 1


def test_camera_waits_no_longer_than_its_deadline_for_another(tmp_path, wait_until):
    """Two in the foreground: the second says that the first does not end."""
    started = tmp_path / "started"
    first = Child()
    first.begin(60)

    def hold():
        with pytest.raises(ChildCancelled):
            first.run(["sh", "-c", f": > {started}; exec sleep 600"])

    thread = threading.Thread(target=hold)
    thread.start()
    assert wait_until(started.exists)
    with pytest.raises(ChildBusy, match="does not end"):
        sh("true", 0.2)
    first.cancel()
    thread.join(20)
    assert sh("true").code == 0


def test_unkillable_child_blocks_the_next_until_it_is_gone(monkeypatch):
    """While an earlier command hangs in the kernel there is no second one."""
    states: list[int | None] = [None, 0]

    class Undying:
        def poll(self):
            return states.pop(0)

    monkeypatch.setattr(module, "_undying", [Undying()])
    with pytest.raises(ChildBusy, match="cannot be killed"):
        sh("true")
    assert sh("true").code == 0


def test_run_closes_its_pipes():
    """A thousand photos do not use up the file descriptors."""

    def count():
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    sh("true")
    before = count()
    for _ in range(5):
        sh("echo x")
    assert count() == before
