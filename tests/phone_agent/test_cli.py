"""`phone-agent` as the person in the room starts it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phone_agent import config
from phone_agent.cli import main
from phone_agent.config import Saved
from phone_agent.options import build_parser, choose
from phone_agent.status import Status
from phone_agent.store import PhotoStore
from rig.protocol.keys import Pairing, parse_pairing

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
        (CAMERA, "not paired yet"),
        (["127.0.0.1:9", "ABCD2345", "--pair", PAIR, *CAMERA], "not both"),
        (["127.0.0.1:9", *CAMERA], "give the code too"),
        (["127.0.0.1:9", "ABCD2345", "--camera", "polaroid"], "there is no camera"),
        (["127.0.0.1:9", "ABC", *CAMERA], "8 letters and digits"),
        (["127.0.0.1:9", "ABCD2345", *CAMERA], "Nothing listens at 127.0.0.1:9"),
        (["--pair", PAIR, *CAMERA, "--status", "8765"], "is not HOST:PORT"),
        (["--pair", PAIR, *CAMERA, "--status", "0.0.0.0:0"], "--status-token"),
        (["--pair", PAIR, *CAMERA, "--status", "0.0.0.0:0", "--status-token", "@no"], "token file"),
        (["127.0.0.1:9", "ABCD2345", "--legacy-listen", "0", "--legacy-first", "0",
          "--legacy-from", "127.0.0.1", *CAMERA], "--legacy-listen knows no"),
    ],
)  # fmt: skip
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


def run_until_ready(tmp_path: Path, *words: str) -> list[dict[str, object]]:
    """What an agent says up to "ready"; it is stopped then."""
    child = subprocess.Popen(
        [sys.executable, "-m", "phone_agent.cli", *words, "--dir", str(tmp_path), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    said: list[dict[str, object]] = []
    while not said or said[-1].get("kind") != "ready":
        line = child.stdout.readline()
        assert line, child.communicate()[1]
        said.append(json.loads(line))
    child.terminate()
    rest, errors = child.communicate(timeout=30)
    assert (child.returncode, errors) == (0, b"")
    return said + [json.loads(line) for line in rest.splitlines()]


def test_remembered_pairing_and_camera_are_enough(tmp_path: Path) -> None:
    """A start without arguments; another camera is remembered from then on."""
    config.save(tmp_path, Saved(parse_pairing(PAIR), CAMERA[1]))
    said = run_until_ready(tmp_path)
    assert any("camera loopback" in str(line.get("text")) for line in said)
    other = "loopback:http://127.0.0.1:10"
    run_until_ready(tmp_path, "--camera", other, "--no-checks")
    assert config.load(tmp_path).camera == other


def test_checks_are_told_before_it_is_ready(tmp_path: Path) -> None:
    """One line each; --no-checks leaves them out."""
    kinds = [line.get("kind") for line in run_until_ready(tmp_path, "--pair", PAIR, *CAMERA)]
    assert kinds.index("check") < kinds.index("ready")
    quiet = run_until_ready(tmp_path, "--pair", PAIR, *CAMERA, "--no-checks")
    assert "check" not in [line.get("kind") for line in quiet]


def test_pairing_with_a_controller_uploads_in_a_batch(tmp_path: Path) -> None:
    """Unless it is told otherwise."""
    parse = build_parser().parse_args
    paired = replace(parse_pairing(PAIR), upload_url="http://127.0.0.1:9", upload_token="tok")
    config.save(tmp_path, Saved(paired, CAMERA[1]))
    status = Status(io.StringIO())
    for words, upload in (
        ([], "batch"), (["--upload"], "during"), (["--upload", "off"], "off"),
        (["--upload", "batch"], "batch"), (["--pair", PAIR, *CAMERA], "off"),
    ):  # fmt: skip
        assert choose(parse(["--dir", str(tmp_path), *words]), status).upload == upload


def test_check_exits_1_and_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object with --json; the camera is not there."""
    words = ["check", "--dir", str(tmp_path), "--pair", PAIR, *CAMERA]
    assert main([*words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    wrong = {each["name"] for each in told["checks"] if not each["ok"]}
    assert wrong == {"camera", "udp"}
    assert main(words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(told["checks"])
    assert sum(line.startswith("LOOK  ") for line in lines) == 2


def test_check_in_a_busy_folder_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The camera belongs to the agent that runs."""
    with PhotoStore(tmp_path):
        assert main(["check", "--dir", str(tmp_path), *CAMERA]) == 2
    assert capsys.readouterr().err.count("\n") == 1
