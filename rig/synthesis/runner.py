"""Make the twins of many images, on any executor, going on where an earlier run stopped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import cv2

from rig.synthesis import manifest
from rig.synthesis.batch import sweep
from rig.synthesis.image import QUALITY, Colour
from rig.synthesis.journal import Journal
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

# A chunk is about this long, so that its two syncs cost little, ...
_CHUNK_S, _LONGEST_CHUNK = 0.75, 128
# ... begins small, since nobody knows yet how long an image takes, ...
_FIRST_CHUNK = 4
# ... and is no more than this share of what a worker has before it, so that all end together.
_SHARE = 4
# Workers of an executor that does not say.
_WORKERS = 4


_Timed = tuple[list[Outcome], float]
_Waiting = dict[Future[_Timed], list[int]]


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

    return carry_out(
        items, lambda n: plan(items[n]), out_dir=out_dir, executor=executor, progress=progress
    )


def carry_out(
    items: Sequence[Item],
    plan: Callable[[int], Plan],
    *,
    out_dir: Path,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Make every item by its own plan, which is asked for when its turn comes; see `synthesize`."""
    job = Job(out_dir, Path.cwd())
    tally = _Tally()
    places, repeated = _without_repeats(items)
    for index, row in repeated:
        tally.add(index, Outcome("failed", row))
    with Journal(out_dir / manifest.NAME) as journal:

        def order(place: int) -> Order:
            return items[place], plan(place), journal.get(str(items[place].output))

        with closing(_run(places, order, job, executor)) as results:
            for done, outcomes in results:
                journal.append(o.row for o in outcomes if _is_news(o, journal))
                for index, outcome in zip(done, outcomes, strict=True):
                    tally.add(index, outcome)
                if progress:
                    progress(tally.total(), len(items))
        outputs = (items[place].output for place in places)
        sweep(out_dir / output for output in outputs if ".." not in output.parts)
        journal.settle()
    return tally.summary()


def _is_news(outcome: Outcome, journal: Journal) -> bool:
    """Whether the journal does not say so yet; of what is skipped the source may have moved."""
    row = outcome.row
    return outcome.state != "skipped" or journal.get(row["output"]) != row


@dataclass(slots=True)
class _Tally:
    """Outcomes counted, and those worth a word by their place among the items."""

    counts: dict[str, int] = field(default_factory=lambda: {"made": 0, "skipped": 0, "failed": 0})
    failed: list[tuple[int, Failure]] = field(default_factory=list)
    changed: list[tuple[int, str]] = field(default_factory=list)
    differs: list[tuple[int, str]] = field(default_factory=list)

    def add(self, index: int, outcome: Outcome) -> None:
        self.counts[outcome.state] += 1
        if outcome.state == "failed":
            self.failed.append((index, _failure(outcome.row)))
        if outcome.changed:
            self.changed.append((index, outcome.row["key"]))
        if outcome.differs:
            self.differs.append((index, outcome.row["key"]))

    def total(self) -> int:
        return sum(self.counts.values())

    def summary(self) -> Summary:
        def ordered(found: list[tuple[int, Any]]) -> tuple[Any, ...]:
            return tuple(what for _, what in sorted(found, key=lambda pair: pair[0]))

        return Summary(
            self.counts["made"],
            self.counts["skipped"],
            ordered(self.failed),
            ordered(self.changed),
            ordered(self.differs),
        )


def _without_repeats(items: Sequence[Item]) -> tuple[list[int], list[tuple[int, Row]]]:
    """Places in *items* to be made, and a failed row for each output named before."""
    places = []
    repeated = []
    seen: set[PurePosixPath] = set()
    for index, item in enumerate(items):
        if item.output in seen:
            reason = f"The output {item.output} is named by an earlier row; leave one of them out."
            repeated.append((index, failed_row(item, reason)))
        else:
            seen.add(item.output)
            places.append(index)
    return places, repeated


class _Chunks:
    """Images left, given out in chunks whose length follows the pace of the work."""

    def __init__(self, places: Sequence[int], workers: int) -> None:
        self._left = deque(places)
        self._workers = workers
        self._pace: float | None = None

    def __bool__(self) -> bool:
        return bool(self._left)

    def next(self) -> list[int]:
        """The next chunk; guided self-scheduling: chunks get shorter towards the end."""
        by_time = _FIRST_CHUNK if self._pace is None else int(_CHUNK_S / self._pace)
        fair = len(self._left) // (_SHARE * self._workers)
        length = max(min(by_time, fair, _LONGEST_CHUNK), 1)
        return [self._left.popleft() for _ in range(min(length, len(self._left)))]

    def took(self, seconds: float, count: int) -> None:
        """Learn that *count* images took *seconds*."""
        now = max(seconds / count, 1e-6)
        self._pace = now if self._pace is None else (self._pace + now) / 2


def _run(
    places: Sequence[int], order: Callable[[int], Order], job: Job, executor: Executor | None
) -> Generator[tuple[list[int], list[Outcome]], None, None]:
    """Outcomes as they come, with the places of their items."""
    if executor is None:
        chunks = _Chunks(places, 1)
        while chunks:
            chunk = chunks.next()
            outcomes, seconds = _timed(job, [order(place) for place in chunk])
            chunks.took(seconds, len(chunk))
            yield chunk, outcomes
        return
    workers = getattr(executor, "workers", _WORKERS)
    chunks = _Chunks(places, workers)
    waiting: _Waiting = {}
    try:
        while chunks or waiting:
            # One to work on and one that is waiting for it, for each.
            while chunks and len(waiting) < 2 * workers:
                chunk = chunks.next()
                future = executor.submit(_make_elsewhere, job, [order(p) for p in chunk])
                waiting[future] = chunk
            yield from _finished(waiting, chunks)
    except BrokenExecutor as error:
        raise SynthesisError(
            "A worker process died, perhaps for want of memory; what is made is kept: "
            "run it again, with fewer workers, to go on."
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def _finished(waiting: _Waiting, chunks: _Chunks) -> Iterator[tuple[list[int], list[Outcome]]]:
    """Wait for some chunk and take out those that are done."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        chunk = waiting.pop(future)
        try:
            outcomes, seconds = future.result()
        except BrokenExecutor:
            raise
        except CancelledError as error:
            raise SynthesisError(
                "The work was cancelled, perhaps because the cluster's scheduler is gone; what is "
                "made is kept: run it again to go on."
            ) from error
        except Exception as error:  # a chunk never raises: this is the executor's doing
            raise SynthesisError(
                f"The workers failed ({type(error).__name__}: {error}); what is made is kept: run "
                "it again to go on."
            ) from error
        chunks.took(seconds, len(chunk))
        yield chunk, outcomes


def _timed(job: Job, orders: Sequence[Order]) -> _Timed:
    """`make_chunk`, and the seconds that it took."""
    began = time.monotonic()
    return make_chunk(job, orders), time.monotonic() - began


def _make_elsewhere(job: Job, orders: Sequence[Order]) -> _Timed:
    """`_timed` in a worker: the processes are the parallelism, so OpenCV gets one thread."""
    cv2.setNumThreads(1)
    return _timed(job, orders)


def _failure(row: Row) -> Failure:
    return Failure(row["key"], Path(row["source"]), row["failed"])
