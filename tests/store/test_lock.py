"""One controller per home."""

import multiprocessing
import os

import pytest

from rig.store.errors import StoreError
from rig.store.lock import HomeLock, holder


def test_a_second_controller_is_told_who_holds_the_home(tmp_path):
    """Process and address are in the sentence."""
    with HomeLock.acquire(tmp_path) as lock:
        lock.describe("http://127.0.0.1:8123")
        with pytest.raises(StoreError) as error:
            HomeLock.acquire(tmp_path)
        who = holder(tmp_path)
    assert str(os.getpid()) in str(error.value)
    assert "http://127.0.0.1:8123" in str(error.value)
    assert "--home" in str(error.value)
    assert who is not None
    assert (who.pid, who.url) == (os.getpid(), "http://127.0.0.1:8123")


def test_a_released_home_can_be_taken_again(tmp_path):
    """Also after releasing twice."""
    lock = HomeLock.acquire(tmp_path)
    lock.release()
    lock.release()
    assert holder(tmp_path) is None
    HomeLock.acquire(tmp_path).release()


def _take_and_die(home):
    HomeLock.acquire(home)
    os._exit(9)


def test_the_lock_dies_with_its_process(tmp_path):
    """A crash leaves no busy flag behind."""
    process = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert holder(tmp_path) is None
    HomeLock.acquire(tmp_path).release()


def test_garbage_in_the_lock_file_does_not_hide_the_refusal(tmp_path):
    """Whatever the file says, held is held."""
    with HomeLock.acquire(tmp_path):
        (tmp_path / "lock").write_text("[}")
        with pytest.raises(StoreError, match="another process"):
            HomeLock.acquire(tmp_path)


def test_no_home_no_holder(tmp_path):
    """Asking makes nothing."""
    assert holder(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
