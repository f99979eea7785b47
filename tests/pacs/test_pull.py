"""The pull itself, against sources that fail in every way."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.dicom.pacs.errors import OutOfSpace, PacsError
from rig.dicom.pacs.find import Told
from rig.dicom.pacs.model import Instance, Wanted
from rig.dicom.pacs.pace import Pace, backoff
from rig.dicom.pacs.pull import NOT_SENT, Patience, pull
from rig.dicom.pacs.quarantine import Limits, Quarantine
from rig.dicom.pacs.storing import Keep

GONE = PacsError("It is gone.", again=True)
BUSY = PacsError("It is busy.", again=True, some=True)
NEVER = PacsError("It will not.")


class Archive:
    """A PACS of *files*; every fetch meets the next of *faults*: (images sent before, error)."""

    def __init__(
        self,
        files: dict[str, bytes],
        faults: Sequence[tuple[int, PacsError | None]] = (),
        *,
        lost: frozenset[str] = frozenset(),
        deaf: int = 0,
    ) -> None:
        self.files = files
        self.faults = list(faults)
        self.lost = lost
        self.deaf = deaf
        self.sent: list[str] = []
        self.requests: list[list[str]] = []

    def find(self, wanted: Wanted, told: Told | None = None) -> Iterator[list[Instance]]:
        if self.deaf:
            self.deaf -= 1
            raise GONE
        yield [Instance("1.1", "1.1.1", sop, "1.9") for sop in self.files]

    def fetch(self, wanted: Sequence[Instance], keep: Keep) -> None:
        self.requests.append([one.sop for one in wanted])
        count, error = self.faults.pop(0) if self.faults else (len(wanted), None)
        for one in wanted[:count]:
            if one.sop not in self.lost:
                self.sent.append(one.sop)
                keep(one.sop, self.files[one.sop])
        if error is not None:
            raise error

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    import importlib.util

    path = Path(__file__).with_name("conftest.py")
    spec = importlib.util.spec_from_file_location("pacs_made", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = [module.made(number, size=4) for number in range(8)]
    return {str(one.SOPInstanceUID): module.part10(one) for one in made}


def run(
    archive: Archive, folder: Path, *, batch: int = 3, tries: int = 3
) -> tuple[Any, list[float]]:
    slept: list[float] = []
    patience = Patience(tries, batch, slept.append, random.Random(1))
    with Quarantine(folder, Limits(spare=0)) as quarantine:
        return pull(archive, quarantine, Wanted(), patience), slept


def test_all_comes_once_and_a_second_run_asks_for_nothing(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    archive = Archive(files)
    told, slept = run(archive, tmp_path / "q")
    assert (told.asked, told.got, told.before, told.whole) == (8, 8, 0, True)
    assert sorted(archive.sent) == sorted(files)
    assert [len(one) for one in archive.requests] == [3, 3, 2]
    again, _ = run(archive, tmp_path / "q")
    assert (again.got, again.before, again.whole) == (0, 8, True)
    assert (len(archive.requests), slept) == (3, [])


def test_after_a_break_only_the_rest_is_asked_for(files: dict[str, bytes], tmp_path: Path) -> None:
    archive = Archive(files, [(2, GONE)])
    told, slept = run(archive, tmp_path / "q", batch=8)
    assert [len(one) for one in archive.requests] == [8, 6]
    assert len(archive.sent) == len(set(archive.sent)) == 8
    assert (told.whole, told.retries, len(slept)) == (True, 1, 1)


def test_progress_makes_patience_new_and_none_ends_it(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    archive = Archive(files, [(1, GONE), (0, GONE), (1, GONE), (0, GONE), (0, GONE), (0, GONE)])
    told, slept = run(archive, tmp_path / "q", batch=8)
    assert told.stopped == "It is gone."
    assert (told.got, told.whole, len(slept)) == (2, False, 5)
    rest, _ = run(Archive(files), tmp_path / "q")
    assert (rest.got, rest.before) == (6, 2)


def test_a_refusal_ends_it_at_once(files: dict[str, bytes], tmp_path: Path) -> None:
    told, slept = run(Archive(files, [(1, NEVER)]), tmp_path / "q")
    assert (told.stopped, told.got, slept) == ("It will not.", 1, [])


def test_a_full_disk_ends_it_at_once(files: dict[str, bytes], tmp_path: Path) -> None:
    size = len(next(iter(files.values())))
    patience = Patience(3, 3, pytest.fail, random.Random(1))
    with Quarantine(tmp_path / "q", Limits(total=3 * size, spare=0)) as quarantine:
        told = pull(Archive(files), quarantine, Wanted(), patience)
    assert told.got == 3
    assert told.stopped is not None
    assert "--max-gb" in told.stopped


def test_an_image_that_never_comes_is_counted_and_keeps_nobody_back(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    lost = frozenset(list(files)[:1])
    told, _ = run(Archive(files, lost=lost), tmp_path / "q")
    assert (told.got, dict(told.failed), told.stopped) == (7, {NOT_SENT: 1}, None)


def test_a_request_that_fails_as_a_whole_is_tried_one_by_one(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    archive = Archive(files, [(0, BUSY)] * 3)
    told, _ = run(archive, tmp_path / "q", batch=8)
    assert [len(one) for one in archive.requests] == [8, 8, 8, *[1] * 8]
    assert (told.got, told.whole) == (8, True)


def test_a_question_is_asked_again_and_given_up(files: dict[str, bytes], tmp_path: Path) -> None:
    told, slept = run(Archive(files, deaf=2), tmp_path / "q")
    assert (told.whole, len(slept)) == (True, 2)
    with pytest.raises(PacsError, match="It is gone"):
        run(Archive(files, deaf=3), tmp_path / "other")


def test_what_an_earlier_filter_asked_for_and_never_came_is_told(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    run(Archive(files, [(0, NEVER)]), tmp_path / "q")
    few = dict(list(files.items())[:2])
    told, _ = run(Archive(few), tmp_path / "q")
    assert (told.asked, told.got, told.earlier) == (2, 2, 6)


faults = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([GONE, BUSY, NEVER, None])), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(st.lists(faults, max_size=3), st.integers(1, 9))
def test_whatever_fails_nothing_comes_twice_and_at_last_nothing_is_missing(
    files: dict[str, bytes], runs: list[list[tuple[int, PacsError | None]]], batch: int
) -> None:
    with tempfile.TemporaryDirectory() as place:
        sent: list[str] = []
        for faulty in runs:
            archive = Archive(files, faulty)
            run(archive, Path(place) / "q", batch=batch)
            sent += archive.sent
        last = Archive(files)
        told, _ = run(last, Path(place) / "q", batch=batch)
        sent += last.sent
    assert sorted(sent) == sorted(files)
    assert told.whole


def test_pauses_grow_with_jitter_up_to_a_minute() -> None:
    rng = random.Random(3)
    for attempt, most in enumerate([1, 2, 4, 8, 16, 32, 60, 60]):
        values = [backoff(attempt, rng) for _ in range(50)]
        assert most / 2 <= min(values) <= max(values) <= most
        assert len(set(values)) > 10


def test_the_pace_holds_back_and_does_not_save_up() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(4.0, lambda: now[0], sleep)
    for _ in range(5):
        pace.wait()
    assert slept == [0.25] * 4
    now[0] += 100
    pace.wait()
    pace.wait()
    assert slept == [0.25] * 5
    free = Pace(0, lambda: now[0], lambda _: pytest.fail("it waited"))
    free.wait()
    free.wait()


def test_errors_say_whether_it_is_worth_asking_again() -> None:
    assert not OutOfSpace("full").again
    assert not NEVER.again
