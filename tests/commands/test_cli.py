"""The `rig` command itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rig.cli import COMMANDS, main
from rig.commands.processes import Programs
from rig.commands.progress import progress
from rig.errors import UserError


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who knows only the name finds out the rest."""
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "example" in capsys.readouterr().out


def test_bad_usage_exits_with_two() -> None:
    """As every program."""
    with pytest.raises(SystemExit) as end:
        main(["no-such-command"])
    assert end.value.code == 2


def test_a_user_error_is_one_sentence_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, no traceback, nothing on standard output."""
    assert main(["dataset", "stats", str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("rig dataset: ")


def test_help_loads_nothing_heavy() -> None:
    """`rig --help` answers before numpy, FastAPI or SQLAlchemy are even looked for."""
    code = (
        "import sys\nfrom rig.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'cv2', 'fastapi', 'sqlalchemy', 'PIL', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(1 if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0


def test_progress_is_silent_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts that read standard error get no bars."""
    with progress("working") as advance:
        advance(1, 2)
    assert capsys.readouterr().err == ""


def test_a_program_that_ends_early_is_named_with_its_log(tmp_path: Path) -> None:
    """Instead of waiting for words that will never come."""
    with Programs(tmp_path) as programs:
        program = programs.start("helper", "json.tool", "--no-such-option")
        with pytest.raises(UserError, match=r"helper ended by itself; see .*helper.log"):
            program.expect("url", 20)


def test_secrets_that_a_program_prints_are_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line with a token is read, and never written to the log."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module = tmp_path / "talker.py"
    module.write_text(
        "import json, time\nprint(json.dumps({'token': 's3cret'}))\nprint('plain')\n"
        "print(json.dumps({'done': 1}), flush=True)\ntime.sleep(30)\n"
    )
    with Programs(tmp_path) as programs:
        program = programs.start("talker", "talker")
        assert program.expect("token", 20)["token"] == "s3cret"
        program.expect("done", 20)
    log = (tmp_path / "talker.log").read_text()
    assert "plain" in log
    assert "s3cret" not in log
