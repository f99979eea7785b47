"""Make the twins of many images, on any executor, going on where an earlier run stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2

from rig.durable import write_atomic
from rig.synthesis import manifest
from rig.synthesis.image import QUALITY, decode, encode_jpeg
from rig.synthesis.manifest import Row
from rig.synthesis.recipes import Recipe, apply_recipe
from rig.synthesis.transform import SynthesisError

# Enough chunks to share out evenly, and about a second of work in each of a long run.
_CHUNKS, _LONGEST_CHUNK = 64, 32
# Chunks handed to an executor at a time; millions of waiting futures would only cost memory.
_WINDOW = 128


@dataclass(frozen=True, slots=True)
class Item:
    """One image to make: its key (the randomness hangs on it), its source, and where it goes.

    `output` is relative to the output folder and ends in .jpg or .jpeg.
    """

    key: str
    source: Path
    output: PurePosixPath


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that was not made, and why, as a sentence."""

    key: str
    source: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did; `made + skipped + len(failed)` is the number of items."""

    made: int
    skipped: int
    failed: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What all images of a run have in common."""

    recipe: Recipe
    seed: int
    out_dir: Path
    quality: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item, and its row of the manifest."""

    state: Literal["made", "skipped", "failed"]
    row: Row


Order = tuple[Item, Row | None]
"""An item and what an earlier manifest says of its output."""


def synthesize(
    items: Sequence[Item],
    recipe: Recipe,
    *,
    seed: int,
    out_dir: Path,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    quality: int = QUALITY,
) -> Summary:
    """Make *items* by *recipe* into *out_dir* and write its `manifest.jsonl`.

    The files are the same whatever the order of the items, the executor and the number of
    workers. What the manifest there says is done is skipped when source, request and output
    still match. A broken input is a failed row; the others are made all the same.

    Args:
        items: what to make; an output named twice is made once and fails the second time.
        recipe: what to do with each.
        seed: dataset seed.
        out_dir: made when missing; rows of other images in its manifest are kept.
        executor: where to work, in chunks; None works here and now.
        progress: called with (done, total).
        quality: JPEG quality, 1..95.

    Raises:
        SynthesisError: the executor's workers died; what they had made is kept.
    """
    job = Job(recipe, seed, out_dir, quality)
    path = out_dir / manifest.NAME
    rows = manifest.read(path)
    orders, repeated = _without_repeats(items, rows)
    failed = [(index, _failure(row)) for index, row in repeated]
    counts = {"made": 0, "skipped": 0, "failed": len(repeated)}
    with manifest.opened(path) as journal, closing(_run(orders, job, executor)) as results:
        for places, outcomes in results:
            manifest.append(journal, (o.row for o in outcomes if o.state != "skipped"))
            for index, outcome in zip(places, outcomes, strict=True):
                counts[outcome.state] += 1
                rows[outcome.row["output"]] = outcome.row
                if outcome.state == "failed":
                    failed.append((index, _failure(outcome.row)))
            if progress:
                progress(sum(counts.values()), len(items))
    manifest.write(path, rows.values())
    in_order = sorted(failed, key=lambda pair: pair[0])
    return Summary(counts["made"], counts["skipped"], tuple(failure for _, failure in in_order))


def _without_repeats(
    items: Sequence[Item], rows: dict[str, Row]
) -> tuple[dict[int, Order], list[tuple[int, Row]]]:
    """Orders by place in *items*, and a failed row for each output named before."""
    orders: dict[int, Order] = {}
    repeated = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        output = str(item.output)
        if output in seen:
            reason = f"The output {output} is named by an earlier row; leave one of them out."
            repeated.append((index, _failed_row(item, reason)))
        else:
            seen.add(output)
            orders[index] = (item, rows.get(output))
    return orders, repeated


def _run(
    orders: dict[int, Order], job: Job, executor: Executor | None
) -> Generator[tuple[list[int], list[Outcome]], None, None]:
    """Outcomes as they come, with the places of their items."""
    places = list(orders)
    if executor is None:
        for place in places:
            yield [place], make_chunk(job, [orders[place]])
        return
    length = min(max(len(places) // _CHUNKS, 1), _LONGEST_CHUNK)
    chunks = (places[at : at + length] for at in range(0, len(places), length))
    waiting: dict[Future[list[Outcome]], list[int]] = {}
    try:
        for chunk in chunks:
            future = executor.submit(_make_chunk_elsewhere, job, [orders[p] for p in chunk])
            waiting[future] = chunk
            if len(waiting) >= _WINDOW:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)
    except BrokenExecutor as error:
        raise SynthesisError(
            "A worker process died, perhaps for want of memory; what is made is kept: "
            "run it again, with fewer workers, to go on."
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def _finished(
    waiting: dict[Future[list[Outcome]], list[int]],
) -> Iterator[tuple[list[int], list[Outcome]]]:
    """Wait for some chunk and take out those that are done."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        chunk = waiting.pop(future)
        yield chunk, future.result()


def _make_chunk_elsewhere(job: Job, orders: Sequence[Order]) -> list[Outcome]:
    """`make_chunk` in a worker: the processes are the parallelism, so OpenCV gets one thread."""
    cv2.setNumThreads(1)
    return make_chunk(job, orders)


def make_chunk(job: Job, orders: Sequence[Order]) -> list[Outcome]:
    """Make, or skip, each of *orders*; never raises for what is wrong with one of them."""
    outcomes = []
    for item, earlier in orders:
        try:
            outcomes.append(_make(job, item, earlier))
        except Exception as error:  # noqa: BLE001 - one bad input must not lose the batch
            outcomes.append(Outcome("failed", _failed_row(item, _reason(error))))
    return outcomes


def _make(job: Job, item: Item, earlier: Row | None) -> Outcome:
    target = _target(job.out_dir, item)
    data = item.source.read_bytes()
    asked = manifest.request(item.key, job.recipe, seed=job.seed, quality=job.quality)
    asked |= {"source_sha256": hashlib.sha256(data).hexdigest(), "output": str(item.output)}
    place = {"source": item.source.as_posix()}
    if earlier and manifest.asks_the_same(earlier, asked, job.recipe) and _intact(target, earlier):
        return Outcome("skipped", earlier | place)
    source = decode(data)
    twin = apply_recipe(source, job.recipe, seed=job.seed, key=item.key)
    jpeg = encode_jpeg(twin.image, job.quality)
    write_atomic(target, jpeg)
    digest = {"output_sha256": hashlib.sha256(jpeg).hexdigest()}
    return Outcome("made", asked | place | digest | manifest.made(twin, source))


def _target(out_dir: Path, item: Item) -> Path:
    """Where *item* goes; SynthesisError when that is no place for it."""
    output = item.output
    if output.is_absolute() or ".." in output.parts or "\\" in str(output):
        raise SynthesisError(f"The output {output} leaves the output folder.")
    if output.suffix.lower() not in {".jpg", ".jpeg"}:
        raise SynthesisError(f"The output {output} is not named .jpg or .jpeg.")
    target = out_dir / output
    if target.exists() and item.source.exists() and target.samefile(item.source):
        raise SynthesisError(f"The output {output} is its own source; choose another folder.")
    return target


def _intact(target: Path, row: Row) -> bool:
    """Whether the output is there with the bytes that its row promises."""
    try:
        return hashlib.sha256(target.read_bytes()).hexdigest() == row.get("output_sha256")
    except OSError:
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, SynthesisError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "There is no such file."
    return f"{type(error).__name__}: {error}"


def _failed_row(item: Item, reason: str) -> Row:
    return {
        "key": item.key,
        "source": item.source.as_posix(),
        "output": str(item.output),
        "failed": reason,
    }


def _failure(row: Row) -> Failure:
    return Failure(row["key"], Path(row["source"]), row["failed"])
