"""Make one image, or say why it cannot be made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from rig.synthesis import manifest
from rig.synthesis.ahead import read_ahead
from rig.synthesis.batch import Batch
from rig.synthesis.image import Colour, decode, encode_jpeg, in_colour
from rig.synthesis.manifest import Row
from rig.synthesis.recipes import Applied, Recipe, apply_steps, sample_recipe
from rig.synthesis.transform import Size, SynthesisError, size_of


@dataclass(frozen=True, slots=True)
class Item:
    """One image to make: its key (the randomness hangs on it), its source, and where it goes.

    `output` is relative to the output folder and ends in .jpg or .jpeg.
    """

    key: str
    source: Path
    output: PurePosixPath


@dataclass(frozen=True, slots=True)
class Drawn:
    """Make by a recipe: parameters are drawn from the seed and the image's key."""

    recipe: Recipe
    seed: int


@dataclass(frozen=True, slots=True)
class Given:
    """Make with these parameters; `promised` is what is known of source and output."""

    steps: tuple[Applied, ...]
    promised: Row


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with one image, and what the manifest is to say was asked for."""

    how: Drawn | Given
    asked: Row
    quality: int
    colour: Colour = "source"


@dataclass(frozen=True, slots=True)
class Job:
    """What all images of a run have in common; *base* is where relative paths begin."""

    out_dir: Path
    base: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item, and its row of the manifest."""

    state: Literal["made", "skipped", "failed"]
    row: Row
    changed: bool = False
    differs: bool = False


Order = tuple[Item, Plan, Row | None]
"""An item, its plan, and what an earlier manifest says of its output."""


def make_chunk(job: Job, orders: Sequence[Order]) -> list[Outcome]:
    """Make, or skip, each of *orders*; never raises for what is wrong with one of them."""
    outcomes: list[Outcome] = []
    paths = [job.base / item.source for item, _, _ in orders]
    with Batch(job.base / job.out_dir) as batch, closing(read_ahead(paths)) as sources:
        for number, ((item, plan, earlier), source) in enumerate(zip(orders, sources, strict=True)):
            try:
                target = _target(job, item)
                outcome, jpeg = _make(item, plan, earlier, target, source)
                if jpeg is not None:
                    _write(batch, number, target, jpeg)
                outcomes.append(outcome)
            except Exception as error:  # noqa: BLE001 - one bad input must not lose the batch
                outcomes.append(Outcome("failed", failed_row(item, _reason(error))))
        for number, why in batch.settle().items():
            reason = f"The output cannot be written: {why.strerror}."
            outcomes[number] = Outcome("failed", failed_row(orders[number][0], reason))
    return outcomes


def _make(
    item: Item, plan: Plan, earlier: Row | None, target: Path, found: bytes | OSError
) -> tuple[Outcome, bytes | None]:
    """What becomes of *item*, and the file that is to be written for it, if one is."""
    data = _checked(found)
    digest = hashlib.sha256(data).hexdigest()
    promised = plan.how.promised if isinstance(plan.how, Given) else {}
    if promised.get("source_sha256", digest) != digest:
        raise SynthesisError(
            "The source has changed: its SHA-256 is not the one that the manifest names."
        )
    asked = plan.asked | {"source_sha256": digest, "output": str(item.output)}
    place = {"source": item.source.as_posix()}
    if earlier and _asks_the_same(earlier, asked, plan) and _intact(target, earlier):
        differs = not _kept(promised, earlier)
        return Outcome("skipped", earlier | place, differs=differs), None
    source = decode(data)
    steps = _steps(plan.how, item, size_of(source))
    twin = apply_steps(source, steps)
    jpeg = encode_jpeg(in_colour(twin.image, plan.colour), plan.quality)
    row = asked | place | {"output_sha256": hashlib.sha256(jpeg).hexdigest()}
    row |= manifest.made(twin, source)
    changed = bool(earlier) and (earlier or {}).get("source_sha256", digest) != digest
    return Outcome("made", row, changed=changed, differs=not _kept(promised, row)), jpeg


def _steps(how: Drawn | Given, item: Item, size: Size) -> tuple[Applied, ...]:
    if isinstance(how, Given):
        return how.steps
    return sample_recipe(size, how.recipe, seed=how.seed, key=item.key)


def _asks_the_same(earlier: Row, asked: Row, plan: Plan) -> bool:
    if isinstance(plan.how, Drawn):
        return manifest.asks_the_same(earlier, asked, plan.how.recipe)
    steps = [manifest.step_row(applied) for applied in plan.how.steps]
    return earlier.get("steps") == steps and manifest.agrees(earlier, asked)


def _kept(promised: Row, row: Row) -> bool:
    """Whether the output is the one that was promised, if one was."""
    expected = promised.get("output_sha256")
    return expected is None or expected == row["output_sha256"]


def _checked(found: bytes | OSError) -> bytes:
    """What was read, or a sentence for why it was not."""
    if isinstance(found, FileNotFoundError):
        raise SynthesisError("There is no such file.")
    if isinstance(found, OSError):
        raise SynthesisError(f"The source cannot be read: {found.strerror}.")
    return found


def _write(batch: Batch, number: int, target: Path, data: bytes) -> None:
    try:
        batch.put(number, target, data)
    except OSError as error:
        raise SynthesisError(f"The output cannot be written: {error.strerror}.") from error


def _target(job: Job, item: Item) -> Path:
    """Where *item* goes; SynthesisError when that is no place for it."""
    output = item.output
    if output.is_absolute() or ".." in output.parts or "\\" in str(output):
        raise SynthesisError(f"The output {output} leaves the output folder.")
    if output.suffix.lower() not in {".jpg", ".jpeg"}:
        raise SynthesisError(f"The output {output} is not named .jpg or .jpeg.")
    target = job.base / job.out_dir / output
    if _same_file(target, job.base / item.source):
        raise SynthesisError(f"The output {output} is its own source; choose another folder.")
    return target


def _same_file(target: Path, source: Path) -> bool:
    try:
        return target.samefile(source)
    except OSError:  # no source: reading it will say so
        return False


def _intact(target: Path, row: Row) -> bool:
    """Whether the output is there with the bytes that its row promises."""
    try:
        return hashlib.sha256(target.read_bytes()).hexdigest() == row.get("output_sha256")
    except OSError:
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, SynthesisError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    if isinstance(error, MemoryError):
        return "There is not enough memory for an image of this size."
    return f"{type(error).__name__}: {error}"


def failed_row(item: Item, reason: str) -> Row:
    """The row of an image that was not made."""
    return {
        "key": item.key,
        "source": item.source.as_posix(),
        "output": str(item.output),
        "failed": reason,
    }
