"""The audit of what the original app left: whole, or what is missing, doubled, empty, damaged."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from display_agent import cli
from rig.commands.verify import read_pairs


def _load(name: str) -> ModuleType:
    path = Path(__file__).with_name("legacy_air.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


air = _load("legacy_air_audit")
_own_log, app, plan, run = air._own_log, air.app, air.plan, air.run
audit = air.audit
AppOnTheAir, Run = Any, Callable[..., Any]


async def test_the_audit_passes_a_whole_export(
    tmp_path: Path, run: Run, app: AppOnTheAir, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pairs then name the photos where they lie, as `rig verify --pairs` reads them."""
    await run()
    app.save()
    (tmp_path / "export" / "notes.txt").write_text("from the phone")
    status, said = await asyncio.to_thread(_in_thread, audit, tmp_path, capsys)
    assert status == 0
    assert (said["passed"], said["found"], said["others"]) == (True, 3, 1)
    pairs = read_pairs(tmp_path / "j" / "legacy-pairs.csv")
    assert all(pair.path(pair.photo).is_file() and pair.path(pair.xray).is_file() for pair in pairs)


def _in_thread(work: Any, *words: Any) -> Any:
    return work(*words)


def _delete(photos: list[Path]) -> None:
    photos[1].unlink()


def _empty(photos: list[Path]) -> None:
    photos[1].write_bytes(b"")


def _cut(photos: list[Path]) -> None:
    photos[1].write_bytes(photos[1].read_bytes()[:-200])


def _png(photos: list[Path]) -> None:
    Image.new("L", (4, 4)).save(photos[1], "PNG")


def _double(photos: list[Path]) -> None:
    sub = photos[1].parent / "again"
    sub.mkdir()
    (sub / photos[1].name).write_bytes(photos[1].read_bytes())


def _foreign(photos: list[Path]) -> None:
    photos[1].with_name("2__57__other.jpg").write_bytes(photos[1].read_bytes())


def _rename(photos: list[Path]) -> None:
    photos[1].rename(photos[1].with_name("2__57__other.jpg"))


def _same(photos: list[Path]) -> None:
    photos[1].write_bytes(photos[0].read_bytes())


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (_delete, ["missing"]), (_empty, ["empty"]), (_cut, ["damaged"]), (_png, ["damaged"]),
        (_double, ["doubled"]), (_foreign, ["doubled"]), (_rename, ["doubled", "missing"]),
        (_same, ["same"]),
    ],
)  # fmt: skip
async def test_the_audit_names_what_is_wrong(
    tmp_path: Path, run: Run, app: AppOnTheAir, capsys: pytest.CaptureFixture[str],
    spoil: Callable[[list[Path]], None], found: list[str],
) -> None:  # fmt: skip
    """Exit 1 and the list: missing, empty, damaged, doubled, renamed, the last frame again."""
    await run()
    app.save()
    spoil(sorted((tmp_path / "export").iterdir()))
    status, said = await asyncio.to_thread(_in_thread, audit, tmp_path, capsys)
    assert status == 1
    assert not said["passed"]
    assert [(p["index"], p["kind"]) for p in said["problems"]] == [(2, kind) for kind in found]


async def test_a_full_phone_is_found_by_the_audit(
    tmp_path: Path, run: Run, app: AppOnTheAir, capsys: pytest.CaptureFixture[str]
) -> None:
    """The app said OK to everything."""
    app.full = True
    assert (await run())[0] == 0
    app.save()
    status, said = await asyncio.to_thread(_in_thread, audit, tmp_path, capsys)
    assert status == 1
    assert [p["kind"] for p in said["problems"]] == ["empty"] * 3


async def test_an_unfinished_run_is_no_whole_export(
    tmp_path: Path, run: Run, app: AppOnTheAir, capsys: pytest.CaptureFixture[str]
) -> None:
    """And in words, for people, the audit says the same."""
    await run(until="answered")
    app.save()
    status, said = await asyncio.to_thread(_in_thread, audit, tmp_path, capsys)
    assert status == 1
    assert "not complete" in str(said["problems"])
    words = ["--journal", str(tmp_path / "j"), "--export", str(tmp_path / "export")]
    assert await asyncio.to_thread(cli.main, ["audit-legacy", *words]) == 1
    assert "NOT whole" in capsys.readouterr().out


@pytest.mark.parametrize("journal", ["empty", "nowhere"])
def test_an_audit_of_no_run_is_one_sentence(
    tmp_path: Path, journal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2."""
    (tmp_path / "empty").mkdir()
    words = ["--journal", str(tmp_path / journal), "--export", str(tmp_path)]
    assert cli.main(["audit-legacy", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
