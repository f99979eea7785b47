"""Dying on purpose, at one named step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rig
from rig.protocol import failpoint
from rig.protocol.journal import parse_journal

APPEND = """
import sys
from pathlib import Path
from rig.protocol.journal_file import JournalFile
journal = JournalFile(Path(sys.argv[1]))
for n in range(1, 6):
    journal.append([{"k": "INTENT", "n": n}])
    journal.append([{"k": "STORED", "n": n}])
"""


def _run(path: Path, armed: str | None) -> tuple[int, list[str]]:
    env = {k: v for k, v in os.environ.items() if k != "XCAP_FAILPOINT"}
    env["PYTHONPATH"] = str(Path(rig.__file__).parents[1])
    if armed is not None:
        env["XCAP_FAILPOINT"] = armed
    done = subprocess.run([sys.executable, "-c", APPEND, path], env=env, check=False)
    records, _ = parse_journal(path.read_bytes())
    return done.returncode, [f"{r['k']}{r['n']}" for r in records]


@pytest.mark.parametrize(
    ("armed", "last"),
    [
        ("before_intent:3", "STORED2"),
        ("after_intent:3", "INTENT3"),
        ("before_stored:1", "INTENT1"),
        ("after_stored:5", "STORED5"),
        ("after_intent", "INTENT1"),
    ],
)
def test_the_process_is_killed_at_the_nth_time_exactly(tmp_path: Path, armed: str, last: str):
    """before_: the record is not there; after_: it is. Without a number: the first time."""
    status, records = _run(tmp_path / "journal", armed)
    assert status == -signal.SIGKILL
    assert records[-1] == last


@pytest.mark.parametrize("armed", [None, "", "after_commit:1", "after_intent:6"])
def test_nothing_happens_where_nothing_is_armed(tmp_path: Path, armed: str | None):
    status, records = _run(tmp_path / "journal", armed)
    assert status == 0
    assert len(records) == 10


def test_it_counts_only_its_own_name(monkeypatch: pytest.MonkeyPatch):
    """Other steps pass without being counted."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(failpoint, "_ARMED", "after_done:2")
    monkeypatch.setattr(failpoint, "_counts", {})
    monkeypatch.setattr(os, "kill", lambda pid, sig: killed.append((pid, sig)))
    for name in ("after_done", "before_done", "after_run"):
        failpoint.hit(name)
    assert killed == []
    failpoint.hit("after_done")
    assert killed == [(os.getpid(), signal.SIGKILL)]
