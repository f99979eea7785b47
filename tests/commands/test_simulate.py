"""`rig simulate`: the JSON that others read, sentences for people, and a command that replays."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rig.cli import main
from rig.simulation.night import NightRig

CONTRACT = {
    "captures", "committed", "skipped", "duplicated", "mislabelled", "retakes", "aborts", "crashes",
    "datagrams", "virtual_seconds", "wall_seconds",
}  # fmt: skip
BAD = (
    "--captures 40 --seed 3 --loss 0.2 --duplicate 0.1 --reorder 0.1 --corrupt 0.05 --delay-ms 20 "
    "--crashes 10 --camera-faults 0.1 --stale-frames 0.2 --screen-faults 0.05 --disk-faults 2 "
    "--camera-seconds 0.5 --subset-size 15"
)


def _json(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = main(["simulate", *shlex.split(words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_json_has_the_fields_that_others_read(capsys: pytest.CaptureFixture[str]):
    status, report = _json("--captures 30 --seed 1", capsys)
    assert status == 0
    assert set(report) >= CONTRACT
    assert (report["captures"], report["committed"]) == (30, 30)
    assert [report[k] for k in ("skipped", "duplicated", "mislabelled", "aborts")] == [0] * 4
    assert report["datagrams"]["sent"] <= 6 * 30
    assert report["problems"] == []


def test_a_bad_night_is_well_in_the_end(capsys: pytest.CaptureFixture[str]):
    status, report = _json(BAD, capsys)
    assert (status, report["committed"], report["crashes"]) == (0, 40, 10)
    assert report["stale_frames"] > 0
    assert report["mislabelled"] == 0
    assert report["retakes"] > 0


def test_changes_of_address_are_played(capsys: pytest.CaptureFixture[str]):
    status, report = _json("--captures 30 --seed 1 --roam 3", capsys)
    assert (status, report["roams"]) == (0, 3)


@pytest.mark.parametrize("salt", ["1", "2"])
def test_the_same_seed_is_the_same_in_every_process(salt: str, capsys: pytest.CaptureFixture[str]):
    """Also when Python hashes its strings differently."""
    command = [sys.executable, "-m", "rig.cli", "simulate", *shlex.split(BAD), "--json"]
    there = subprocess.run(
        command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": salt}
    )
    _, here = _json(BAD, capsys)
    other = json.loads(there.stdout)
    del here["wall_seconds"], other["wall_seconds"]
    assert json.dumps(here) == json.dumps(other)


def test_the_replay_is_the_same_run(capsys: pytest.CaptureFixture[str]):
    _, first = _json(BAD, capsys)
    words = shlex.split(first["replay"])
    assert words[:2] == ["rig", "simulate"]
    _, second = _json(shlex.join(words[2:]), capsys)
    assert first["run_sha256"] == second["run_sha256"]
    assert first["replay"] == second["replay"]


def test_people_read_about_the_night_and_about_stale_frames(capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", *shlex.split(BAD)]) == 0
    said = capsys.readouterr()
    assert "40 captures in 3 subset(s), seed 3: all is well" in said.out
    assert "40 committed, 0 skipped, 0 duplicated, 0 mislabelled" in said.out
    assert "a capture" in said.out
    assert "mislabelled by the camera" in said.out
    assert "The optical check finds them" in said.out
    assert said.err == ""


def test_people_do_not_read_of_stale_frames_when_there_are_none(
    capsys: pytest.CaptureFixture[str],
):
    main(["simulate", "--captures", "3", "--seed", "1"])
    assert "mislabelled by the camera" not in capsys.readouterr().out


def test_what_is_not_well_is_told_with_the_command_that_replays_it(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["simulate", *shlex.split("--captures 4 --seed 9 --loss 1 --roam 1")]) == 1
    said = capsys.readouterr()
    assert "NOT WELL" in said.out
    assert "not well: Given up" in said.err
    assert "rig simulate --captures 4 --seed 9 --loss 1.0 --roam 1" in said.err


def test_json_is_alone_on_stdout_when_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A screen that shows the wrong x-ray: found, status 1, in the JSON too."""
    surface = NightRig._surface

    def shows_two(self: Any) -> bytes:
        self.on_screen = 2 if self.on_screen is not None else None
        return surface(self)

    monkeypatch.setattr(NightRig, "_surface", shows_two)
    status, report = _json("--captures 4 --seed 9", capsys)
    assert (status, report["mislabelled"], report["committed"]) == (1, 3, 4)
    assert report["replay"] == "rig simulate --captures 4 --seed 9"
    assert any(p.startswith("S2") for p in report["problems"])


@pytest.mark.parametrize(
    "words",
    [
        "--loss 1.5", "--loss -0.1", "--corrupt nan", "--crashes -1", "--captures 0",
        "--subset-size 0", "--delay-ms -1", "--camera-seconds 0", "--delay-ms nan",
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_a_sentence(words: str, capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", "--captures", "3", "--seed", "1", *words.split()]) == 2
    said = capsys.readouterr()
    assert words.split(maxsplit=1)[0] in said.err
    assert said.out == ""


SCRIPT = (
    "good 0.4; deliver 3; crash display 0.4 torn; duplicate 2; corrupt 0 7; drop 1; advance 1.0; "
    "abort; good 1.1; rearm; crash phone 0.0 power; camera stale; fill phone; good 2.0; roam; room"
)


def test_a_script_is_played_the_same_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--captures", "4", "--seed", "11", "--script"]
    status, first = _json(shlex.join([*words, SCRIPT]), capsys)
    assert (status, first["committed"], first["crashes"], first["aborts"]) == (0, 4, 2, 1)
    file = tmp_path / "steps.txt"
    file.write_text(SCRIPT.replace("; ", "  # so\n"))
    _, again = _json(shlex.join([*words, f"@{file}"]), capsys)
    assert again["replay"] == first["replay"] == shlex.join(["rig", "simulate", *words, SCRIPT])
    assert again["run_sha256"] == first["run_sha256"]
    status, other = _json(
        shlex.join(["--captures", "4", "--seed", "12", "--script", SCRIPT]), capsys
    )
    assert other["run_sha256"] != first["run_sha256"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--loss 0.1 --script roam", "leave --loss out"),
        ("--campaign --script roam", "leave --campaign out"),
        ("--script @nowhere.txt", "The script nowhere.txt cannot be read"),
        ("--script fly", "Step 1 of the script is 'fly'"),
    ],
)
def test_a_script_that_cannot_be_played(words: str, told: str, capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", "--captures", "3", "--seed", "1", *shlex.split(words)]) == 2
    assert told in capsys.readouterr().err


def test_a_script_plays_one_subset(capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", "--captures", "501", "--seed", "1", "--script", "roam"]) == 2
    assert "500 or fewer" in capsys.readouterr().err
