"""A campaign in virtual time, from plan to complete: everything exactly once, and told if not."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rig.capture import projections, sessions
from rig.cli import main
from rig.protocol import actions as act
from rig.simulation import campaign_books, campaign_controller
from rig.simulation.campaign import CampaignNight, CampaignOutcome, simulate_campaign
from rig.simulation.campaign_books import CampaignBooks
from rig.simulation.campaign_catalog import synthetic_xrays
from rig.simulation.campaign_controller import DEATHS
from rig.simulation.campaign_outbox import Outbox, describe
from rig.simulation.faults import Faults
from rig.store.events import Event

BAD = Faults(
    loss=0.1, duplicate=0.02, reorder=0.05, corrupt=0.02, delay=0.005, camera=0.03, slow=0.005,
    hang=0.002, disturb=0.02, camera_seconds=0.8,
)  # fmt: skip
CONTRACT = {
    "captures", "committed", "skipped", "duplicated", "subsets", "environments", "stations",
    "controller_restarts", "sessions", "retakes", "pauses", "aborts", "virtual_hours",
    "wall_seconds",
}  # fmt: skip


def _campaign(seed: int, captures: int = 60, **more: Any) -> CampaignNight:
    values: dict[str, Any] = {
        "environments": 5, "stations": 2, "faults": BAD, "crashes": 4, "roams": 1,
        "disk_faults": 1, "restarts": 4, "aborts": 1, "pauses": 1, "pauses_now": 1, "stops": 1,
        "reshoots": 2, "device_faults": 2, "light_faults": 1, "lost": 1,
    } | more  # fmt: skip
    return CampaignNight(captures, seed=seed, **values)


def _well(outcome: CampaignOutcome) -> dict[str, Any]:
    """Its JSON, after making sure that nothing is wrong."""
    report: dict[str, Any] = outcome.as_json()
    assert report["problems"] == []
    got = [report[word] for word in ("committed", "skipped", "duplicated")]
    assert got == [report["captures"], 0, 0]
    assert report["sessions"] >= report["subsets"] + report["reshoots"]
    assert report["in_force"] <= report["shot_again"]
    return report


# -- the campaigns ---------------------------------------------------------------------------------


@pytest.mark.timeout(900)
@pytest.mark.no_cover  # a whole campaign: tracing it would double the time
def test_10507_captures_in_36_environments_on_two_stations_with_everything_going_wrong():
    """Every index once over all sessions, every event once, tables as rebuilt, books agree."""
    night = _campaign(
        1, 10_507, environments=36, crashes=35, roams=6, disk_faults=8, restarts=13, aborts=5,
        pauses=5, pauses_now=6, stops=6, reshoots=6, device_faults=12, light_faults=6, lost=2,
    )  # fmt: skip
    report = _well(simulate_campaign(night))
    assert (report["subsets"], report["environments"], report["stations"]) == (36, 36, 2)
    assert report["controller_restarts"] == 13
    assert report["crashes"] == 35
    assert report["aborts"] >= 5
    assert report["pauses"] >= 5
    assert report["pauses_now"] == 6
    assert report["stopped"] >= 3
    assert report["shot_again"] >= report["in_force"] >= 12
    assert report["lost_stations"] == 2
    assert report["care"]["device_failures"] > 0
    assert report["care"]["light_out"] > 0
    assert report["retakes"] > 100
    assert report["events_sent_again"] > 0
    assert report["events"] > 3 * 10_507
    hours = report["virtual_hours"]
    assert all(hours[mode] > 1 for mode in ("shooting", "changing", "waiting"))
    assert sum(hours.values()) <= 2 * report["elapsed_hours"] + 0.001


@settings(
    max_examples=4, deadline=None, derandomize=True,
    phases=(Phase.generate,),  # to shrink a campaign takes longer than to read its report
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(
    seed=st.integers(0, 2**31),
    stations=st.integers(1, 3),
    environments=st.integers(1, 8),
    restarts=st.integers(0, 8),
)
def test_small_campaigns_come_out_right_whatever_the_dice_say(
    seed: int, stations: int, environments: int, restarts: int
):
    night = _campaign(
        seed, 40, stations=stations, environments=environments, restarts=restarts, crashes=8
    )
    report = _well(simulate_campaign(night))
    assert report["controller_restarts"] == restarts
    assert report["environments"] == environments


def test_the_same_seed_is_the_same_campaign():
    """Event log, figures, hours: everything but the wall clock; another seed is another one."""
    one, two, other = (simulate_campaign(_campaign(seed)) for seed in (5, 5, 6))
    assert json.dumps(one.as_json()) == json.dumps(two.as_json())
    assert one.books.log_sha256 != other.books.log_sha256


def test_without_faults_nothing_is_repeated_and_nobody_is_needed():
    quiet = CampaignNight(60, environments=3, stations=1, seed=2)
    report = _well(simulate_campaign(quiet))
    zeros = (
        "retakes", "pauses", "aborts", "crashes", "controller_restarts", "events_sent_again",
        "stopped", "reshoots", "lost_stations", "unconfirmed", "refused",
    )  # fmt: skip
    assert [report[word] for word in zeros] == [0] * len(zeros)
    # One capture is 0.2 s of camera and the settling; rooms are changed as the plan says.
    assert report["virtual_hours"]["shooting"] < 60 * 2 / 3600
    assert report["virtual_hours"]["changing"] > 0.5


def test_what_is_left_of_a_subset_is_shot_later_and_photos_again():
    """Sessions that end early, the rest of them, and photos that somebody wants once more."""
    night = CampaignNight(60, environments=3, stations=2, seed=4, stops=4, reshoots=4)
    report = _well(simulate_campaign(night))
    assert report["stopped"] >= 2
    assert report["sessions"] > report["subsets"] + report["reshoots"]
    assert report["shot_again"] >= report["in_force"] > 4
    assert report["events_sent_again"] == 0


def test_a_pause_at_once_throws_the_exposure_away():
    """Its index is shot again after the pause."""
    slow = Faults(camera_seconds=4.0)
    night = CampaignNight(30, environments=1, stations=1, seed=4, faults=slow, pauses_now=5)
    report = _well(simulate_campaign(night))
    assert report["pauses_now"] == report["pauses"] == 5
    assert 1 <= report["retakes"] <= 5


def test_devices_fail_and_every_photo_still_knows_its_conditions():
    """A person mends them, or sets the room by hand and says so in a note."""
    night = CampaignNight(120, environments=12, stations=2, seed=3, device_faults=12)
    report = _well(simulate_campaign(night))
    assert report["care"]["device_failures"] > 0
    assert report["unconfirmed"] == 0


def test_light_out_of_its_band_pauses_the_session():
    """Until somebody has looked; nobody else asked for a pause."""
    slow = Faults(camera_seconds=4.0)
    night = CampaignNight(60, environments=1, stations=1, seed=4, faults=slow, light_faults=2)
    report = _well(simulate_campaign(night))
    assert report["pauses"] >= 1
    assert report["care"]["light_out"] >= 2 * report["pauses"]


def test_a_lost_station_is_shown_with_its_age_and_goes_on_later():
    """The other one takes over what it can; nothing is shot twice."""
    night = CampaignNight(200, environments=8, stations=2, seed=4, lost=2)
    report = _well(simulate_campaign(night))
    assert report["lost_stations"] == 2
    assert report["crashes"] == 0


@pytest.mark.parametrize("death", DEATHS)
def test_each_way_of_dying_is_survived(death: str, monkeypatch: pytest.MonkeyPatch):
    """Between transactions, within one, before the acknowledgement, before the command."""
    monkeypatch.setattr("rig.simulation.campaign.DEATHS", (death,))
    report = _well(simulate_campaign(_campaign(3, crashes=0, restarts=5, aborts=0)))
    assert report["controller_restarts"] == 5


# -- the audit can fail ----------------------------------------------------------------------------


def _found(night: CampaignNight) -> str:
    return " ".join(simulate_campaign(night).problems)


def test_an_engine_that_takes_a_known_number_for_a_new_one_is_found(
    monkeypatch: pytest.MonkeyPatch,
):
    """The log itself does not take the same number of a session twice."""
    real = sessions.ingest

    def forgetful(connection: Any, station: str, batch: Any, now_ns: int) -> Any:
        kept = real(connection, station, batch, now_ns)
        new = {(event.session, event.source_seq) for event in kept.stored}
        for message in batch:
            if (message.session, message.seq) not in new:
                projections.record(connection, sessions._event(message, station, now_ns))
        return kept

    monkeypatch.setattr(campaign_controller.sessions, "ingest", forgetful)
    assert "UNIQUE constraint failed" in _found(_campaign(4, restarts=8))


def test_an_event_that_is_in_the_log_twice_or_in_other_words_is_found():
    """As if the log had no such rule."""
    box = Outbox("s" + "0" * 16, {}, lambda: 7)
    box.tell(("painted", 1, 1, {}))
    box.tell(("retake", 1, 1, {"why": "blurred"}))

    def log(*numbers: int, why: str = "blurred") -> list[Event]:
        bodies: dict[int, dict[str, Any]] = {1: {}, 2: {"why": why}}
        kinds = {1: "painted", 2: "retake"}
        return [
            Event(kinds[n], 7, 9, "station:a", box.session, n, 1, 1, bodies[n]) for n in numbers
        ]

    def found(events: list[Event]) -> str:
        books = CampaignBooks()
        campaign_books._heard(events, {box.session: box}, books)
        return " ".join(books.problems)

    assert found(log(1, 2)) == ""
    assert "twice: [1], lost: []" in found(log(1, 1, 2))
    assert "twice: [], lost: [2]" in found(log(1))
    assert "holds 2 events, its station told 2" in found(log(1, 2, why="sharp"))


def test_events_that_are_acknowledged_and_dropped_are_found(monkeypatch: pytest.MonkeyPatch):
    """An engine that says it has kept what it has not."""
    real = sessions.ingest

    def sloppy(connection: Any, station: str, batch: Any, now_ns: int) -> Any:
        kept = real(connection, station, batch[:3], now_ns)
        return sessions.Ingested({batch[-1].session: batch[-1].seq}, kept.refused, kept.stored)

    monkeypatch.setattr(campaign_controller.sessions, "ingest", sloppy)
    monkeypatch.setattr("rig.simulation.campaign._PATIENCE", 3600.0)
    found = _found(CampaignNight(10, environments=1, stations=1, seed=4))
    assert "lost: [4, " in found
    assert "index(es) skipped" in found


def test_a_session_that_a_restart_forgets_is_found(monkeypatch: pytest.MonkeyPatch):
    """A recovery that finds it and leaves it as it was."""
    real = sessions.recover

    def forgets(connection: Any, now_ns: int) -> list[str]:
        save = connection.begin_nested()
        found = real(connection, now_ns)
        if found:
            save.rollback()
        return found

    monkeypatch.setattr(campaign_controller.sessions, "recover", forgets)
    assert "After a restart session" in _found(_campaign(4, restarts=12))


def test_a_lost_station_that_is_shown_as_there_is_found(monkeypatch: pytest.MonkeyPatch):
    """A hub that never notices."""
    monkeypatch.setattr(campaign_controller.Hub, "leave", lambda *_: None)
    assert "was lost for" in _found(CampaignNight(200, environments=8, stations=2, seed=4, lost=2))


def test_photos_that_were_shot_again_and_do_not_count_are_found():
    """An audit that was told of more, or other, indices than were shot again."""
    outcome = simulate_campaign(CampaignNight(20, environments=1, stations=1, seed=4, reshoots=1))
    assert outcome.problems == []
    again = Counter(outcome.world.person.again)
    newer = {"time_ns": 9, "session": "b"}
    older = {"time_ns": 3, "session": "a"}
    books = CampaignBooks(sessions=outcome.books.sessions)
    extra = next(one.id for one in books.sessions if one.reshoots is not None)
    campaign_books._again([{**older, "idx": 1, "session": extra}], again, books)
    assert "Not shot again as often as it was asked for" in books.problems[0]
    books.problems.clear()
    rows = [{**older, "idx": 1, "session": extra}, {**newer, "idx": 1}]
    campaign_books._again(rows, Counter({1: 1}), books)
    assert books.problems == ["Index 1 was shot again, and that is not in force."]


def test_conditions_that_nobody_recorded_are_found(monkeypatch: pytest.MonkeyPatch):
    """A display that tells nothing of its look."""
    monkeypatch.setattr("rig.simulation.campaign_station.drawn", lambda _levels: {})
    found = _found(CampaignNight(10, environments=1, stations=1, seed=4))
    assert "not every condition is recorded" in found


def test_tables_that_differ_from_the_log_are_found(monkeypatch: pytest.MonkeyPatch):
    """A projection that counts differently when it is made anew."""
    real = projections.rebuild

    def other(connection: Any) -> int:
        count = real(connection)
        connection.exec_driver_sql("UPDATE session SET retakes = retakes + 1")
        return count

    monkeypatch.setattr(projections, "rebuild", other)
    assert "Table session is not what the event log makes of it" in _found(
        _campaign(4, 20, environments=1, crashes=0, restarts=0)
    )


# -- parts -----------------------------------------------------------------------------------------


def test_the_catalog_keeps_patients_together_and_is_the_same_every_time():
    first, again = list(synthetic_xrays(500, 3)), list(synthetic_xrays(500, 3))
    assert first == again
    assert [one.index for one in first] == list(range(1, 501))
    assert len({one.key for one in first}) == 500
    patients = [one.patient for one in first]
    assert patients == sorted(patients)
    assert 200 < len(set(patients)) < 500
    assert {"1.0", "0.0", "-1.0", ""} == {label for one in first for label in one.labels.values()}


def test_an_outbox_loses_what_was_never_durable_and_nothing_else():
    """Commits are durable at once, the rest before it is sent; what is told once is told once."""
    box = Outbox("s" + "0" * 16, {}, lambda: 7)
    done = act.Committed(
        1, 1, bytes(32), "n",
        {"k": "DONE", "i": 1, "a": 1, "sha": "0" * 64, "size": 1, "name": "n", "t0": 1, "t1": 2,
         "w": 1, "h": 1},
    )  # fmt: skip
    said = describe(done, {})
    assert said is not None
    box.tell(said)
    box.tell(said)
    box.tell(("painted", 2, 1, {}))
    box.crash(power=False)
    assert [one["event"] for one in box.messages] == ["committed", "painted"]
    box.crash(power=True)
    assert [one["event"] for one in box.messages] == ["committed"]
    box.tell(("painted", 2, 1, {}))
    assert [one["seq"] for one in box.unsent(10)] == [1, 2]
    box.crash(power=True)
    assert [one["seq"] for one in box.messages] == [1, 2]


# -- the command -----------------------------------------------------------------------------------


def _json(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = main(["simulate", *shlex.split(words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_command_tells_what_others_read_and_how_to_replay_it(
    capsys: pytest.CaptureFixture[str],
):
    words = (
        "--campaign --captures 40 --environments 4 --stations 2 --seed 3 --loss 0.1 --crashes 2 "
        "--controller-restarts 2 --pauses 1 --pauses-now 1 --stops 1 --reshoots 1 "
        "--device-faults 1 --light-faults 1 --lost-stations 1"
    )
    status, report = _json(words, capsys)
    assert status == 0
    assert set(report) >= CONTRACT
    assert set(report["virtual_hours"]) == {"shooting", "changing", "waiting"}
    again = report.pop("replay")
    assert again.startswith("rig simulate ")
    _, second = _json(again.removeprefix("rig simulate "), capsys)
    for one in (report, second):
        del one["wall_seconds"]
    del second["replay"]
    assert second == report


def test_the_command_speaks_to_people(capsys: pytest.CaptureFixture[str]):
    status = main(["simulate", *shlex.split("--campaign --captures 6 --environments 2 --seed 3")])
    shown = capsys.readouterr().out
    assert status == 0
    assert "6 captures in 2 subsets and 2 environments on 2 station(s)" in shown
    assert "all is well" in shown


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--captures 5 --stations 2", "only with --campaign"),
        ("--campaign --captures 5 --stations 0", "--stations is a count; give 1 or more"),
        ("--campaign --captures 5 --environments 6", "not be more than --captures"),
        ("--campaign --captures 5 --aborts -1", "--aborts is a count; give 0 or more"),
        ("--campaign --captures 5 --subset-size 3", "does not go with --campaign"),
    ],
)
def test_what_makes_no_sense_is_refused(words: str, why: str, capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", "--seed", "1", *shlex.split(words)]) != 0
    assert why in capsys.readouterr().err


def test_a_campaign_that_is_not_well_exits_with_1_and_its_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rig.simulation.campaign._PATIENCE", 60.0)
    words = "--campaign --captures 6 --environments 2 --seed 3"
    assert main(["simulate", *shlex.split(words)]) == 1
    told = capsys.readouterr().err
    assert "not well: Given up: no photo in" in told
    assert "rig simulate --captures 6 --seed 3 --campaign --environments 2" in told
