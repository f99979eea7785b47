"""`rig doctor`, part by part: what each answer of the machine is called, and what to do."""

import errno
import json
import os
import socket

import pytest

from rig.cli import main
from rig.commands import doctor, doctor_home, doctor_machine, doctor_network
from rig.commands.doctor_machine import KernelClock
from rig.store.database import Database
from rig.store.lock import HomeLock
from rig.store.schema import HEAD


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ((3, 34, 1), "bad"),
        ((3, 35, 0), "warn"),
        ((3, 44, 5), "warn"),
        ((3, 44, 6), "ok"),
        ((3, 45, 0), "warn"),
        ((3, 50, 6), "warn"),
        ((3, 50, 7), "ok"),
        ((3, 51, 2), "warn"),
        ((3, 51, 3), "ok"),
        ((3, 53, 0), "ok"),
    ],
)
def test_sqlite_libraries(version, status):
    """Too old; with the WAL-reset bug; mended, also in the lines it was mended in later."""
    found = doctor.sqlite_library(version)
    assert found.status == status
    assert bool(found.remedy) is (status != "ok")


def test_network_file_systems_are_bad_for_a_home():
    """The kind of the deepest mount that holds the home counts, the later of two on one place."""
    text = "\n".join(
        [
            "21 1 254:0 / / rw - ext4 /dev/vda rw",
            "30 21 0:50 / /srv/lab\\040share rw,relatime shared:5 - nfs4 server:/x rw",
            "31 21 0:51 / /tmp rw - tmpfs tmpfs rw",
            "32 21 0:52 / /tmp rw - ext4 /dev/vdb rw",
            "garbage",
        ]
    )
    kinds = {
        path: doctor_home.mount_kind(text, path)
        for path in ("/home/x", "/srv/lab share/home", "/srv/lab shareholder", "/tmp/x")
    }
    assert list(kinds.values()) == ["ext4", "nfs4", "ext4", "ext4"]
    status = {k: doctor_home.file_system(k).status for k in ("ext4", "nfs4", "9p", "tmpfs", None)}
    assert list(status.values()) == ["ok", "bad", "warn", "warn", "ok"]
    assert doctor_home.mount_kind("", "/") is None


def test_a_slow_disk_is_told(tmp_path):
    """The median of real fsyncs by the clock that is given; nothing is left behind."""
    ticks = iter([0, 0.01, 1, 1.2, 2, 2.02, 3, 3.03, 4, 4.5])
    assert doctor_home.fsync_ms(tmp_path, lambda: next(ticks)) == pytest.approx(30.0)
    assert list(tmp_path.iterdir()) == []
    assert [doctor_home.fsync(ms).status for ms in (4.0, 50.0, 51.0)] == ["ok", "ok", "warn"]


def test_a_disk_that_fails_is_bad(tmp_path, monkeypatch):
    """Not a stack trace."""

    def broken(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    found = {one.what: one for one in doctor_home.examine(tmp_path)}
    assert found["fsync"].status == "bad"
    assert doctor_home.writable(tmp_path).status == "bad"


def test_the_database_against_this_version(tmp_path):
    """None, up to date, older, newer, somebody else's, no database."""
    path = tmp_path / "rig.db"

    def status():
        return next((one.status, one.detail) for one in doctor_home.database(path))

    assert status()[0] == "ok"
    with Database.open(path):
        assert status() == ("ok", f"schema {HEAD}")
    for revision, expected in (("0001", "warn"), ("9999", "bad"), ("x", "bad")):
        _sql(path, f"UPDATE alembic_version SET version_num = '{revision}'")
        found = status()
        assert found[0] == expected
        assert revision in found[1]
    _sql(path, "DROP TABLE alembic_version")
    assert status()[0] == "bad"
    path.write_bytes(b"nothing" * 1000)
    assert status()[0] == "bad"


def _sql(path, statement):
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_a_huge_write_ahead_log_is_told():
    """It grows only while a reader never ends."""
    sizes = (0, 5_000_000, 10**9)
    assert [doctor_home.write_ahead_log(n).status for n in sizes] == ["ok", "ok", "warn"]


def test_who_holds_the_home(tmp_path):
    """A running one is fine; what a killed one left is told."""
    assert doctor_home.controller(tmp_path).status == "ok"
    (tmp_path / "serve.json").write_text("{}")
    assert doctor_home.controller(tmp_path).status == "warn"
    with HomeLock.acquire(tmp_path) as lock:
        lock.describe("http://x:1")
        found = doctor_home.controller(tmp_path)
    assert found.status == "ok"
    assert f"process {os.getpid()}" in found.detail


def test_rights_and_owner_of_the_home(tmp_path):
    """Readable secrets are bad, an open folder and another owner a warning."""
    me = os.geteuid()
    tmp_path.chmod(0o700)
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0o600)
    assert doctor_home.privacy(tmp_path, me).status == "ok"
    assert doctor_home.privacy(tmp_path, me + 1).status == "warn"
    tmp_path.chmod(0o755)
    assert "chmod 700" in doctor_home.privacy(tmp_path, me).remedy
    (tmp_path / "secret").chmod(0o604)
    assert doctor_home.privacy(tmp_path, me).status == "bad"


def test_a_port_that_is_taken_names_the_process(tmp_path):
    """Free; taken by somebody; taken by the home's own controller."""
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        found = doctor_network.tcp_port(tmp_path, port)
        assert found.status == "warn"
        assert f"process {os.getpid()} (" in found.detail
        with HomeLock.acquire(tmp_path) as lock:
            lock.describe(f"http://127.0.0.1:{port}")
            found = doctor_network.tcp_port(tmp_path, port)
        assert (found.status, "this home's controller" in found.detail) == ("ok", True)
    assert doctor_network.tcp_port(tmp_path, 0).status == "ok"


def test_a_listener_of_another_user_is_not_guessed_at(tmp_path):
    """The table says that somebody listens, no process shows the socket."""
    (tmp_path / "net").mkdir()
    row = "   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1"
    (tmp_path / "net" / "tcp").write_text("header\n" + row + "\n")
    assert doctor_network.listener(8000, tmp_path) == "a process of another user"
    assert doctor_network.listener(8001, tmp_path) is None


def test_udp_ports():
    """A datagram really arrives; a taken port is told."""
    assert doctor_network.udp_port(0).status == "ok"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("", 0))
        found = doctor_network.udp_port(one.getsockname()[1])
    assert found.status == "warn"
    assert "--listen" in found.remedy


def test_addresses():
    """Those a phone could use; none is a warning."""
    found = doctor_network.addresses([("lo", "127.0.0.1"), ("eth0", "192.0.2.7")])
    assert (found.status, found.detail) == ("ok", "192.0.2.7 (eth0)")
    assert doctor_network.addresses([("lo", "127.0.0.1")]).status == "warn"


def test_clock_sync():
    """By NTP, by nobody, unknown: only what can be known is said."""
    found = [
        doctor_machine.clock_sync(told)
        for told in (KernelClock(True, 0.012), KernelClock(False, 16.0), None)
    ]
    assert [one.status for one in found] == ["ok", "warn", "ok"]
    assert "0.012 s" in found[0].detail
    told = doctor_machine.kernel_clock()
    assert told is None or told.error_s >= 0


def test_optional_parts_are_never_held_against_a_machine():
    """Installed, or not with the line that installs it."""
    none = list(doctor_machine.extras(lambda _: None, lambda _: None))
    assert {one.what for one in none} >= {"pygame-ce", "monitorcontrol", "chromium", "adb"}
    assert all(one.status == "ok" and one.remedy for one in none)
    every = list(doctor_machine.extras(lambda name: name, lambda name: name))
    assert {one.detail for one in every} == {"installed"}


def test_serial_ports_that_may_not_be_opened(tmp_path):
    """With the group that may."""
    assert doctor_machine.serial_ports(iter([])).detail == "none plugged in"
    mine = tmp_path / "ttyUSB0"
    mine.write_bytes(b"")
    assert doctor_machine.serial_ports(iter([str(mine)])).status == "ok"
    found = doctor_machine.serial_ports(iter([str(tmp_path / "ttyUSB1")]))
    assert (found.status, "dialout" in found.remedy) == ("warn", True)


def test_everything_is_in_the_json(tmp_path, capsys):
    """One object, each finding with status and, unless ok, a remedy."""
    status = main(["doctor", "--home", str(tmp_path / "home"), "--json", "--port", "0"])
    told = json.loads(capsys.readouterr().out)
    assert status == 0, told
    assert {one["what"] for one in told["findings"]} >= {
        "file system", "fsync", "database", "clock sync", "port 0", "UDP", "addresses",
        "serial ports", "privacy",
    }  # fmt: skip
    assert all(one["remedy"] for one in told["findings"] if one["status"] != "ok")


def test_ports_out_of_range_are_refused(tmp_path, capsys):
    """Exit 2 and a sentence."""
    assert main(["doctor", "--home", str(tmp_path), "--udp", "70000"]) == 2
    assert "--udp" in capsys.readouterr().err
