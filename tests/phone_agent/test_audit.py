"""`phone-agent audit` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phone_agent.cli import main
from rig.protocol.journal import encode_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A phone agent's folder in which nothing was shot yet."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "journal").write_bytes(encode_record({"k": "BOOT", "boot": "00" * 8}))
    return tmp_path


def test_a_sound_folder_exits_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing shot, nothing wrong."""
    assert main(["audit", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out == "0 files hashed: sound\n"


def test_the_folder_of_the_agent_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `phone-agent` alone uses, `phone-agent audit` alone audits."""
    home = folder.parent / "home"
    home.mkdir()
    folder.rename(home / "rig")
    monkeypatch.setenv("HOME", str(home))
    assert main(["audit"]) == 0
    assert "sound" in capsys.readouterr().out


def test_a_finding_exits_1_and_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As one JSON object on stdout and nothing else there."""
    (folder / "photos" / "x.jpg").write_bytes(b"x")
    assert main(["audit", "--dir", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["sound"] is False
    assert told["findings"][0]["name"] == "x.jpg"


def test_a_folder_without_a_journal_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2; nothing is created."""
    assert main(["audit", "--dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What contradicts itself vouches for nothing."""
    (folder / "journal").write_bytes(encode_record({"k": "NEWER"}))
    assert main(["audit", "--dir", str(folder)]) == 2
    assert "unknown kind" in capsys.readouterr().err


def test_unreadable_notes_of_deletions_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them nobody knows which photos may be missing."""
    (folder / "uploads.jsonl").mkdir()
    assert main(["audit", "--dir", str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
