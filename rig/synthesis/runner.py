"""Make the twins of many images, on any executor, going on where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from rig.synthesis import manifest
from rig.synthesis.batch import sweep
from rig.synthesis.image import QUALITY, Colour
from rig.synthesis.making import (
    Drawn,
    Item,
    Job,
    Order,
    Outcome,
    Plan,
    failed_row,
    make_chunk,
)
from rig.synthesis.manifest import Row
from rig.synthesis.recipes import Recipe
from rig.synthesis.transform import SynthesisError

__all__ = ["Failure", "Item", "Summary", "carry_out", "synthesize"]

# Enough chunks to share out evenly, and about a second of work in each of a long run.
_CHUNKS, _LONGEST_CHUNK = 64, 32
# Chunks handed to an executor at a time; millions of waiting futures would only cost memory.
_WINDOW = 128


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that was not made, and why, as a sentence."""

    key: str
    source: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did; `made + skipped + len(failed)` is the number of items.

    `changed` are the keys of images made anew because their source is not the one of an earlier
    run; `differs` are those whose bytes are not what the manifest that was replayed promises.
    """

    made: int
    skipped: int
    failed: tuple[Failure, ...]
    changed: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


def synthesize(
    items: Sequence[Item],
    recipe: Recipe,
    *,
    seed: int,
    out_dir: Path,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    quality: int = QUALITY,
    colour: Colour = "source",
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
        colour: channels of the output.

    Raises:
        SynthesisError: the executor's workers died; what they had made is kept.
        OSError: the manifest cannot be written; what was made is kept.
    """
    how = Drawn(recipe, seed)

    def plan(item: Item) -> Plan:
        asked = manifest.request(item.key, recipe, seed=seed, quality=quality, colour=colour)
        return Plan(how, asked, quality, colour)

    planned = [(item, plan(item)) for item in items]
    return carry_out(planned, out_dir=out_dir, executor=executor, progress=progress)


def carry_out(
    planned: Sequence[tuple[Item, Plan]],
    *,
    out_dir: Path,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Make every item by its own plan; see `synthesize`."""
    job = Job(out_dir, Path.cwd())
    path = out_dir / manifest.NAME
    rows = manifest.read(path)
    orders, repeated = _without_repeats(planned, rows)
    tally = _Tally()
    for index, row in repeated:
        tally.add(index, Outcome("failed", row))
    with manifest.opened(path) as journal, closing(_run(orders, job, executor)) as results:
        for places, outcomes in results:
            manifest.append(journal, (o.row for o in outcomes if o.state != "skipped"))
            for index, outcome in zip(places, outcomes, strict=True):
                rows[outcome.row["output"]] = outcome.row
                tally.add(index, outcome)
            if progress:
                progress(tally.total(), len(planned))
    sweep(out_dir / item.output for item, _, _ in orders.values() if ".." not in item.output.parts)
    manifest.write(path, rows.values())
    return tally.summary()


@dataclass(slots=True)
class _Tally:
    """Outcomes counted, and those worth a word by their place among the items."""

    counts: dict[str, int] = field(default_factory=lambda: {"made": 0, "skipped": 0, "failed": 0})
    notable: list[tuple[int, Outcome]] = field(default_factory=list)

    def add(self, index: int, outcome: Outcome) -> None:
        self.counts[outcome.state] += 1
        if outcome.state == "failed" or outcome.changed or outcome.differs:
            self.notable.append((index, outcome))

    def total(self) -> int:
        return sum(self.counts.values())

    def summary(self) -> Summary:
        notable = [outcome for _, outcome in sorted(self.notable, key=lambda pair: pair[0])]
        return Summary(
            self.counts["made"],
            self.counts["skipped"],
            tuple(_failure(o.row) for o in notable if o.state == "failed"),
            tuple(o.row["key"] for o in notable if o.changed),
            tuple(o.row["key"] for o in notable if o.differs),
        )


def _without_repeats(
    planned: Sequence[tuple[Item, Plan]], rows: dict[str, Row]
) -> tuple[dict[int, Order], list[tuple[int, Row]]]:
    """Orders by place in *planned*, and a failed row for each output named before."""
    orders: dict[int, Order] = {}
    repeated = []
    seen: set[str] = set()
    for index, (item, plan) in enumerate(planned):
        output = str(item.output)
        if output in seen:
            reason = f"The output {output} is named by an earlier row; leave one of them out."
            repeated.append((index, failed_row(item, reason)))
        else:
            seen.add(output)
            orders[index] = (item, plan, rows.get(output))
    return orders, repeated


def _run(
    orders: dict[int, Order], job: Job, executor: Executor | None
) -> Generator[tuple[list[int], list[Outcome]], None, None]:
    """Outcomes as they come, with the places of their items."""
    places = list(orders)
    length = min(max(len(places) // _CHUNKS, 1), _LONGEST_CHUNK)
    chunks = (places[at : at + length] for at in range(0, len(places), length))
    if executor is None:
        for chunk in chunks:
            yield chunk, make_chunk(job, [orders[place] for place in chunk])
        return
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
        try:
            outcomes = future.result()
        except BrokenExecutor:
            raise
        except Exception as error:  # a chunk never raises: this is the executor's doing
            raise SynthesisError(
                f"The workers failed ({type(error).__name__}: {error}); what is made is kept: run "
                "it again to go on."
            ) from error
        yield chunk, outcomes


def _make_chunk_elsewhere(job: Job, orders: Sequence[Order]) -> list[Outcome]:
    """`make_chunk` in a worker: the processes are the parallelism, so OpenCV gets one thread."""
    cv2.setNumThreads(1)
    return make_chunk(job, orders)


def _failure(row: Row) -> Failure:
    return Failure(row["key"], Path(row["source"]), row["failed"])
