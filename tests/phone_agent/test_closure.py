"""The phone needs nothing but Python 3.10: no package, no newer module, no newer syntax."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    [
        *(ROOT / "phone_agent").rglob("*.py"),
        *(ROOT / "rig" / "protocol").rglob("*.py"),
        ROOT / "rig" / "__init__.py",
    ]
)
NAMES = [path.relative_to(ROOT).as_posix() for path in SOURCES]
# In the standard library of the computer's Python, but not in 3.10's.
NEWER_MODULES = {"tomllib", "compression", "annotationlib", "pathlib.types", "string.templatelib"}
# What 3.10's modules do not have yet, as module.name.
NEWER_NAMES = {
    "asyncio.Barrier", "asyncio.Runner", "asyncio.TaskGroup", "asyncio.timeout",
    "asyncio.timeout_at", "contextlib.chdir", "datetime.UTC", "enum.EnumCheck", "enum.ReprEnum",
    "enum.StrEnum", "enum.member", "enum.nonmember", "enum.verify", "hashlib.file_digest",
    "http.HTTPMethod", "itertools.batched", "logging.getHandlerByName", "math.cbrt", "math.exp2",
    "math.sumprod", "operator.call", "typing.LiteralString", "typing.Never", "typing.NotRequired",
    "typing.ReadOnly", "typing.Required", "typing.Self", "typing.TypeIs", "typing.Unpack",
    "typing.assert_never", "typing.assert_type", "typing.dataclass_transform", "typing.override",
    "typing.reveal_type", "wsgiref.types",
}  # fmt: skip
# Android forbids hard links to apps; the Python of Termux does not even have the function.
NOT_ON_ANDROID = {"os.link"}
NEWER_BUILTINS = {"ExceptionGroup", "BaseExceptionGroup", "PythonFinalizationError"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path), feature_version=(3, 10))


def imported(path: Path) -> Iterator[str]:
    """Full names of all imported modules, function-level ones too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            yield node.module or ""
            if node.module in {"rig", "rig.protocol", "phone_agent", "phone_agent.cameras"}:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_own(module: str) -> bool:
    parts = module.split(".")
    return module == "rig" or parts[0] == "phone_agent" or parts[:2] == ["rig", "protocol"]


def used_names(tree: ast.Module) -> Iterator[str]:
    """module.name for `from module import name` and for plain attribute access."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def test_there_is_something_to_check():
    """The walk finds both packages."""
    assert {"phone_agent/upload.py", "rig/protocol/__init__.py", "rig/__init__.py"} <= set(NAMES)
    assert {"phone_agent/page.py", "phone_agent/checks.py", "phone_agent/cameras/termux.py"} <= set(
        NAMES
    )


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_stay_inside(path):
    """Only 3.10's standard library, phone_agent and rig.protocol are imported."""
    modules = set(imported(path))
    foreign = {m for m in modules if not is_own(m) and m.split(".")[0] not in STANDARD}
    # `from rig import __version__` names an attribute of the package's own __init__.
    assert foreign - {"rig.__version__"} == set()


STANDARD = sys.stdlib_module_names - NEWER_MODULES


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_protocol_does_not_lean_on_the_agent(path):
    """rig.protocol is below: it knows nothing of the phone agent."""
    if "protocol" in path.parts:
        assert not [m for m in imported(path) if m.startswith("phone_agent")]


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_syntax_and_names_are_those_of_python_3_10(path):
    """It parses as 3.10 and uses no name that came later."""
    tree = tree_of(path)
    used = set(used_names(tree))
    assert used & (NEWER_NAMES | NOT_ON_ANDROID) == set()
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names & NEWER_BUILTINS == set()


@pytest.mark.parametrize(
    "source",
    ["import numpy", "from rig import store", "from rig.store import x", "import tomllib",
     "def f():\n    import display_agent"],
)  # fmt: skip
def test_the_check_finds_strangers(tmp_path, source):
    """A forbidden import is seen, however it is written."""
    path = tmp_path / "m.py"
    path.write_text(source)
    with pytest.raises(AssertionError):
        test_imports_stay_inside(path)


@pytest.mark.parametrize(
    "source",
    ["try:\n    pass\nexcept* ValueError:\n    pass", "from enum import StrEnum",
     "import asyncio\nasyncio.timeout(1)", "class A[T]: pass", "import os\nos.link(a, b)",
     "raise ExceptionGroup('', [])"],
)  # fmt: skip
def test_the_check_finds_newer_python(tmp_path, source):
    """Newer syntax and newer names are seen."""
    path = tmp_path / "m.py"
    path.write_text(source)
    with pytest.raises((AssertionError, SyntaxError)):
        test_syntax_and_names_are_those_of_python_3_10(path)


def pythons() -> list[str]:
    """Every Python 3.10 to 3.14 that this machine can start, the one that runs the tests too."""
    found = [sys.executable]
    for minor in range(10, 15):
        path = shutil.which(f"python3.{minor}")
        if path is not None:
            ask = [path, "-c", "import sys; print(sys.version_info[1])"]
            done = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=60)
            if done.stdout.strip() == str(minor):  # a shim of a version that is not chosen fails
                found.append(path)
    return found


def test_archive_works_with_every_python_here(tmp_path):
    """`python -I -S agent.pyz`: help, and a check that goes through most of the modules."""
    archive = tmp_path / "agent.pyz"
    build = [sys.executable, str(ROOT / "deploy" / "build_phone_agent.py"), "--out", str(archive)]
    subprocess.run(build, check=True, capture_output=True, timeout=60)
    for number, python in enumerate(pythons()):
        run = [python, "-I", "-S", str(archive)]
        shown = subprocess.run(
            [*run, "--help"], capture_output=True, text=True, timeout=60, check=True
        )
        assert "phone-agent 192.168.1.5:8000 ABCD2345" in shown.stdout
        words = ["check", "--json", "--dir", str(tmp_path / str(number)), "--camera"]
        done = subprocess.run(
            [*run, *words, "loopback:http://127.0.0.1:9"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (1, ""), python
        told = {each["name"]: each["ok"] for each in json.loads(done.stdout)["checks"]}
        assert told["python"] is True
        assert told["camera"] is False
