"""Names from outside become paths only when they are harmless."""

from __future__ import annotations

import errno
import os

import pytest

from phone_agent.files import BadName, check_name, sync_folder


@pytest.mark.parametrize("name", ["17.2.0a1b.part", "x1_ab_s0001_p%2fq_~0f.jpg", "a..b", "a" * 255])
def test_safe_names_come_back(name):
    """Letters, digits and . _ ~ % + - make a name; dots inside are harmless."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "c:x", ".hidden", "a\0b", "a\nb", "a b",
     "\u00e4", "a" * 256, "-rf", "a\n", "\u0661"],
)  # fmt: skip
def test_everything_else_is_refused(name):
    """No separator, no leading dot, no control byte, ASCII only, at most 255 bytes."""
    with pytest.raises(BadName, match="refused"):
        check_name(name)


def test_refusal_is_printable():
    """The sentence escapes what it refuses."""
    with pytest.raises(BadName) as caught:
        check_name("\x1b[31m\u00e4")
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_folder_fsync_may_be_unknown_but_not_fail(tmp_path, monkeypatch):
    """EINVAL is a file system without it; EIO is a failing disk."""

    def fail(code):
        def fsync(descriptor):
            raise OSError(code, "x")

        monkeypatch.setattr(os, "fsync", fsync)

    fail(errno.EINVAL)
    sync_folder(tmp_path)
    fail(errno.EIO)
    with pytest.raises(OSError, match="x"):
        sync_folder(tmp_path)
