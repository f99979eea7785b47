"""A copy of a home in use: whole or no backup, and never at the cost of an earlier one."""

import errno
import hashlib
import importlib.util
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text

from rig.store import backup, copying, manifest, restoring, schema
from rig.store.backup import back_up
from rig.store.database import Database
from rig.store.errors import StoreError
from rig.store.restoring import restore
from rig.store.tables import photo, session
from rig.web.controller import Controller

_spec = importlib.util.spec_from_file_location(
    "store_made_home", Path(__file__).with_name("made_home.py")
)
made_home = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_home)


@pytest.fixture
def home(tmp_path):
    one = made_home.MadeHome(tmp_path / "home")
    yield one
    one.close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "backup"


def run(home, target, **more):
    return back_up(home.path, target, made_by="1", now_ns=5, **more)


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("rig.db")
    }


def received(folder):
    with Database.open(folder / "rig.db") as database:
        return database.query(lambda c: list(c.scalars(select(photo.c.name).order_by("name"))))


def test_what_comes_back_is_what_was_there(home, target, tmp_path):
    """Bytes of every file, rows of the database; private; nothing of the running process."""
    (home.path / "serve.json").write_text("{}")
    (home.path / "lock").write_text("{}")
    (home.incoming / "half.jpg.part").write_bytes(b"x")
    report = run(home, target)
    assert (report.well, report.kept, len(report.manifest.missing)) == (True, 0, 0)
    restored = restore(target, tmp_path / "new")
    assert restored.well
    expected = {k: v for k, v in home.tree().items() if not k.endswith(".part")}
    assert tree(tmp_path / "new") == expected
    assert "secret" in expected
    assert len(expected) == 7
    assert received(tmp_path / "new") == sorted(home.names)
    for folder in (target, tmp_path / "new"):
        for path in (folder, *folder.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_session_that_ran_comes_up_interrupted(home, target, tmp_path):
    """The controller on the restored home does not believe that it still runs."""
    state = home.database.query(lambda c: c.scalar(select(session.c.state)))
    assert state == "armed"
    run(home, target)
    restore(target, tmp_path / "new")
    controller = Controller.open(tmp_path / "new")
    try:
        state = controller.database.query(lambda c: c.scalar(select(session.c.state)))
        assert state == "interrupted"
    finally:
        controller.jobs.close()
        controller.database.close()


def test_the_second_time_only_what_is_new_is_copied(home, target):
    """The same file stays the very same file (inode); a changed or torn one is replaced."""
    run(home, target)
    kept = target / home.incoming.relative_to(home.path) / home.names[0]
    torn = kept.with_name(home.names[1])
    inode = kept.stat().st_ino
    torn.write_bytes(b"y" * torn.stat().st_size)
    new = home.shoot(4)
    report = run(home, target)
    assert kept.stat().st_ino == inode
    assert torn.read_bytes() == (home.incoming / home.names[1]).read_bytes()
    # The database, the torn photo, the new photo and its sidecar.
    assert (report.copied, report.kept, report.well) == (4, 6, True)
    assert any(one.path.endswith(new) for one in report.manifest.files)
    assert len(list(target.glob("rig-*.db"))) == 1


def test_a_lost_photo_is_listed_and_an_earlier_backup_heals_it(home, target, tmp_path):
    """Missing in home and backup: listed, not well. Still in the backup: it stays in it."""
    gone = home.incoming / home.names[0]
    data = gone.read_bytes()
    gone.unlink()
    report = run(home, target)
    assert [(one.session, one.name) for one in report.manifest.missing] == [
        (made_home.SESSION, home.names[0])
    ]
    assert not report.well
    assert not restore(target, tmp_path / "new").well
    gone.write_bytes(data)
    assert run(home, target).well
    gone.unlink()
    assert run(home, target).well
    restore(target, tmp_path / "newer")
    assert tree(tmp_path / "newer")[gone.relative_to(home.path).as_posix()] == data


def test_rot_in_the_home_does_not_replace_the_good_copy(home, target):
    """The database knows the hash: a photo of other bytes never overwrites the right one."""
    run(home, target)
    rotten = home.incoming / home.names[0]
    good = rotten.read_bytes()
    rotten.write_bytes(b"z" * len(good))
    assert run(home, target).well
    assert (target / rotten.relative_to(home.path)).read_bytes() == good
    fresh = run(home, target.with_name("other"))
    assert [one.name for one in fresh.manifest.missing] == [home.names[0]]


def test_writers_are_not_held_up_and_do_not_spoil_it(home, target, tmp_path, monkeypatch):
    """Hundreds of commits and photos during it: every photo that the copy knows is in the copy."""
    monkeypatch.setattr("rig.store.snapshot.PAGES", 1)
    stop, written = threading.Event(), []

    def shoot():
        index = 100
        while not stop.is_set() and index < 2000:
            written.append(home.shoot(index, size=64))
            index += 1

    thread = threading.Thread(target=shoot)
    steps = []

    def advance(done, total):
        # The first pages wait until somebody has written after the snapshot was taken.
        if not steps:
            before = len(written)
            thread.start()
            while len(written) < before + 5:
                pass
        steps.append((done, total))

    try:
        report = run(home, target, advance=advance)
    finally:
        stop.set()
        thread.join()
    assert len(written) > 5
    assert report.well
    totals = {total for done, total in steps[:20]}
    assert len(totals) == 1, "the copy began again because of a commit"
    restore(target, tmp_path / "new")
    names = received(tmp_path / "new")
    assert names == sorted(home.names), "the database is the one of the moment of the snapshot"
    assert all(
        (tmp_path / "new/sessions" / made_home.SESSION / "incoming" / n).is_file() for n in names
    )


def test_without_photos_it_says_so(home, target, tmp_path):
    """The database and secret only; the restored home is told not to be whole."""
    report = run(home, target, photos=False)
    assert report.well
    assert {one.path for one in report.manifest.files} == {"rig.db", "secret"}
    done = restore(target, tmp_path / "new")
    assert not done.well
    assert done.manifest.received == 3


@pytest.mark.parametrize("which", ["photo", "database", "secret", "manifest hash"])
def test_a_backup_that_was_changed_is_refused_before_anything_is_written(
    home, target, tmp_path, which
):
    """One flipped byte anywhere; the sentence names the file."""
    made = run(home, target).manifest
    if which == "manifest hash":
        told = json.loads((target / "manifest.json").read_text())
        told["files"][-1]["sha256"] = "0" * 64
        (target / "manifest.json").write_text(json.dumps(told))
        words = made.files[-1].stored
    else:
        stored = {"database": made.database.stored, "secret": "secret"}.get(which)
        words = stored or f"sessions/{made_home.SESSION}/incoming/{home.names[0]}"
        data = bytearray((target / words).read_bytes())
        data[len(data) // 2] ^= 1
        (target / words).write_bytes(data)
    with pytest.raises(StoreError, match="Nothing was restored") as error:
        restore(target, tmp_path / "new")
    assert words in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "home"]


@pytest.mark.parametrize(
    "path", ["../escape", "/etc/escape", "a/../../escape", "lock", "rig.db-wal", "", "./x", "a//b"]
)
def test_a_manifest_cannot_name_files_elsewhere(home, target, tmp_path, path):
    """Paths out of a manifest are checked before they become files."""
    run(home, target)
    told = json.loads((target / "manifest.json").read_text())
    told["files"][-1]["path"] = path
    (target / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(StoreError, match="not a manifest"):
        restore(target, tmp_path / "new")
    assert not (tmp_path / "escape").exists()


def test_a_link_in_a_backup_is_not_followed(home, target, tmp_path):
    """Neither a file nor a folder of it may lie elsewhere."""
    run(home, target)
    folder = target / home.incoming.relative_to(home.path)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="leads out of the backup"):
        restore(target, tmp_path / "new")
    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    one = folder / home.names[0]
    one.rename(tmp_path / "one.jpg")
    one.symlink_to(tmp_path / "one.jpg")
    with pytest.raises(StoreError, match="cannot be read"):
        restore(target, tmp_path / "new")


def test_a_cut_backup_is_refused_and_goes_on(home, target, tmp_path, monkeypatch):
    """Ctrl-C in the middle: no manifest, no half file; the next run copies only the rest."""
    real, seen = copying.copy_file, []

    def interrupted(source, to):
        seen.append(to)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return real(source, to)

    monkeypatch.setattr(copying, "copy_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(home, target)
    with pytest.raises(StoreError, match=r"no complete backup.*rig backup"):
        restore(target, tmp_path / "new")
    monkeypatch.setattr(copying, "copy_file", real)
    report = run(home, target)
    assert report.kept == 3
    assert restore(target, tmp_path / "new").well


def test_a_full_disk_leaves_the_earlier_backup_whole(home, target, tmp_path, monkeypatch):
    """A write that fails in the middle: a sentence, no half files, the earlier one restores."""
    run(home, target)
    home.shoot(4)
    real = os.fsync

    def full(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".copy":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"is full.*make room"):
        run(home, target)
    monkeypatch.setattr(os, "fsync", real)
    assert not list(target.rglob(".*.copy"))
    assert restore(target, tmp_path / "new").well
    assert received(tmp_path / "new") == sorted(home.names)
    monkeypatch.setattr(os, "fsync", full)
    for _ in range(2):
        with pytest.raises(StoreError, match="is full"):
            run(home, target)
    assert len(list(target.glob("rig-*.db"))) <= 2, "every failed run leaves a database"


def test_a_disk_without_room_is_told_before_anything_is_copied(home, target, tmp_path):
    """For the backup and for the restored home."""
    with pytest.raises(StoreError, match="Nothing was copied"):
        run(home, target, free=lambda _: 1000)
    assert [path.name for path in target.iterdir()] == [backup.MARK]
    run(home, target)
    with pytest.raises(StoreError, match="make room"):
        restore(target, tmp_path / "new", free=lambda _: 1000)
    assert not (tmp_path / "new").exists()


def test_room_is_not_asked_for_what_is_there_already(home, target):
    """The need of a second run is that of what is new."""
    asked = []
    run(home, target)
    enough = home.path.joinpath("rig.db").stat().st_size + backup.RESERVE
    enough += home.path.joinpath("rig.db-wal").stat().st_size
    run(home, target, free=lambda folder: asked.append(folder) or enough)
    assert asked == [target]


_KILLED = """
import os, signal, sys
from pathlib import Path
from rig.store import {module} as module, copying
real, seen = copying.copy_file, []
def copy(source, target):
    seen.append(1)
    if len(seen) == 3:
        # A half written file, as at a power cut.
        target.parent.mkdir(parents=True, exist_ok=True)
        (target.parent / ".0123abcd.copy").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return real(source, target)
copying.copy_file = copy
{call}
"""


def test_killed_in_the_middle_and_run_again(home, target, tmp_path):
    """SIGKILL of backup and of restore: nothing passes for whole, and the next run ends well."""
    there, new = str(home.path), str(tmp_path / "new")
    call = f"module.back_up(Path({there!r}), Path({str(target)!r}), made_by='1', now_ns=1)"
    code = _KILLED.format(module="backup", call=call)
    died = subprocess.run([sys.executable, "-c", code], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (target / manifest.NAME).exists()
    assert run(home, target).well
    assert not list(target.rglob("*.copy"))
    call = f"module.restore(Path({str(target)!r}), Path({new!r}))"
    code = _KILLED.format(module="restoring", call=call)
    died = subprocess.run([sys.executable, "-c", code], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (tmp_path / "new").exists()
    assert restore(target, tmp_path / "new").well
    assert tree(tmp_path / "new") == home.tree()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "home", "new"]


def test_a_home_that_is_there_is_never_restored_over(home, target, tmp_path):
    """Not over a home, not over anything; into an empty folder only when asked."""
    run(home, target)
    before = home.tree()
    for more in ({}, {"into_empty": True}):
        with pytest.raises(StoreError, match="not empty"):
            restore(target, home.path, **more)
    assert home.tree() == before
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StoreError, match="--into-empty"):
        restore(target, empty)
    assert restore(target, empty, into_empty=True).well
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        restore(target, tmp_path / "file")


def test_a_newer_schema_is_refused_by_both(home, target, tmp_path):
    """In words; nothing is written."""
    run(home, target)
    home.database.write_now(
        lambda c: c.execute(text("UPDATE alembic_version SET version_num='9999'"))
    )
    with pytest.raises(StoreError, match=r"newer version.*9999"):
        run(home, target)
    made = manifest.load(target)
    stored = target / made.database.stored
    with sqlite3.connect(stored) as connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    connection.close()
    told = json.loads((target / "manifest.json").read_text())
    for one in told["files"]:
        if one["path"] == "rig.db":
            one["sha256"] = hashlib.sha256(stored.read_bytes()).hexdigest()
            one["size"] = stored.stat().st_size
    (target / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(StoreError, match="newer version"):
        restore(target, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_older_schema_comes_back_and_is_brought_up_to_date(tmp_path, target):
    """A home of the first revision, never opened by this version."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    old = tmp_path / "old"
    old.mkdir(mode=0o700)
    engine = create_engine(f"sqlite:///{old / 'rig.db'}")
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    assert back_up(old, target, made_by="1", now_ns=1).manifest.schema_revision == "0001"
    restore(target, tmp_path / "new")
    with Database.open(tmp_path / "new" / "rig.db") as database, database.read() as connection:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert found == schema.HEAD


def test_a_damaged_database_makes_no_backup(home, target):
    """The earlier backup stays; the sentence says what to do."""
    run(home, target)
    kept = manifest.load(target)
    home.close()
    path = home.path / "rig.db"
    data = bytearray(path.read_bytes())
    # The second half of the file: rows and indices, not the header.
    for at in range(len(data) // 2, len(data), 512):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        run(home, target)
    assert manifest.load(target) == kept


def test_a_manifest_of_a_newer_version_keeps_its_database_until_the_end(home, target, monkeypatch):
    """What this version cannot read it does not tidy away."""
    made = run(home, target).manifest
    told = json.loads((target / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps({**told, "version": 2}))
    with pytest.raises(StoreError, match="not a manifest that this version can read"):
        manifest.load(target)
    home.shoot(4)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copying, "copy_file", full)
    with pytest.raises(StoreError, match="is full"):
        run(home, target)
    assert (target / made.database.stored).is_file()


def test_a_folder_with_other_things_or_of_another_home_is_refused(home, target, tmp_path):
    """A mistyped TARGET costs nothing; two homes never share a backup."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(StoreError, match="other things"):
        run(home, tmp_path / "mine")
    run(home, target)
    other = made_home.MadeHome(tmp_path / "second")
    try:
        with pytest.raises(StoreError, match="another home"):
            run(other, target)
    finally:
        other.close()
    for inside in (home.path / "backup", tmp_path):
        with pytest.raises(StoreError, match="one in the other"):
            run(home, inside)
    with pytest.raises(StoreError, match=r"holds no rig\.db"):
        back_up(tmp_path / "none", target, made_by="1", now_ns=1)
    with pytest.raises(StoreError, match="one in the other"):
        restore(target, target / "new")


def test_two_backups_to_one_folder_wait_for_each_other(home, target):
    """The second is refused in words; so is a restore meanwhile."""
    run(home, target)
    with copying.alone_in(target, "busy"):
        with pytest.raises(StoreError, match="wait for it"):
            run(home, target)
        with pytest.raises(StoreError, match="wait for it"):
            restore(target, home.path.with_name("new"))


def test_links_in_a_home_are_told_and_not_followed(home, target):
    """What a backup does not hold it says."""
    (home.path / "extra").symlink_to("/etc")
    report = run(home, target)
    assert report.left_out == (("extra", "is a link or no plain file"),)
    assert not report.well


def test_the_home_is_in_its_place_as_the_last_step(home, target, tmp_path, monkeypatch):
    """Until then there is nothing under its name; what is put there meanwhile is not lost."""
    run(home, target)
    real = copying.copy_file

    def meanwhile(source, to):
        assert not (tmp_path / "new" / "rig.db").exists()
        (tmp_path / "new").mkdir(exist_ok=True)
        (tmp_path / "new" / "mine.txt").write_text("x")
        return real(source, to)

    monkeypatch.setattr(restoring.copying, "copy_file", meanwhile)
    with pytest.raises(StoreError, match="no longer empty"):
        restore(target, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]


def test_a_link_that_waits_for_the_restored_home_is_not_followed(home, target, tmp_path):
    """Where others may write they could have files of the user's own removed."""
    run(home, target)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("x")
    (tmp_path / ".new.restoring").symlink_to(mine)
    with pytest.raises(StoreError, match="is a link"):
        restore(target, tmp_path / "new")
    assert (mine / "precious").read_text() == "x"
