"""A plan through the original app over real UDP: the run, its restart, and the audit afterwards."""

from __future__ import annotations

import argparse
import asyncio
import csv
import importlib.util
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
from PIL import Image

from display_agent import cli
from display_agent.legacy import run_legacy
from display_agent.legacy_options import phone_address
from display_agent.legacy_session import LegacySession, LegacySettings, subset_of
from rig.commands.verify import read_pairs
from rig.errors import UserError
from rig.planning.plan import to_json


def _load() -> ModuleType:
    path = Path(__file__).parents[1] / "protocol" / "legacy_peers.py"
    spec = importlib.util.spec_from_file_location("legacy_peers_shell", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load()


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """The command sets up logging for its process; other tests keep theirs."""
    yield
    structlog.reset_defaults()


class AppOnTheAir(asyncio.DatagramProtocol):
    """The stand-in of the original app behind a socket; its camera sees the null screen."""

    def __init__(self, export: Path, first: int) -> None:
        self.export = export
        self.app = peers.OriginalApp(first, look=self._look)
        self.station: Any = None
        self.transport: Any = None
        self.lose_answers = 0
        self.full = False
        self.requests: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.requests.append(data)
        self.app.receive(data, addr)
        while self.app.exposing:
            self.app.photo_done()
        for answer, to in self.app.take_sent():
            if self.lose_answers:
                self.lose_answers -= 1
            else:
                self.transport.sendto(answer, to)

    def save(self) -> None:
        """Copy the phone's folder to the computer."""
        self.export.mkdir(exist_ok=True)
        for name, data in self.app.files.items():
            (self.export / name).write_bytes(data)

    def _look(self) -> bytes:
        if self.full:
            return b""
        out = io.BytesIO()
        self.station.screen.frame().save(out, "JPEG")
        return out.getvalue()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[AppOnTheAir]:
    """Listens on loopback, next number 1."""
    on_air = AppOnTheAir(tmp_path / "export", 1)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: on_air, local_addr=("127.0.0.1", 0))
    yield on_air
    on_air.transport.close()
    await asyncio.sleep(0)


@pytest.fixture
def plan(make_item: Any, make_plan: Any) -> Any:
    """Three x-rays."""
    return make_plan(*(make_item(index) for index in (1, 2, 3)))


Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, plan: Any, app: AppOnTheAir) -> Run:
    """Run the plan through the app; returns exit status and events."""
    (tmp_path / "plan.json").write_text(json.dumps(to_json(plan)))

    async def start(
        *words: str, until: str | None = None, reply_s: float = 30.0
    ) -> tuple[int, list[dict[str, Any]]]:
        stop = asyncio.Event()
        events: list[dict[str, Any]] = []
        port = app.transport.get_extra_info("sockname")[1]
        args = cli.build_parser().parse_args([
            "run", str(tmp_path / "plan.json"), "--legacy-phone", f"127.0.0.1:{port}",
            "--journal", str(tmp_path / "j"), "--settle-ms", "0",
            "--screen", "null", "--size", "160x120", *words,
        ])  # fmt: skip

        def report(event: dict[str, Any]) -> None:
            events.append(event)
            if event["event"] == until:
                stop.set()

        def station(*words: Any) -> Any:
            app.station = cli._station(*words)
            return app.station

        async with asyncio.timeout(30):
            return await run_legacy(args, station, report, stop, reply_s=reply_s), events

    return start


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    words = ["--journal", str(tmp_path / "j"), "--export", str(tmp_path / "export"), "--json"]
    status = cli.main(["audit-legacy", *words])
    return status, json.loads(capsys.readouterr().out)


async def test_a_whole_run_is_claimed_and_says_how_to_check_it(
    tmp_path: Path, run: Run, app: AppOnTheAir, plan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guarantees first, a claim per photo, pairs CSV, then claimed and completed."""
    status, events = await run()
    assert status == 0
    assert kinds(events) == [
        "listening", "guarantees", "armed", *["painted", "answered"] * 3, "claimed", "completed",
    ]  # fmt: skip
    assert all(event["legacy"] is True for event in events)
    assert any("rig verify --pairs" in sentence for sentence in events[1]["weaker"])
    assert "Mandatory" in capsys.readouterr().err
    assert "audit-legacy" in events[-2]["why"]
    assert (events[-1]["claimed"], events[-1]["count"]) == (True, 3)
    with (tmp_path / "j" / "legacy-pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == list(app.app.files)
    assert [row["xray"] for row in rows] == [item.file for item in plan.items]
    assert [row["previous"] for row in rows] == ["", plan.items[0].file, plan.items[1].file]


async def test_the_events_stay_in_the_journal_folder_in_order(tmp_path: Path, run: Run) -> None:
    """What a dashboard would be told after a restart: numbered from 1, none told twice."""
    await run()
    status, again = await run()
    assert status == 0
    assert kinds(again) == ["listening", "guarantees", "claimed", "completed"]
    lines = (tmp_path / "j" / "events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert kinds(told).count("completed") == 1
    assert kinds(told).count("guarantees") == 2


async def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, run: Run, app: AppOnTheAir
) -> None:
    """Nothing is asked for twice that the app has answered."""
    status, _ = await run(until="answered")
    assert status == 130
    status, events = await run()
    assert status in {0, 1}
    asked = {request.split(b"|")[0] for request in app.requests}
    if status == 1:  # stopped between request and answer: that one is in doubt
        assert "--legacy-resolve" in events[-1]["why"]
        status, _ = await run("--legacy-resolve", "taken")
    assert status == 0
    assert {request.split(b"|")[0] for request in app.requests} | asked == {b"1", b"2", b"3"}
    assert len(app.app.files) == 3


async def test_a_lost_ok_ends_in_doubt_and_a_person_goes_on(run: Run, app: AppOnTheAir) -> None:
    """Request again after the time-out, MISMATCH, pause; `taken` makes it suspect."""
    app.lose_answers = 1
    status, events = await run(reply_s=0.05)
    assert status == 1
    assert kinds(events)[-2:] == ["link_back", "paused"]
    status, events = await run("--legacy-resolve", "taken")
    assert status == 0
    assert [e["suspect"] is not None for e in events if e["event"] == "answered"] == [
        True, False, False,
    ]  # fmt: skip
    assert next(e for e in events if e["event"] == "claimed")["suspects"] == [1]


async def test_a_wrong_start_number_aborts_until_it_is_rearmed(run: Run, app: AppOnTheAir) -> None:
    """Exit 3; the same again; re-armed by its id it goes on."""
    app.app.stop_and_start(7)
    status, events = await run()
    assert status == 3
    aborted = events[-1]
    assert "start number" in aborted["why"]
    status, events = await run()
    assert (status, events[-1]["abort_id"]) == (3, aborted["abort_id"])
    assert len(app.requests) == 1
    with pytest.raises(UserError, match="the abort that is latched"):
        await run("--rearm", "00" * 8)
    with pytest.raises(UserError, match="is not an abort id"):
        await run("--rearm", "zz")
    app.app.stop_and_start(1)
    status, events = await run("--rearm", aborted["abort_id"])
    assert status == 0
    assert "rearmed" in kinds(events)


async def test_an_xray_that_changed_on_the_disk_pauses(
    run: Run, app: AppOnTheAir, plan: Any
) -> None:
    """Its hash is verified before it is shown; nothing is asked."""
    Path(plan.items[0].file).write_bytes(b"something else")
    status, events = await run()
    assert status == 1
    assert events[-1]["code"] == "DISPLAY_TROUBLE"
    assert app.requests == []


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


async def test_folders_of_the_two_modes_are_kept_apart(
    tmp_path: Path, run: Run, plan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither goes on in the other's folder."""
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "journal").write_bytes(b"")
    with pytest.raises(UserError, match="holds an XCAP/1 run"):
        await run()
    (tmp_path / "j" / "journal").unlink()
    await run()
    words = ["run", str(tmp_path / "plan.json"), "--journal", str(tmp_path / "j")]
    pairing = ["--pairing", str(tmp_path / "pair")]
    for more, sentence in (
        (pairing, "holds a legacy run"),
        ([], "--pairing FILE is needed"),
        ([*pairing, "--legacy-resolve", "taken"], "belongs to --legacy-phone"),
    ):
        assert await asyncio.to_thread(cli.main, [*words, *more]) == 2
        assert sentence in capsys.readouterr().err


def test_a_key_that_the_app_cannot_store_is_refused(make_item: Any, make_plan: Any) -> None:
    """Before anything is shown, with the index."""
    from dataclasses import replace

    item = replace(make_item(1), key="patient__1/study1/view1")
    with pytest.raises(UserError, match="x-ray 1"):
        subset_of(make_plan(item))


async def test_a_journal_of_another_plan_is_refused(
    tmp_path: Path, run: Run, make_item: Any, make_plan: Any
) -> None:
    """It would label photos of one plan with the names of another."""
    await run()
    other = make_plan(make_item(1))
    with pytest.raises(UserError, match="another plan"):
        LegacySession(
            other, tmp_path / "j", LegacySettings(("127.0.0.1", 9)),
            screen=None, prefetch=None, told=print,  # type: ignore[arg-type]
        )  # fmt: skip


def test_the_phones_address() -> None:
    """As the app shows it; port 4445 unless another is typed."""
    assert phone_address("10.0.2.127") == ("10.0.2.127", 4445)
    assert phone_address("10.0.2.127:5000") == ("10.0.2.127", 5000)
    for text in ("phone", "10.0.2", "10.0.2.127:0", "10.0.2.127:x", "", "1.2.3.4:70000"):
        with pytest.raises(argparse.ArgumentTypeError):
            phone_address(text)


def test_help_states_what_is_weaker(capsys: pytest.CaptureFixture[str]) -> None:
    """`display-agent run --help` is enough to know."""
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    said = capsys.readouterr().out
    assert "--legacy-phone" in said
    assert "Weaker: nobody is authenticated" in said
    assert "Mandatory" in said
