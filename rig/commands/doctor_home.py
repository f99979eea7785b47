"""`rig doctor` on a home: rights, who holds it, its database, and the disk under it."""

from __future__ import annotations

import os
import secrets
import stat
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rig.commands.findings import Finding

SLOW_FSYNC_MS = 50.0
"""An fsync that takes longer holds up every event and photo, milliseconds."""
HUGE_WAL = 256 * 1024 * 1024
"""A write-ahead log grows to about 4 MB and is then used again; this much says it is not, bytes."""
UNSAFE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "glusterfs", "lustre"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "davfs"}
)
"""Network file systems: SQLite's WAL needs memory shared by all readers (sqlite.org/wal.html)."""
DOUBTFUL = frozenset({"9p", "virtiofs", "vboxsf", "drvfs", "fuse.vmhgfs-fuse", "exfat", "vfat"})
"""Shared folders of virtual machines, and file systems without rights or a journal."""


def writable(home: Path) -> Finding:
    """Make *home* and write a file into it."""
    probe = home / f".doctor-{secrets.token_hex(4)}"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with probe.open("wb") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        remedy = "Choose another --home or RIG_HOME, or mend its rights."
        return Finding("home", "bad", f"{home} cannot be written: {error.strerror}", remedy)
    return Finding("home", "ok", str(home))


def examine(home: Path) -> Iterator[Finding]:
    """Every finding about a *home* that can be written."""
    yield controller(home)
    yield privacy(home, os.geteuid())
    yield from database(home / "rig.db")
    yield file_system(_kind(home))
    try:
        yield fsync(fsync_ms(home, time.perf_counter))
    except OSError as error:
        yield Finding("fsync", "bad", f"fails: {error.strerror}", "Look at the disk (dmesg).")


def controller(home: Path) -> Finding:
    """Which controller runs on *home*."""
    from rig.store.lock import holder

    who = holder(home)
    if who is not None:
        return Finding(
            "controller", "ok", f"process {who.pid} at {who.url or 'an unknown address'}"
        )
    if (home / "serve.json").exists():
        return Finding(
            "controller",
            "warn",
            "none runs on this home, and the last one was killed (it left serve.json)",
            "Start it again with `rig serve`: sessions that ran come up as interrupted.",
        )
    return Finding("controller", "ok", "none runs on this home")


def privacy(home: Path, me: int) -> Finding:
    """Whether others can read what is private in *home*; *me*: this process's user number."""
    names = ("rig.db", "rig.db-wal", "rig.db-shm", "secret", "serve.json")
    open_to_all = [name for name in names if _mode(home / name) & 0o077]
    if open_to_all:
        files = ", ".join(open_to_all)
        return Finding(
            "privacy", "bad", f"others can read {files}", f"chmod 600 {' '.join(open_to_all)}"
        )
    owner = home.stat().st_uid
    if owner != me:
        detail = f"{home} belongs to user {owner}, this is user {me}"
        return Finding("privacy", "warn", detail, f"Run as its owner, or chown -R {me} {home}")
    if _mode(home) & 0o077:
        detail = f"others can list {home} (mode {_mode(home):04o}); its files are private"
        return Finding("privacy", "warn", detail, f"chmod 700 {home}")
    return Finding("privacy", "ok", "nobody else reads the home's files")


def database(path: Path) -> Iterator[Finding]:
    """Version of the database *path* against this version, and the size of its log."""
    from rig.store import snapshot
    from rig.store.errors import StoreError
    from rig.store.schema import HEAD

    if not path.exists():
        yield Finding("database", "ok", "none yet: the first command makes it")
        return
    try:
        with snapshot.looking_at(path) as connection:
            revision = snapshot.revision_of(connection)
    except (StoreError, OSError) as error:
        yield Finding(
            "database", "bad", str(error), "Restore a backup into a new home: rig restore"
        )
        return
    if revision is None:
        detail = "it holds none of capture-rig's tables"
        yield Finding("database", "bad", detail, "Choose the right --home, or move rig.db away.")
    elif snapshot.is_newer(revision):
        detail = f"schema {revision} is newer than this version's {HEAD}"
        yield Finding("database", "bad", detail, "Install the newer version of capture-rig.")
    elif revision != HEAD:
        detail = (
            f"schema {revision} is older than {HEAD}: the next command that opens it updates it"
        )
        yield Finding("database", "warn", detail, "Take a backup first: rig backup TARGET")
    else:
        yield Finding("database", "ok", f"schema {revision}")
    wal = path.with_name(path.name + "-wal")
    yield write_ahead_log(wal.stat().st_size if wal.exists() else 0)


def write_ahead_log(size: int) -> Finding:
    """How a write-ahead log of *size* bytes looks."""
    text = f"write-ahead log of {size / 1e6:.1f} MB"
    if size > HUGE_WAL:
        remedy = "A reader never ends: stop the controller and other commands, then start it again."
        return Finding("database log", "warn", text, remedy)
    return Finding("database log", "ok", text)


def file_system(kind: str | None) -> Finding:
    """Whether SQLite's write-ahead log is safe on a file system of this *kind*."""
    if kind is None:
        return Finding("file system", "ok", "its kind cannot be known here")
    if kind in UNSAFE:
        remedy = "Put the home on a disk of this machine: over a network the database gets damaged."
        return Finding("file system", "bad", f"{kind}, over a network", remedy)
    if kind in DOUBTFUL:
        remedy = "Prefer a disk of this machine's own with ext4, xfs, btrfs, APFS or the like."
        return Finding("file system", "warn", f"{kind}, shared or without a journal", remedy)
    if kind in {"tmpfs", "ramfs"}:
        remedy = "Choose a --home on a disk: this one is gone after a restart."
        return Finding("file system", "warn", f"{kind}, in memory", remedy)
    return Finding("file system", "ok", kind)


def mount_kind(mountinfo: str, path: str) -> str | None:
    """Kind of the file system that *path* (absolute) is on, out of ``/proc/self/mountinfo``."""
    best, kind = -1, None
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5 or not right:
            continue
        # Spaces in names are written as octal (proc_pid_mountinfo(5)).
        point = fields[4].replace("\\040", " ").rstrip("/")
        # Of two mounts on one place the later one is seen.
        if (path == point or path.startswith(point + "/")) and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind


def fsync_ms(folder: Path, clock: Callable[[], float], times: int = 5) -> float:
    """The median time of *times* small durable writes in *folder*, milliseconds.

    Raises:
        OSError: the disk is full or broken.
    """
    probe = folder / f".doctor-{secrets.token_hex(4)}"
    took: list[float] = []
    try:
        with probe.open("wb", buffering=0) as file:
            for _ in range(times):
                file.write(b"\0" * 4096)
                began = clock()
                os.fsync(file.fileno())
                took.append((clock() - began) * 1e3)
    finally:
        probe.unlink(missing_ok=True)
    return statistics.median(took)


def fsync(median_ms: float) -> Finding:
    """How a disk looks that takes so long to make a write durable."""
    text = f"{median_ms:.1f} ms to make a small write durable"
    if median_ms > SLOW_FSYNC_MS:
        remedy = "Each photo costs several: use an SSD, or stop what else writes to this disk."
        return Finding("fsync", "warn", text, remedy)
    return Finding("fsync", "ok", text)


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0


def _kind(home: Path) -> str | None:
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return mount_kind(text, str(home.resolve()))
