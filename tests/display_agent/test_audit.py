"""`display-agent audit` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from display_agent.cli import main
from rig.protocol.chain import chain_start
from rig.protocol.journal import Record, encode_record

RUN: Record = {
    "k": "RUN", "camp": "ab" * 8, "sub": 1, "first": 1, "last": 2, "man": "cd" * 32, "ses": "s",
}  # fmt: skip


def _journal(folder: Path, *records: Record) -> str:
    (folder / "journal").write_bytes(b"".join(map(encode_record, records)))
    return str(folder)


def test_a_sound_journal_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line says how far the subset is, and its chain."""
    assert main(["audit", "--journal", _journal(tmp_path, RUN)]) == 0
    chain = chain_start(b"\xab" * 8, 1, 1, b"\xcd" * 32).hex()
    told = capsys.readouterr().out
    assert f"subset 1: 0 of 2 photos decided, not finished, chain {chain[:16]}" in told


def test_a_finding_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """COMPLETE without its photos."""
    complete: Record = {"k": "COMPLETE", "count": 2, "chain": "00" * 32}
    assert main(["audit", "--journal", _journal(tmp_path, RUN, complete), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 2


@pytest.mark.parametrize("records", [None, [], [{"k": "BOOT", "boot": "x"}]])
def test_what_cannot_be_audited_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], records: list[Record] | None
) -> None:
    """No journal, an empty one, a phone's: exit 2."""
    if records is not None:
        _journal(tmp_path, *records)
    assert main(["audit", "--journal", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("display-agent audit: ")
