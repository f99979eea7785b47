"""What must be shot again: the list, the sessions, quarantine, drift."""

from __future__ import annotations

import json

import pytest

from rig.capture import sessions, watch
from rig.capture.messages import parse_event
from rig.cli import main
from rig.commands.batch import take_in
from rig.commands.intake import IntakeJobs
from rig.dataset.from_store import read_campaign
from rig.intake import quarantine, reshoot
from rig.intake.quarantine import keep_apart, replaced

LATER = "s" + "2" * 16


def bring(card_rig, session=None, code=None):
    words = ["batch", "import", session or card_rig.session, str(card_rig.card)]
    status = main([*words, "--home", str(card_rig.home)])
    assert code is None or status == code


def call(card_rig, *words):
    return main(["reshoot", *words, "--home", str(card_rig.home)])


def said(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def end(card_rig, session):
    count = card_rig.numbers.get(session, 0) + 1
    card_rig.numbers[session] = count
    event = parse_event(
        {"event": "aborted", "session": session, "seq": count, "time_ns": 60, "abort_id": "ab" * 8,
         "code": "OPERATOR", "why": "a person"}
    )  # fmt: skip
    card_rig.database.write_now(lambda c: sessions.ingest(c, "room-1", [event], 61))


@pytest.fixture
def patchy(card_rig, capsys):
    """Index 1 and 4 good, 2 shows another x-ray, 3 did not come back; 5 and 6 were not shot."""
    card_rig.commit(1)
    card_rig.commit(2, card_rig.frame(9))
    card_rig.commit(3).unlink()
    card_rig.commit(4)
    bring(card_rig, code=1)
    capsys.readouterr()
    return card_rig


@pytest.mark.parametrize("target", ["camp", "s" + "1" * 16])
def test_exact_indices_with_reasons_are_listed(patchy, capsys, target):
    """For the session and for the campaign; the unshot are counted apart."""
    assert call(patchy, target, "--list", "--json") == 1
    told = said(capsys)
    rows = {row["index"]: row for row in told["reshoot"]}
    assert {index: row["kind"] for index, row in rows.items()} == {2: "rejected", 3: "missing"}
    assert "come back" in rows[3]["reason"]
    assert rows[2]["name"] == patchy.names[patchy.session, 2]
    assert told["shot"] == 4
    assert told["unshot"] == (2 if target.startswith("s") else 8)
    assert call(patchy, target, "--list") == 1
    out = capsys.readouterr().out
    assert "2: rejected:" in out
    assert f"`rig reshoot {target}`" in out


def test_one_command_makes_the_sessions_once(patchy, capsys):
    """Neighbours are one session; running it twice makes no second one."""
    assert call(patchy, "camp", "--by", "anna", "--json") == 0
    (made,) = said(capsys)["sessions"]
    assert (made["first"], made["last"], made["reshoots"]) == (2, 3, patchy.session)
    assert call(patchy, "camp") == 0
    assert "Nothing" in capsys.readouterr().out
    assert call(patchy, "camp", "--list", "--json") == 1
    assert {row["again"] for row in said(capsys)["reshoot"]} == {made["id"]}


def test_the_new_photo_replaces_and_the_old_is_kept_in_quarantine(patchy, capsys, tmp_path):
    """The dataset has the newest verified one; the old lies apart with a reason, and still here."""
    patchy.again(LATER, 2, 3)
    patchy.commit(2, session=LATER, meta="1" * 16)
    patchy.commit(3, session=LATER, meta="1" * 16)
    bring(patchy, LATER, 0)
    capsys.readouterr()
    assert call(patchy, "camp", "--list", "--json") == 0
    assert said(capsys)["reshoot"] == []
    old = patchy.names[patchy.session, 2]
    folder = patchy.home / "sessions" / patchy.session / "quarantine"
    assert sorted(p.name for p in folder.iterdir()) == [old, f"{old}.reason.json"]
    reason = json.loads((folder / f"{old}.reason.json").read_text())
    assert (reason["index"], reason["verified"], reason["by_session"]) == (2, False, LATER)
    assert reason["by_name"] == patchy.names[LATER, 2]
    assert (folder / old).read_bytes() == (patchy.incoming() / old).read_bytes()
    (event,) = patchy.log("photo_replaced")
    assert (event.session, event.index) == (patchy.session, 2)
    with patchy.database.read() as connection:
        shot = read_campaign(connection, patchy.home, "camp")
    assert {p.xray.index: p.session for p in shot.photos if p.session} == {
        1: patchy.session, 2: LATER, 3: LATER, 4: patchy.session,
    }  # fmt: skip
    bring(patchy, LATER, 0)
    assert len(patchy.log("photo_replaced")) == 1
    assert main(["check", "--home", str(patchy.home)]) == 0


def test_a_reshoot_that_is_rejected_replaces_nothing(patchy, capsys):
    """The good old photo of index 1 counts, and nothing is put apart."""
    patchy.again(LATER, 1, 1)
    patchy.commit(1, patchy.frame(9), session=LATER, meta="1" * 16)
    bring(patchy, LATER, 1)
    capsys.readouterr()
    assert not (patchy.home / "sessions" / patchy.session / "quarantine").exists()
    end(patchy, LATER)
    call(patchy, "camp", "--list", "--json")
    assert 1 not in {row["index"] for row in said(capsys)["reshoot"]}


def test_where_there_are_no_hard_links_the_old_photo_is_copied(patchy, monkeypatch):
    """As on exFAT; and what a crash left half done is finished."""

    def none(*_args, **_more):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(quarantine.os, "link", none)
    patchy.again(LATER, 2, 2)
    patchy.commit(2, session=LATER, meta="1" * 16)
    bring(patchy, LATER)
    old = patchy.names[patchy.session, 2]
    folder = patchy.home / "sessions" / patchy.session / "quarantine"
    assert (folder / old).read_bytes() == (patchy.incoming() / old).read_bytes()
    (folder / f"{old}.reason.json").unlink()
    with patchy.database.read() as connection:
        found = replaced(connection, LATER)
    assert [one.name for one in keep_apart(patchy.home, found)] == [old]
    assert keep_apart(patchy.home, found) == ()


def test_doubtful_photos_are_listed_and_shot_again_only_when_asked(card_rig, capsys):
    """Verified, but soft: a person decides."""
    card_rig.commit(1)
    bring(card_rig)
    photo = card_rig.photos()[1]
    detail = {"quality": {"warnings": ["soft: 40% of the source's sharpness", "a corner is near"]}}
    from rig.capture import photos

    card_rig.database.write_now(
        lambda c: photos.verified(
            c, card_rig.session, name=photo.name, verified=True, reason="shown", now_ns=9,
            detail=detail,
        )
    )  # fmt: skip
    capsys.readouterr()
    assert call(card_rig, "camp", "--list", "--json") == 1
    (row,) = said(capsys)["reshoot"]
    assert (row["kind"], row["index"]) == ("doubtful", 1)
    assert "corner" not in row["reason"]
    call(card_rig, "camp", "--json")
    assert said(capsys)["sessions"] == []
    call(card_rig, "camp", "--doubtful", "--json")
    assert len(said(capsys)["sessions"]) == 1


def test_bad_input_is_one_sentence(card_rig, capsys):
    for words, word in ((["nobody"], "No campaign"), (["s" + "9" * 16, "--list"], "No session")):
        assert call(card_rig, *words) == 2
        assert word in capsys.readouterr().err


def test_a_bump_of_the_rig_is_on_record_and_suspends(card_rig, capsys):
    """Photo 4 is moved; the watch that looks after the session asks for a pause, once."""
    for index in range(1, 4):
        card_rig.commit(index, card_rig.frame(index, 1))
    for index in range(4, 7):
        card_rig.commit(index, card_rig.frame(index, 30))
    bring(card_rig, code=0)
    (event,) = card_rig.log("drifted")
    assert (event.index, event.session) == (4, card_rig.session)
    assert event.body["px"] == pytest.approx(29, abs=3)
    looking = watch.Watch()
    looking.hear(event)
    found = looking.look(0)
    assert found.code == "DRIFT"
    assert found.code in watch.RESUMES
    assert "moved" in found.why
    assert looking.look(0) is None
    bring(card_rig, code=0)
    assert len(card_rig.log("drifted")) == 1


def test_what_was_moved_during_a_pause_is_no_bump(card_rig):
    """Whoever resumes has stood at the rig; within each run a bump is told."""

    def say(kind, at):
        count = card_rig.numbers[card_rig.session] = card_rig.numbers[card_rig.session] + 1
        more = {"code": "OPERATOR_PAUSE", "why": "a person"} if kind == "paused" else {}
        event = parse_event(
            {"event": kind, "session": card_rig.session, "seq": count, "time_ns": at} | more
        )
        card_rig.database.write_now(lambda c: sessions.ingest(c, "room-1", [event], at))

    for index in (1, 2):
        card_rig.commit(index, card_rig.frame(index, 1))
    say("paused", 60)
    say("resumed", 70)
    for index, shift in ((3, 30), (4, 31), (5, 2)):
        card_rig.commit(index, card_rig.frame(index, shift), time_ns=80 + index)
    bring(card_rig)
    assert [one.index for one in card_rig.log("drifted")] == [5]


def test_photos_are_looked_at_as_they_arrive(card_rig):
    """Only those whose commit is known; drift is seen from photo to photo, each alone."""
    from rig.capture import photos

    def arrive(index, name, data):
        import hashlib

        card_rig.incoming().mkdir(parents=True, exist_ok=True)
        (card_rig.incoming() / name).write_bytes(data)
        card_rig.database.write_now(
            lambda c: photos.received(
                c, card_rig.session, name=name, index=index, attempt=1, size=len(data), now_ns=7,
                sha256=hashlib.sha256(data).hexdigest(), actor="phone:room-1",
            )
        )  # fmt: skip

    def look():
        return take_in(card_rig.database, card_rig.home, card_rig.session, arrived=True)

    for index, shift in ((1, 1), (2, 2), (3, 40)):
        data = card_rig.frame(index, shift)
        file = card_rig.commit(index, data)
        arrive(index, file.name, data)
        look()
    early = card_rig.card / card_rig.names[card_rig.session, 1].replace("i0000001", "i0000004")
    arrive(4, early.name, b"its commit has not come yet")
    look()
    found = card_rig.photos()
    assert [found[i].verified for i in (1, 2, 3)] == [True] * 3
    assert found[4].verified is None
    assert found[2].detail["located_by"] == "prior"
    assert [one.index for one in card_rig.log("drifted")] == [3]
    count = len(card_rig.log("photo_verified"))
    look()
    assert len(card_rig.log("photo_verified")) == count


def test_arrivals_never_wait_and_end_with_the_controller(card_rig, monkeypatch):
    """The thread looks at every session that has news, survives a failure, and stops."""
    import threading

    seen, came = [], threading.Event()

    def fake(_database, _home, session, **more):
        seen.append((session, more["arrived"]))
        if session == "bad":
            raise RuntimeError("no memory")
        came.set()

    monkeypatch.setattr("rig.commands.batch.take_in", fake)
    jobs = IntakeJobs(1)
    controller = type("C", (), {"database": None, "home": None})()
    jobs.arrived(controller, "bad")
    jobs.arrived(controller, "good")
    assert came.wait(20)
    jobs.close()
    assert ("good", True) in seen
    jobs.arrived(controller, "late")
    assert ("late", True) not in seen


def test_a_worker_that_dies_does_not_stop_intake_for_ever(monkeypatch):
    """The pool is made anew for the next photos."""
    from concurrent.futures.process import BrokenProcessPool

    from rig.errors import UserError

    def dies(*_args, **_more):
        raise BrokenProcessPool

    monkeypatch.setattr("rig.commands.batch.take_in", dies)
    jobs = IntakeJobs(1)
    controller = type("C", (), {"database": None, "home": None})()
    with pytest.raises(UserError, match="died"):
        jobs._take_in(controller, "s")
    assert jobs._pool is None
    jobs.close()


def test_legacy_sessions_list_what_was_claimed(card_rig):
    """A claim without a proved photo is missing, not done."""
    events = [
        {"event": "guarantees", "session": card_rig.session, "seq": 1, "time_ns": 1,
         "app": "10.0.0.2", "start_number": 1, "weaker": ["nothing is proved"]},
        {"event": "answered", "session": card_rig.session, "seq": 2, "time_ns": 2, "index": 1,
         "attempt": 1, "name": "1.jpg", "rtt_ms": 4.0},
    ]  # fmt: skip
    card_rig.database.write_now(
        lambda c: sessions.ingest(c, "room-1", [parse_event(e) for e in events], 3)
    )
    with card_rig.database.read() as connection:
        found = reshoot.of_session(connection, card_rig.session)
    assert [(row.index, row.kind) for row in found.rows] == [(1, reshoot.Kind.MISSING)]


@pytest.mark.parametrize("words", [(), ("--list",)])
def test_a_campaign_that_was_never_shot_says_so(card_rig, capsys, words):
    """Not \"nothing to shoot again\", as if all were well; no session is made."""
    before = len(card_rig.log("session_created"))
    assert call(card_rig, "camp", *words) == 1
    told = capsys.readouterr().out
    assert "Nothing of camp was shot yet (12 x-rays wait)" in told
    assert "make a session on the campaign's page and start it" in told
    assert call(card_rig, card_rig.session, *words) == 1
    assert "was shot yet (6 x-rays wait)" in capsys.readouterr().out
    assert len(card_rig.log("session_created")) == before
    card_rig.commit(1)
    bring(card_rig, code=0)
    capsys.readouterr()
    assert call(card_rig, "camp", *words) == 0


def test_a_batch_starts_where_the_last_verified_photo_was(card_rig, capsys):
    """On record for each photo; what comes later begins at the place that the log remembers."""
    late = {index: card_rig.commit(index) for index in (1, 2, 3, 4)}[3]
    kept = late.read_bytes()
    late.unlink()
    bring(card_rig, code=1)
    ways = {index: one.detail["located_by"] for index, one in card_rig.photos().items()}
    assert ways == {1: "orb", 2: "prior", 4: "prior"}
    late.write_bytes(kept)
    bring(card_rig, code=0)
    assert card_rig.photos()[3].detail["located_by"] == "prior"
    main(["batch", "import", card_rig.session, str(card_rig.card), "--again", "--workers", "2",
          "--home", str(card_rig.home)])  # fmt: skip
    ways = {index: one.detail["located_by"] for index, one in card_rig.photos().items()}
    assert ways == {1: "orb", 2: "prior", 3: "prior", 4: "prior"}


def test_the_home_s_own_thresholds_hold_for_what_it_takes_in(card_rig, capsys):
    """Verdicts and drift follow `thresholds.toml`; one that makes no sense takes nothing in."""
    card_rig.commit(1)
    card_rig.commit(2, card_rig.frame(2, shift=4))
    file = card_rig.home / "thresholds.toml"
    file.write_text("scroe = 0.9\n")
    words = ["batch", "import", card_rig.session, str(card_rig.card), "--home", str(card_rig.home)]
    assert main(words) == 2
    assert "there is no threshold 'scroe'" in capsys.readouterr().err
    assert {one.verified for one in card_rig.photos().values()} == {None}
    file.write_text("score = 1.0\nblock_agreement = 1.0\n")
    assert main(words) == 1
    assert "needed 1.00" in capsys.readouterr().out
    file.write_text("drift = 2.0\n")
    assert main([*words, "--again"]) == 0
    assert {one.verified for one in card_rig.photos().values()} == {True}
