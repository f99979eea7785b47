"""Make images again from the rows of a manifest, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from rig.synthesis.image import QUALITY, Colour
from rig.synthesis.making import Given, Item, Plan
from rig.synthesis.manifest import Row
from rig.synthesis.parameters import params_from_json
from rig.synthesis.recipes import Applied, Step
from rig.synthesis.runner import Summary, carry_out
from rig.synthesis.transform import SynthesisError


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the manifest that cannot be carried out, and why."""

    line: int
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Script:
    """What a manifest asks for: images to make, bad lines, and rows of images that failed.

    `lines` are the places of the items' lines in the file at `path`; `sources` is where relative
    sources begin.
    """

    path: Path
    sources: Path | None
    items: tuple[Item, ...]
    lines: tuple[int, ...]
    bad: tuple[BadLine, ...]
    failed_before: int


def read_script(path: Path, sources: Path | None = None) -> Script:
    """What the manifest at *path* asks for.

    A row needs `key`, `source`, `output` and `steps` with `transform`, `level` and all of its
    `params`; `quality`, `colour`, `source_sha256` and `output_sha256` count when they are there.
    Of two rows with the same output the later is meant, as in a manifest that was appended to.

    Args:
        path: the manifest.
        sources: where relative sources begin; the current folder unless said.

    Raises:
        SynthesisError: the file cannot be read.
    """
    wanted: dict[PurePosixPath, tuple[Item, int]] = {}
    bad: list[BadLine] = []
    before, at = 0, 0
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            row: Any = {}
            try:
                row = _parsed(line) if line.strip() else None
                if row is not None and not _failed(row):
                    item, _ = _plan(row, sources)
                    wanted.pop(item.output, None)
                    wanted[item.output] = (item, at)
                elif row is not None:
                    before += 1
            except SynthesisError as error:
                bad.append(BadLine(number, str(row.get("source", "")), str(error)))
            at += len(line)
    items = tuple(item for item, _ in wanted.values())
    places = tuple(place for _, place in wanted.values())
    return Script(path, sources, items, places, tuple(bad), before)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SynthesisError(f"The manifest {path} cannot be read: {error.strerror}.") from error


def _failed(row: Row) -> bool:
    return "failed" in row and "steps" not in row


def replay(
    script: Script,
    *,
    out_dir: Path,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Make all that *script* asks for into *out_dir*; see `synthesize`.

    A source whose SHA-256 is not the row's is a failed row. `Summary.differs` lists images whose
    bytes are not those the row promises: other versions of the libraries, or another author.
    """
    with _open(script.path) as file:

        def plan(place: int) -> Plan:
            file.seek(script.lines[place])
            item, plan = _plan(_parsed(file.readline()), script.sources)
            if item != script.items[place]:
                raise SynthesisError(f"The manifest {script.path} was changed; begin again.")
            return plan

        return carry_out(script.items, plan, out_dir=out_dir, executor=executor, progress=progress)


def steps_of(row: Row) -> tuple[Applied, ...]:
    """The steps of a row of a manifest.

    Raises:
        SynthesisError: they are not what a manifest writes; the sentence says which is not.
    """
    return _steps(row.get("steps"))


def _parsed(line: bytes) -> Row:
    try:
        row = json.loads(line.decode("utf-8", errors="replace"))
    except ValueError as error:
        raise SynthesisError(f"The line is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise SynthesisError("The line is not a JSON object.")
    return row


def _plan(row: Row, sources: Path | None) -> tuple[Item, Plan]:
    key, source, output = (_text(row, name) for name in ("key", "source", "output"))
    if "\0" in source + output:
        raise SynthesisError("A path holds a zero byte.")
    place = Path(source) if sources is None else sources / source
    quality, colour = row.get("quality", QUALITY), row.get("colour", "source")
    if not isinstance(quality, int) or isinstance(quality, bool) or not 1 <= quality <= 95:
        raise SynthesisError(f"quality is {quality!r}; it has to be a whole number from 1 to 95.")
    if colour not in {"source", "grey", "rgb"}:
        raise SynthesisError(f"colour is {colour!r}; it has to be source, grey or rgb.")
    # In the order in which a manifest has them.
    asked: Row = {"key": key, **{name: row[name] for name in ("recipe", "seed") if name in row}}
    asked["quality"] = quality
    if "reference_size" in row:
        asked["reference_size"] = row["reference_size"]
    if colour != "source":
        asked["colour"] = colour
    promised: Row = {
        name: _text(row, name) for name in ("source_sha256", "output_sha256") if name in row
    }
    given = Given(steps_of(row), promised)
    item = Item(key, place, PurePosixPath(output))
    return item, Plan(given, asked, quality, cast("Colour", colour))


def _steps(rows: object) -> tuple[Applied, ...]:
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise SynthesisError("steps is missing or no list.")
    return tuple(_step(number, row) for number, row in enumerate(rows, start=1))


def _step(number: int, row: object) -> Applied:
    try:
        if not isinstance(row, dict) or not isinstance(row.get("transform"), str):
            raise SynthesisError("it names no transform.")
        overrides = row.get("overrides", {})
        if not isinstance(overrides, dict):
            raise SynthesisError("its overrides are no object.")
        level = row.get("level", 1)
        if not isinstance(level, int):
            raise SynthesisError(f"its level is {level!r}; give 1, 2, 3 or 4.")
        step = Step(row["transform"], level, overrides)
        return Applied(step, params_from_json(step.transform, row.get("params", {})))
    except SynthesisError as error:
        raise SynthesisError(f"Step {number}: {error}") from None


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise SynthesisError(f"{name} is missing or no text.")
    return value
