"""The phone's folder: one agent, nothing overwritten, nothing lost in a crash."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from phone_agent.files import BadName
from phone_agent.store import PhotoStore, StoreBusy, StoreFull, StoreLost

NAME = "x1_00000000000000aa_s0001_i0000001_a001_e01_k1_m0_p0_c0.jpg"
SIDECAR = NAME.replace(".jpg", ".json")
META = b'{"index":1}'


@pytest.fixture
def store(tmp_path):
    with PhotoStore(tmp_path / "rig") as opened:
        yield opened


def staged(store, data=b"photo", name="1.1.aa.part") -> Path:
    path = store.staging_path(name)
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Crash(Exception):
    """Power goes: nothing after this runs."""


def test_stored_photo_has_its_name_and_sidecar(store):
    """Staging is empty afterwards and the bytes are the same."""
    store.store(staged(store), NAME, META)
    assert store.photo_path(NAME).read_bytes() == b"photo"
    assert store.sidecar_path(NAME).read_bytes() == META
    assert names(store.staging) == []
    assert names(store.photos) == [NAME, SIDECAR]


def test_second_agent_is_refused_until_the_first_ends(store, tmp_path):
    """The lock is of the folder; closing gives it free, also twice."""
    with pytest.raises(StoreBusy, match=r"Another phone agent uses this folder.*rig"):
        PhotoStore(tmp_path / "rig")
    store.close()
    store.close()
    PhotoStore(tmp_path / "rig").close()


def test_second_process_is_refused(store, tmp_path):
    """The lock holds across processes, not only in this one."""
    code = "import sys; from pathlib import Path; from phone_agent.store import *\n"
    code += "try: PhotoStore(Path(sys.argv[1]))\nexcept StoreBusy: sys.exit(7)"
    run = [sys.executable, "-c", code, str(tmp_path / "rig")]
    assert subprocess.run(run, check=False, timeout=20).returncode == 7


def test_redo_with_the_same_bytes_is_harmless(store):
    """After a lost answer the same photo may be stored again."""
    store.store(staged(store), NAME, META)
    store.store(staged(store), NAME, META)
    assert names(store.photos) == [NAME, SIDECAR]
    assert names(store.staging) == []


def test_other_bytes_under_a_taken_name_are_never_written(store):
    """The old photo stays, the new one stays in staging, and shooting must stop."""
    store.store(staged(store), NAME, META)
    with pytest.raises(StoreLost, match="already exists with other contents"):
        store.store(staged(store, b"other"), NAME, META)
    assert store.photo_path(NAME).read_bytes() == b"photo"
    assert (store.staging / "1.1.aa.part").read_bytes() == b"other"


def test_other_metadata_under_a_taken_name_is_refused(store):
    """A sidecar is as immutable as its photo, and the photo does not come without it."""
    store.put_sidecar(NAME, META)
    with pytest.raises(StoreLost, match=SIDECAR.replace(".", r"\.")):
        store.store(staged(store), NAME, b"{}")
    assert not store.photo_path(NAME).exists()


def test_vanished_staging_file_is_lost(store):
    """Somebody deleted it: say so, store nothing."""
    with pytest.raises(StoreLost, match="is gone"):
        store.store(store.staging / "1.1.aa.part", NAME, META)
    assert not store.photo_path(NAME).exists()


@pytest.mark.parametrize("bad", ["../x.jpg", "a/b.jpg", "..", "", "\u00e4.jpg", ".x.jpg"])
def test_bad_names_never_become_paths(store, bad):
    """Every way in checks the name first."""
    path = staged(store)
    for call in (
        lambda: store.store(path, bad, META),
        lambda: store.put_sidecar(bad, META),
        lambda: store.staging_path(bad),
        lambda: store.photo_path(bad),
        lambda: store.quarantine(bad),
        lambda: store.recover({bad}),
        lambda: store.missing({bad}),
    ):
        with pytest.raises(BadName):
            call()
    assert names(store.photos) == []


def test_only_photos_from_staging_are_stored(store, tmp_path):
    """A path elsewhere or a name without .jpg is a defect of the caller."""
    other = tmp_path / "x.part"
    other.write_bytes(b"1")
    with pytest.raises(ValueError, match="is not in"):
        store.store(other, NAME, META)
    with pytest.raises(ValueError, match="ends in"):
        store.store(staged(store), SIDECAR, META)


def test_crash_at_any_step_leaves_a_whole_photo_or_none(tmp_path, monkeypatch, store):
    """At each fsync and rename the power may go: recovery keeps what the journal knows, once.

    Never is there a final photo with other bytes than the whole ones, except the empty
    reservation, which recovery removes; the photo's bytes always exist somewhere.
    """
    real = {"fsync": os.fsync, "replace": Path.replace, "unlink": Path.unlink}
    steps = Counter()

    def run(stop_at: int) -> bool:
        steps.clear()

        def dying(name):
            def step(*arguments):
                steps["n"] += 1
                if steps["n"] >= stop_at:  # a dead process does not tidy up either
                    raise Crash
                return real[name](*arguments)

            return step

        path = staged(store)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", dying("fsync"))
            patch.setattr(Path, "replace", dying("replace"))
            patch.setattr(Path, "unlink", dying("unlink"))
            try:
                store.store(path, NAME, META)
            except Crash:
                return True
            return False

    stop_at = 0
    while True:
        stop_at += 1
        crashed = run(stop_at)
        final = store.photo_path(NAME)
        assert not final.exists() or final.read_bytes() in {b"", b"photo"}
        if not crashed:
            break
        everything = [*store.staging.iterdir(), *store.photos.iterdir()]
        assert b"photo" in [path.read_bytes() for path in everything]
        moved = store.recover(set())
        assert len(moved) == len(everything)
        assert names(store.staging) == names(store.photos) == []
    assert stop_at > 8
    assert store.recover({NAME}) == []
    assert names(store.photos) == [NAME, SIDECAR]


def test_sidecar_is_durable_before_the_photo(store, monkeypatch):
    """The order of the renames: first the metadata, then the photo."""
    order = []
    real = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (order.append(Path(to).name), real(self, to))[1]
    )
    store.store(staged(store), NAME, META)
    assert order == [SIDECAR, NAME]


def test_failed_rename_gives_the_name_free_again(store, monkeypatch):
    """An I/O error is not a crash: the reservation goes, so the redo works."""
    real = Path.replace

    def fail(self, to):
        if str(to).endswith(".jpg"):
            raise OSError(errno.EIO, "bad block")
        return real(self, to)

    path = staged(store)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="bad block"):
            store.store(path, NAME, META)
    assert not store.photo_path(NAME).exists()
    store.store(path, NAME, META)
    assert store.photo_path(NAME).read_bytes() == b"photo"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_told_in_a_sentence(store, monkeypatch, code):
    """It is an OSError with the system's errno, so callers may treat it as one."""
    path = staged(store)

    def fsync(descriptor):
        raise OSError(code, "x")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StoreFull, match="storage is full; free some room") as caught:
            store.store(path, NAME, META)
    assert caught.value.errno == code
    assert path.exists()
    assert not store.photo_path(NAME).exists()


def test_quarantine_moves_photo_with_sidecar_once(store):
    """The second time nothing is left to move, which is fine."""
    store.store(staged(store), NAME, META)
    assert store.quarantine(NAME) == [NAME, SIDECAR]
    assert store.quarantine(NAME) == []
    assert names(store.photos) == []
    assert names(store.quarantined) == [NAME, SIDECAR]


def test_quarantine_takes_staged_files_and_never_overwrites(store):
    """Three files of one name are three files in quarantine, also at the longest name."""
    name = "9" * 255
    for data in (b"a", b"b", b"c"):
        staged(store, data, name)
        assert store.quarantine(name) == [name]
    assert sorted(p.read_bytes() for p in store.quarantined.iterdir()) == [b"a", b"b", b"c"]


def test_recovery_keeps_the_known_and_moves_the_rest(store):
    """Unknown photos, orphan sidecars, every staged file; not folders or dot files."""
    store.store(staged(store), NAME, META)
    other = NAME.replace("i0000001", "i0000002")
    store.store(staged(store, b"two"), other, META)
    staged(store, b"half", "3.1.aa.part")
    staged(store, b"?", "stray")
    (store.photos / ".nomedia").touch()
    (store.photos / "folder").mkdir()
    (store.photos / "w\u00fcst\x1b.txt").touch()
    moved = store.recover({NAME})
    assert moved == ["3.1.aa.part", "stray", "w\\xfcst\\x1b.txt", other, other[:-4] + ".json"]
    assert names(store.photos) == [".nomedia", "folder", NAME, SIDECAR]
    assert store.recover({NAME}) == []


def test_recovery_can_redo_an_undone_rename(store):
    """The journal knows the hash: the staged file with it gets its name again."""
    path = staged(store)
    staged(store, b"half", "2.1.aa.part")
    assert store.missing({NAME}) == [NAME]
    assert store.find_staged(hashlib.sha256(b"nobody").digest()) is None
    assert store.find_staged(hashlib.sha256(b"photo").digest()) == path
    store.store(path, NAME, META)
    assert store.missing({NAME}) == []
    assert store.recover({NAME}) == ["2.1.aa.part"]


def test_everything_survives_a_restart(store, tmp_path):
    """A new agent finds the folder as the old one left it."""
    store.store(staged(store), NAME, META)
    store.close()
    with PhotoStore(tmp_path / "rig") as again:
        assert again.recover({NAME}) == []
        assert again.photo_path(NAME).read_bytes() == b"photo"


def test_free_bytes_are_those_of_the_file_system(store):
    """Positive, and not more than the disk."""
    disk = os.statvfs(store.folder)
    assert 0 < store.free_bytes() <= disk.f_blocks * disk.f_frsize
