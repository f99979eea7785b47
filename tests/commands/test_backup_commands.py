"""`rig backup`, `restore` and `check` as a person and a script call them."""

import importlib.util
import json
import sqlite3
import stat
from pathlib import Path

import pytest

from rig.cli import main

_spec = importlib.util.spec_from_file_location(
    "commands_made_home", Path(__file__).parents[1] / "store" / "made_home.py"
)
made_home = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_home)


@pytest.fixture
def home(tmp_path):
    one = made_home.MadeHome(tmp_path / "home")
    yield one
    one.close()


@pytest.fixture
def rig(capsys):
    """Runs a command; returns exit status, output and errors."""

    def run(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return run


def test_there_and_back_with_json(rig, home, tmp_path):
    """Backup, backup again, restore, check: exit 0 and what a script needs to know."""
    status, out, _ = rig("backup", tmp_path / "b", "--home", home.path, "--json")
    told = json.loads(out)
    assert (status, told["complete"], told["files"], told["copied"]) == (0, True, 8, 8)
    status, out, _ = rig("backup", tmp_path / "b", "--home", home.path, "--json")
    assert (status, json.loads(out)["kept"]) == (0, 7)
    status, out, err = rig("restore", tmp_path / "b", "--home", tmp_path / "new", "--json")
    assert (status, json.loads(out)["lacking"], err) == (0, 0, "")
    status, out, _ = rig("check", "--home", tmp_path / "new", "--deep", "--json")
    assert (status, json.loads(out)["problems"]) == (0, [])
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_words_for_people(rig, home, tmp_path):
    """The same without --json: a line each, problems on standard error."""
    (home.incoming / home.names[0]).unlink()
    status, out, err = rig("backup", tmp_path / "b", "--home", home.path)
    assert status == 1
    assert "copied" in out
    assert home.names[0] in err
    status, out, err = rig("restore", tmp_path / "b", "--home", tmp_path / "new")
    assert status == 1
    assert "rig serve" in out
    assert "rig check" in err
    status, out, _ = rig("check", "--home", tmp_path / "new")
    assert status == 1
    assert home.names[0] in out
    assert f"rig batch import {made_home.SESSION} DIR" in out


def test_without_photos(rig, home, tmp_path):
    """Restoring such a backup is told not to be whole, by exit status too."""
    status, out, _ = rig("backup", tmp_path / "b", "--home", home.path, "--no-photos", "--json")
    assert (status, json.loads(out)["files"]) == (0, 2)
    status, out, _ = rig("restore", tmp_path / "b", "--home", tmp_path / "new", "--json")
    assert (status, json.loads(out)["lacking"]) == (1, 3)


def test_a_changed_table_fails_the_check(rig, home):
    """Exit 1, JSON rows with what to do."""
    home.close()
    with sqlite3.connect(home.path / "rig.db") as connection:
        connection.execute("UPDATE session SET photos = 99")
    connection.close()
    status, out, _ = rig("check", "--home", home.path, "--json")
    told = json.loads(out)
    assert (status, told["status"]) == (1, "bad")
    assert {one["where"] for one in told["problems"]} == {"session"}
    assert all(one["remedy"] for one in told["problems"])


def test_a_warning_alone_is_no_failure(rig, home):
    """A stray file is told with exit 0."""
    (home.path / "sessions" / "notes.txt").write_text("x")
    status, out, _ = rig("check", "--home", home.path)
    assert (status, "warn  stray" in out) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        "backup T --home {none}",
        "backup {home} --home {home}",
        "restore {none} --home {new}",
        "restore {home} --home {new}",
        "restore {none}",
        "check --home {none}",
    ],
)
def test_bad_input_is_exit_2_and_a_sentence(rig, home, tmp_path, monkeypatch, words):
    """Nothing on standard output, no stack trace, nothing made."""
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    places = {"home": home.path, "none": tmp_path / "none", "new": tmp_path / "new"}
    status, out, err = rig(*words.format(**places).split())
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    assert len(err) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == before
