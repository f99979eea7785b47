"""The fuzzer's targets, without its guidance: over their seeds and over random bytes."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.datagram import BadDatagram

HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


targets = _load("targets")


@pytest.mark.parametrize("target", sorted(targets.TARGETS))
def test_a_target_stands_its_seeds_and_what_mutation_makes_of_them(target: str) -> None:
    """No exception but the ones that the readers promise."""
    rng = random.Random(target)
    for seed in targets.seeds(target):
        targets.TARGETS[target](seed)
        for _ in range(25):
            bad = bytearray(seed)
            for _ in range(rng.randrange(1, 4)):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            cut = rng.randrange(len(bad) // 2, len(bad) + 1)
            targets.TARGETS[target](bytes(bad[:cut]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(targets.TARGETS)))
def test_a_target_stands_any_bytes(data: bytes, target: str) -> None:
    """Garbage too."""
    targets.TARGETS[target](data)


def test_the_seeds_lead_deep_into_the_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole exposure and the commit of its photo: mutations start from there."""
    kinds: set[str] = set()
    parse = targets.parse_journal

    def watched(data: bytes) -> Any:
        kinds.add(str(parse(data)[0][0]["k"]))
        return parse(data)

    monkeypatch.setattr(targets, "parse_journal", watched)
    for seed in targets.seeds("phone"):
        targets.phone(seed)
    assert kinds >= {"BOOT", "RUN", "ARM", "INTENT", "STORED", "COMMIT", "FAIL", "ABORT"}


def test_a_reader_that_raises_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness can fail: a decoder with another exception, or that changes a byte."""

    def wrong(data: bytes, key: bytes) -> None:
        raise KeyError(data)

    monkeypatch.setattr(targets, "decode", wrong)
    with pytest.raises(KeyError):
        targets.datagram(bytes(80))

    def silent(data: bytes, key: bytes) -> None:
        raise BadDatagram("no")

    monkeypatch.setattr(targets, "decode", silent)
    targets.datagram(bytes(80))


def test_a_saved_input_is_replayed_without_the_fuzzer(tmp_path: Path) -> None:
    """`--replay` needs the standard library only, and names are checked."""
    saved = tmp_path / "input"
    saved.write_bytes(b"XC")
    command = [sys.executable, "-S", str(HERE / "fuzz_datagram.py")]
    done = subprocess.run(
        [*command, "--replay", str(saved), "datagram"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    bad = subprocess.run([*command, "nothing"], check=False, capture_output=True, text=True)
    assert bad.returncode == 2
