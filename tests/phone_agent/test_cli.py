"""`phone-agent` as the person in the room starts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phone_agent.cli import main
from phone_agent.store import PhotoStore
from rig.protocol.keys import Pairing

PAIR = Pairing(bytes(range(32)), (("127.0.0.1", 9),)).url()
CAMERA = ["--camera", "loopback:http://127.0.0.1:9"]


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` is enough to start."""
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pair", "@nowhere", *CAMERA], "start the display agent first"),
        (["--pair", "http://x", *CAMERA], "must begin with xcap://pair"),
        (["--pair", PAIR[:-30], *CAMERA], "pairing"),
        (["--pair", PAIR, "--camera", "polaroid"], "there is no camera 'polaroid'"),
        (["--pair", PAIR, *CAMERA, "--upload"], "names no controller"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and what to do next; no traceback, no secret."""
    assert main([*words, "--dir", str(tmp_path / "d")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert "AAECAw" not in said


def test_a_second_agent_in_the_same_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One folder, one agent."""
    with PhotoStore(tmp_path):
        assert main(["--pair", PAIR, "--dir", str(tmp_path), *CAMERA]) == 2
    assert "Another phone agent uses this folder" in capsys.readouterr().err


def test_a_damaged_journal_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damage before the last record: refuse to start, touch nothing."""
    from rig.protocol.journal import encode_record

    damaged = b"00000000 {}\n" + encode_record({"k": "BOOT", "boot": "00" * 8})
    (tmp_path / "journal").write_bytes(damaged)
    assert main(["--pair", PAIR, "--dir", str(tmp_path), *CAMERA]) == 2
    assert "damaged" in capsys.readouterr().err
    assert (tmp_path / "journal").read_bytes() == damaged


def test_it_stops_on_sigterm(tmp_path: Path) -> None:
    """Clean end, folder free again."""
    words = ["--pair", PAIR, "--dir", str(tmp_path), *CAMERA, "--json"]
    child = subprocess.Popen(
        [sys.executable, "-m", "phone_agent.cli", *words], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    while b'"ready"' not in child.stdout.readline():
        assert child.poll() is None
    child.terminate()
    assert child.wait(20) == 0
    child.stdout.close()
    PhotoStore(tmp_path).close()
