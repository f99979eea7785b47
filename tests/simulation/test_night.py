"""A night of capturing in virtual time: reproducible, survived, and audited by a strict auditor."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol import phone
from rig.protocol.display import DisplayCore
from rig.protocol.journal import encode_record, parse_journal
from rig.protocol.names import decode_name, encode_name
from rig.protocol.phone_base import PhoneBase
from rig.protocol.verdict import Expose, Repeat, judge_capture
from rig.simulation import night as night_module
from rig.simulation.books import Books, audit
from rig.simulation.disk import Disk, Folder, lines
from rig.simulation.faults import Faults
from rig.simulation.night import Night, NightRig, Outcome, simulate

EVERYTHING = Faults(
    loss=0.2, duplicate=0.1, reorder=0.1, corrupt=0.1, delay=0.02, camera=0.1, slow=0.02,
    hang=0.01, stale=0.02, disturb=0.03, camera_seconds=0.5,
)  # fmt: skip


def _night(captures: int = 60, seed: int = 1, **more: Any) -> Night:
    known = {k: more.pop(k) for k in list(more) if k in Faults.__dataclass_fields__}
    return Night(captures, seed, Faults(**known), subset_size=more.pop("subset_size", 25), **more)


def _well(outcome: Outcome) -> dict[str, Any]:
    """Its JSON, after making sure that nothing is wrong."""
    report: dict[str, Any] = outcome.as_json()
    assert report["problems"] == []
    wanted = report["captures"]
    got = [report[k] for k in ("committed", "skipped", "duplicated", "mislabelled", "damaged")]
    assert got == [wanted, 0, 0, 0, 0]
    return report


# -- reproducible ----------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_night_byte_for_byte():
    """JSON, both sides' journals and the names of all files."""
    plan = Night(80, 5, EVERYTHING, crashes=12, disk_faults=3, subset_size=30)
    one, two = simulate(plan), simulate(plan)
    assert json.dumps(one.as_json()) == json.dumps(two.as_json())
    assert one.journals == two.journals
    assert one.rig.phone_disk == two.rig.phone_disk
    assert one.rig.folder.hashes == two.rig.folder.hashes
    assert one.rig.quarantine == two.rig.quarantine


def test_another_seed_is_another_night():
    one, two = (simulate(_night(10, seed, loss=0.2)) for seed in (1, 2))
    assert one.digest() != two.digest()
    assert one.rig.now != two.rig.now


def test_the_phone_goes_through_all_subsets_in_one_life():
    outcome = simulate(_night(60, subset_size=25))
    _well(outcome)
    assert [s.count for s in outcome.night.subsets()] == [25, 25, 10]
    booted = [r for r in parse_journal(bytes(outcome.rig.phone_disk))[0] if r["k"] == "BOOT"]
    assert len(booted) == 1


# -- survived --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "faults"),
    [
        ("lost", {"loss": 0.4}),
        ("duplicated", {"duplicate": 0.4}),
        ("reordered", {"reorder": 0.4}),
        ("corrupted", {"corrupt": 0.4}),
    ],
)
def test_a_bad_network_only_delays(seen: str, faults: dict[str, float]):
    report = _well(simulate(_night(**faults)))
    assert report["datagrams"][seen] > 20
    assert report["retakes"] == report["quarantined"] == 0


def test_a_slow_network_only_delays():
    slow, fast = (_well(simulate(_night(30, delay=d))) for d in (0.3, 0.002))
    assert slow["virtual_seconds"] > 1.5 * fast["virtual_seconds"]
    assert slow["retakes"] == 0


def test_changes_of_address_are_followed():
    report = _well(simulate(_night(roams=8, loss=0.1)))
    assert report["roams"] == 8
    assert report["datagrams"]["misdirected"] > 0


@pytest.mark.parametrize("seed", range(4))
def test_crashes_at_any_step_are_survived(seed: int):
    report = _well(simulate(_night(40, seed, crashes=60, loss=0.1)))
    assert report["crashes"] == 60


@pytest.mark.parametrize("seed", range(3))
def test_full_disks_wait_for_a_person_and_lose_nothing(seed: int):
    report = _well(simulate(_night(40, seed, disk_faults=10)))
    assert report["disk_faults"] == 10
    assert report["pauses"] + report["stopped"] > 0
    assert report["waited_seconds"] > 30


def test_a_camera_that_fails_hangs_and_fires_late_costs_retakes():
    report = _well(simulate(_night(camera=0.3, slow=0.05)))
    assert report["retakes"] > 10
    assert report["quarantined"] > 0


def test_a_camera_that_must_be_restarted_by_hand_costs_time():
    report = _well(simulate(_night(30, hang=0.1)))
    assert report["pauses"] > 0
    assert report["virtual_seconds"] > 300


def test_a_disturbed_screen_costs_retakes():
    report = _well(simulate(_night(disturb=0.2)))
    assert 0 < report["quarantined"] <= report["retakes"]


def test_the_last_frame_is_counted_apart_and_is_no_fault_of_the_protocol():
    report = _well(simulate(_night(stale=0.2)))
    assert report["stale_frames"] > 3


@pytest.mark.parametrize("seed", range(6))
def test_everything_at_once_is_survived(seed: int):
    report = _well(simulate(Night(60, seed, EVERYTHING, 20, 0, 4, 20)))
    assert report["crashes"] == 20
    assert report["aborts"] == 0


def test_a_dead_network_is_given_up_and_reported():
    report = simulate(_night(5, loss=1.0)).as_json()
    assert report["skipped"] == 5
    assert any("Given up" in str(p) for p in report["problems"])


def test_progress_is_told():
    told: list[tuple[int, int]] = []
    simulate(_night(60), lambda done, total: told.append((done, total)))
    assert told[0] == (0, 60)
    assert [d for d, _ in told] == sorted(d for d, _ in told)
    assert told[-1] == (60, 60)


# -- the auditor can be unhappy --------------------------------------------------------------------


@cache
def _played() -> Outcome:
    return simulate(_night(12, subset_size=6))


class Evidence:
    """A copy of a good night, to be tampered with."""

    def __init__(self) -> None:
        outcome = _played()
        self.subsets = outcome.night.subsets()
        self.journals = [bytearray(j) for j in outcome.journals]
        self.phone = bytes(outcome.rig.phone_disk)
        self.folder = Folder()
        self.folder.files.update(outcome.rig.files)
        self.folder.hashes.update(outcome.rig.folder.hashes)

    def name(self, index: int) -> str:
        return next(n for n in self.folder.files if decode_name(n).index == index)

    def without(self, kind: str, index: int) -> bytes:
        records = parse_journal(self.phone)[0]
        return lines(r for r in records if (r["k"], r.get("i")) != (kind, index))

    def books(self) -> Books:
        journals = (bytes(j) for j in self.journals)
        return audit(zip(self.subsets, journals, strict=True), self.phone, self.folder)


def test_the_auditor_is_happy_with_a_good_night():
    books = Evidence().books()
    assert books == Books(committed=12)


def test_a_photo_of_another_x_ray_is_mislabelled():
    evidence = Evidence()
    evidence.folder.files[evidence.name(3)] = 4
    books = evidence.books()
    assert (books.mislabelled, books.stale_frames) == (1, 0)
    assert "shows x-ray 4" in books.problems[0]


def test_a_photo_of_another_x_ray_by_the_cameras_fault_is_stale():
    evidence = Evidence()
    evidence.folder.files[evidence.name(3)] = 2
    evidence.folder.stale.add(evidence.name(3))
    books = evidence.books()
    assert (books.mislabelled, books.stale_frames, books.problems) == (0, 1, [])


def test_a_second_photo_of_an_x_ray_is_a_duplicate():
    evidence = Evidence()
    other = encode_name(replace(decode_name(evidence.name(3)), attempt=9))
    evidence.folder.files[other] = 3
    books = evidence.books()
    assert (books.duplicated, books.committed) == (1, 11)


def test_a_photo_that_is_gone_or_changed_is_damaged():
    evidence = Evidence()
    del evidence.folder.files[evidence.name(3)]
    evidence.folder.hashes[evidence.name(4)] = bytes(32)
    assert evidence.books().damaged == 2


def test_a_file_with_a_strangers_name_is_reported():
    evidence = Evidence()
    evidence.folder.files["holiday.jpg"] = 3
    assert any("bad name" in p for p in evidence.books().problems)


def test_an_x_ray_that_the_phone_never_committed_is_skipped():
    """The second subset ends early on the phone."""
    evidence = Evidence()
    records = parse_journal(evidence.phone)[0]
    cut = next(n for n, r in enumerate(records) if (r["k"], r.get("i")) == ("COMMIT", 10))
    evidence.phone = lines(records[:cut])
    books = evidence.books()
    assert books.skipped == 3
    assert "The two journals of subset 2 differ." in books.problems


def test_a_display_that_forgot_is_reported():
    evidence = Evidence()
    records = parse_journal(bytes(evidence.journals[0]))[0]
    evidence.journals[0] = bytearray(lines(records[:-2]))
    problems = evidence.books().problems
    assert "The display has not finished subset 1: 5 decided." in problems
    assert "The two chains of subset 1 differ." in problems


def test_journals_that_cannot_be_read_are_reported():
    evidence = Evidence()
    evidence.journals[0][4] ^= 1
    evidence.phone = evidence.phone[:20] + evidence.without("COMMIT", 3)
    problems = evidence.books().problems
    assert any("phone's journal cannot be read" in p for p in problems)
    assert any("display's journal of subset 1 cannot be read" in p for p in problems)


# -- broken worlds are noticed while they run ------------------------------------------------------


def _broken(monkeypatch: pytest.MonkeyPatch, name: str, method: Any, **more: Any) -> list[str]:
    monkeypatch.setattr(NightRig, name, method)
    monkeypatch.setattr(night_module, "_PATIENCE", 900.0)
    return simulate(_night(12, **more)).problems


def test_a_screen_that_shows_another_x_ray_is_noticed(monkeypatch: pytest.MonkeyPatch):
    paint = NightRig._paint

    def wrong(self: Any, life: int, o: act.Paint) -> None:
        paint(self, life, replace(o, index=3 if o.index == 4 else o.index))

    problems = _broken(monkeypatch, "_paint", wrong)
    assert "S2 broken in subset 1: the photo decided for index 4 shows 3." in problems
    assert "1 x-ray(s) mislabelled." in problems


def test_a_disk_that_lies_about_what_is_durable_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """The display's decisions never reach its disk, and it crashes."""

    def lie(self: Any, who: str, life: int, o: act.AppendJournal) -> None:
        if who == "display" and o.records[0]["k"] == "DONE":
            o = replace(o, records=())
        journal(self, who, life, o)

    journal = NightRig._journal
    problems = _broken(monkeypatch, "_journal", lie, crashes=6)
    assert any(p.startswith("S5 broken") and "remembers" in p for p in problems)


def test_a_phone_that_exposes_twice_is_noticed(monkeypatch: pytest.MonkeyPatch):
    trigger = NightRig._trigger

    def twice(self: Any, o: act.TriggerCamera) -> None:
        trigger(self, o)
        if o.ticket.index == 5:
            self.watch.triggered(o, self.phone)

    problems = _broken(monkeypatch, "_trigger", twice)
    assert problems == ["S4 broken in subset 1: attempt 1 at index 5 is exposed twice."]


def _forgets_open_intents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PhoneBase, "_void_open", lambda self, why: [])


def _exposes_duplicates_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(run: Any, d: Any, *, busy: bool) -> Any:
        verdict = judge_capture(run, d, busy=busy)
        return Expose() if isinstance(verdict, Repeat) else verdict

    monkeypatch.setattr(phone, "judge_capture", judge)


def _decides_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = DisplayCore._surface_checked

    def blind(self: Any, token: bytes, surface: bytes, now: float) -> None:
        if self._exposure is not None:
            self._exposure.continuous, surface = True, self._exposure.surface
        checked(self, token, surface, now)

    monkeypatch.setattr(DisplayCore, "_surface_checked", blind)


@pytest.mark.parametrize(
    "mutate", [_forgets_open_intents, _exposes_duplicates_again, _decides_without_looking]
)
def test_a_defect_in_a_core_is_found_by_a_few_nights(mutate: Any, monkeypatch: pytest.MonkeyPatch):
    mutate(monkeypatch)
    monkeypatch.setattr(night_module, "_PATIENCE", 1800.0)
    faults = replace(EVERYTHING, camera=0.3, disturb=0.2, stale=0.0)
    nights = (Night(30, seed, faults, 20, 0, 3, 15) for seed in range(12))
    assert any(simulate(night).problems for night in nights)


def test_a_core_that_raises_is_a_finding_and_no_traceback(monkeypatch: pytest.MonkeyPatch):
    def fail(self: Any, *args: Any) -> None:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr(DisplayCore, "_surface_checked", fail)
    problems = simulate(_night(3)).problems
    assert problems[0].startswith("A program failed after ")
    assert "nobody thought of it" in problems[0]


def test_decisions_out_of_order_or_never_made_are_noticed():
    rig = NightRig(_night(5), _night(5).subsets()[0])
    rig.watch.decided_by_display(act.Committed(2, 1, bytes(32), "x"), None)
    rig.watch.committed_by_phone(act.Committed(4, 1, bytes(32), "x"))
    rig.watch.completed(act.Completed(5, bytes(32)), None)
    assert [p[:2] for p in rig.watch.problems] == ["S1", "S2", "S5", "S3"]


def test_an_abort_is_not_well_but_is_re_armed(monkeypatch: pytest.MonkeyPatch):
    """The phone's book of one photo vanishes with its file: STORE_LOST, a person re-arms."""

    def lost(self: Any, who: str) -> None:
        if who == "phone" and self.decided >= 6 and not self.aborts:
            name = next(n for n in self.files if "_i0000003_" in n)
            del self.files[name]
        boot(self, who)

    boot = NightRig.restart
    outcome_problems = _broken(monkeypatch, "restart", lost, crashes=10)
    assert any(p.startswith("Aborted by the phone (STORE_LOST)") for p in outcome_problems)
    assert "1 x-ray(s) damaged." in outcome_problems


def test_a_torn_write_is_a_beginning_of_it():
    import random

    record = {"k": "BOOT", "boot": "00"}
    kept = set()
    for seed in range(60):
        disk = Disk()
        disk.write([record])
        disk.tear([record], random.Random(seed))
        line = encode_record(record)
        assert bytes(disk) == line + line[: len(disk) - len(line)]
        assert len(disk.read()) in (1, 2)
        kept.add(len(disk))
    assert len(kept) == 2


def test_a_phone_that_moves_between_ready_and_arm_is_followed():
    """The display sends ARM where READY came from last, not where the candidate was first seen."""
    night = Night(2, 1)
    rig = NightRig(night, night.subsets()[0])
    send = rig._transmit

    def move_before_arm(who, o):
        if who == "display" and o.data[3] == 4 and rig.phone_addr[1] == 40000:
            rig.roam()
        send(who, o)

    rig._transmit = move_before_arm
    rig.boot()
    assert rig.run_until(rig.completed, limit=60.0)
