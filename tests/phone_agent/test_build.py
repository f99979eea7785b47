"""agent.pyz: one file, the same bytes every time, and it runs with nothing else around."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "build_phone_agent.py"


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("build_phone_agent", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path):
    """A small project with the agent's layout, and things that must stay out."""
    root = tmp_path / "project"
    files = {
        "phone_agent/__init__.py": "",
        "phone_agent/cli.py": (
            "import sys\nfrom rig.protocol.names import WORD\nfrom rig import __version__\n"
            "def main():\n    print(WORD, __version__, sys.argv[1:])\n    return 3\n"
        ),
        "phone_agent/cameras/__init__.py": "",
        "phone_agent/notes.txt": "out",
        "phone_agent/__pycache__/cli.cpython-311.pyc": "out",
        "rig/__init__.py": "__version__ = '9'\n",
        "rig/protocol/__init__.py": "",
        "rig/protocol/names.py": "WORD = 'hello'\n",
        "rig/store/__init__.py": "out",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_two_builds_are_byte_identical(builder, project):
    """Neither file times nor the order of creation leave a trace."""
    first = builder.build(project)
    for number, path in enumerate(sorted(project.rglob("*.py"), reverse=True)):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        path.chmod(0o600)
        os.utime(path, (number * 10**6, number * 10**8))
    assert builder.build(project) == first
    (project / "rig/protocol/names.py").write_text("WORD = 'hullo'\n")
    assert builder.build(project) != first


def test_only_what_the_phone_needs_is_inside(builder, project, tmp_path):
    """The agent, the protocol, rig/__init__.py and the entry point, compressed and sorted."""
    target = tmp_path / "agent.pyz"
    builder.write(target, builder.build(project))
    with zipfile.ZipFile(target) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == [
        "__main__.py",
        "phone_agent/__init__.py",
        "phone_agent/cameras/__init__.py",
        "phone_agent/cli.py",
        "rig/__init__.py",
        "rig/protocol/__init__.py",
        "rig/protocol/names.py",
    ]
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_DEFLATED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert not target.with_name("agent.pyz.part").exists()


def test_archive_runs_isolated(builder, project, tmp_path):
    """`python -I -S agent.pyz` starts phone_agent.cli:main and passes its exit status on."""
    target = tmp_path / "agent.pyz"
    builder.write(target, builder.build(project))
    run = [sys.executable, "-I", "-S", str(target), "--x"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello 9 ['--x']\n", "")


def test_command_prints_the_hash_of_what_it_wrote(project, tmp_path):
    """The whole script, as a person runs it."""
    target = tmp_path / "agent.pyz"
    run = [sys.executable, "-I", str(SCRIPT), "--root", str(project), "--out", str(target)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=20, check=False)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    assert (done.returncode, done.stdout) == (0, f"{digest}  {target}\n")


def test_wrong_folder_is_a_sentence(builder, tmp_path, capsys):
    """No traceback for a person."""
    assert builder.main(["--root", str(tmp_path), "--out", str(tmp_path / "a.pyz")]) == 2
    assert "has no phone_agent" in capsys.readouterr().err
    assert not (tmp_path / "a.pyz").exists()


def test_real_modules_import_from_the_archive_alone(builder, tmp_path):
    """Every module of ours loads out of the real archive without site-packages."""
    target = tmp_path / "agent.pyz"
    builder.write(target, builder.build())
    with zipfile.ZipFile(target) as archive:
        names = [name for name in archive.namelist() if name != "__main__.py"]
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
               for name in names]  # fmt: skip
    modules = [name for name in modules if not name.endswith("__main__")]
    assert {"phone_agent.store", "phone_agent.cameras.loopback", "rig.protocol"} <= set(modules)
    code = "import sys, importlib\nsys.path.insert(0, sys.argv[1])\n"
    code += "for name in sys.argv[2:]: assert sys.argv[1] in importlib.import_module(name).__file__"
    run = [sys.executable, "-I", "-S", "-c", code, str(target), *modules]
    done = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
