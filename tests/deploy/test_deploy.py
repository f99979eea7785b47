"""What deploy/ installs starts the commands that there are, with options that they know."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from display_agent.cli import build_parser as display_parser
from phone_agent.cli import build_parser as phone_parser
from rig.cli import build_parser as rig_parser

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def exec_start(unit: str) -> list[str]:
    """The words of ExecStart, specifiers and variables filled in as systemd would."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd" / unit)
    service = parser["Service"]
    variables = dict(word.split("=", 1) for word in shlex.split(service["Environment"]))
    line = re.sub(r"\$\{(\w+)\}", lambda m: variables[m[1]], service["ExecStart"])
    return shlex.split(line.replace("%h", "/home/op").replace("%E", "/home/op/.config"))


def test_the_controllers_unit_serves_on_loopback() -> None:
    """Whoever wants the network must say so."""
    program, *words = exec_start("capture-rig.service")
    args = rig_parser("serve").parse_args(words)
    assert Path(program).name == "rig"
    assert args.host == "127.0.0.1"
    assert args.port == 8000


def test_the_displays_unit_keeps_the_token_off_the_command_line() -> None:
    """Other users see a command line."""
    program, *words = exec_start("capture-rig-display.service")
    args = display_parser().parse_args(words)
    assert Path(program).name == "display-agent"
    assert args.token.startswith("@")
    assert args.screen == "pygame"


def script(tmp_path: Path, name: str, body: str) -> None:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_the_boot_script_takes_the_wake_lock_and_starts_the_agent_again(tmp_path: Path) -> None:
    """Termux's own commands are stood in for; the second pause ends the endless loop."""
    for name in ("termux-wake-lock", "am", "python"):
        script(tmp_path, name, f'echo "{name} $*" >>"$HOME/calls"')
    script(
        tmp_path, "sleep", 'echo sleep >>"$HOME/calls"; [ $(grep -c sleep "$HOME/calls") -lt 2 ] '
        '|| kill $PPID',
    )  # fmt: skip
    shell = shutil.which("sh")
    assert shell is not None
    boot = DEPLOY / "termux-boot" / "10-capture-rig"
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run([shell, str(boot), "--upload", "batch"], env=environ, timeout=60, check=False)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith("termux-wake-lock")
    assert "com.termux/.app.TermuxActivity" in calls[1]
    agents = [line for line in calls if line.startswith("python agent.pyz ")]
    assert len(agents) == 2
    args = phone_parser().parse_args(shlex.split(agents[0])[2:])
    assert args.dir == tmp_path / "rig"
    assert args.status == "127.0.0.1:8765"
    assert args.upload == "batch"


def test_every_udev_rule_is_a_rule() -> None:
    """Match keys first, assignments after them, all of known form."""
    pair = re.compile(r'[A-Z]+(\{\w+\})?(==|!=|=|\+=)"[^"]+"')
    text = (DEPLOY / "udev" / "70-capture-rig.rules").read_text()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            parts = line.strip().split(", ")
            assert all(pair.fullmatch(part) for part in parts), f"line {number}: {line}"
            matches = ["==" in part or "!=" in part for part in parts]
            assert matches == sorted(matches, reverse=True), f"line {number}: {line}"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the container's build stage sees, by its COPY lines."""
    target = tmp_path_factory.mktemp("container")
    lines = (DEPLOY / "container" / "Containerfile").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            *names, folder = line.split()[1:]
            for name in names:
                source, where = ROOT / name, target / folder
                if source.is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, where, ignore=ignored)
                else:
                    shutil.copy(source, where)
    return target


def test_the_container_copies_all_that_the_package_needs(copied: Path, tmp_path: Path) -> None:
    """A wheel is built from those files alone: pages, samples and both agents are in it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(command, cwd=copied, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {
        "rig/web/templates/base.html",
        "rig/web/static/rig.css",
        "rig/planning/paper.toml",
        "rig/sample/LICENSES.md",
        "phone_agent/cli.py",
        "display_agent/cli.py",
    }


def test_the_container_starts_the_controller_as_an_ordinary_user() -> None:
    """And its command line is one that `rig` understands."""
    text = (DEPLOY / "container" / "Containerfile").read_text()
    entry = re.search(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
    assert entry is not None
    words = [word.strip('" ') for word in entry[1].strip("[]").split(",")]
    args = rig_parser("serve").parse_args(words[1:])
    assert args.host == "0.0.0.0"
    assert re.search(r"^USER rig$", text, re.MULTILINE)
