"""`display-agent manual` from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace

import pytest

from display_agent.cli import build_parser, main
from display_agent.manual_options import run_manual
from display_agent.screens.null import NullScreen
from rig.planning.model import Environment
from rig.planning.plan import to_json


@pytest.fixture
def folder(tmp_path, xray_bytes):
    made = tmp_path / "in"
    made.mkdir()
    for index in range(1, 6):
        (made / f"{index}.png").write_bytes(xray_bytes(index))
    return made


def _argv(folder, tmp_path, *more):
    return [
        "manual", "--folder", str(folder), "--out", str(tmp_path / "out"), "--screen", "null",
        "--size", "640x480", *more,
    ]  # fmt: skip


def test_a_folder_is_shown_in_sets_at_a_rate(folder, tmp_path, capsys):
    """JSON lines; the end is told; 0."""
    argv = _argv(folder, tmp_path, "--rate", "0.01", "--pause", "0.01", "--set-size", "2", "--json")
    assert main(argv) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shown = [e for e in events if e["event"] == "shown"]
    assert sorted(e["index"] for e in shown) == [1, 2, 3, 4, 5]
    assert [e["index"] for e in shown] != [1, 2, 3, 4, 5]  # in random order by default
    assert all(len(e["marker"]) == 8 for e in shown)
    assert [e["set"] for e in events if e["event"] == "set_done"] == [1, 2, 3]
    assert events[-1] == {"event": "completed", "shown": 5}


def test_the_plans_order_without_a_marker(folder, tmp_path, capsys):
    """The first three."""
    more = ("--order", "plan", "--count", "3", "--no-marker", "--rate", "0.01", "--pause", "0.01")
    assert main(_argv(folder, tmp_path, *more, "--json")) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(e["index"], e["marker"]) for e in events if e["event"] == "shown"] == [
        (1, []), (2, []), (3, []),
    ]  # fmt: skip


def test_a_plan_is_shown_as_it_was_exported(make_plan, make_item, tmp_path, capsys):
    """With its own indices; what its environment asks for is done to the frames."""
    plan = make_plan(make_item(7), make_item(8))
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(to_json(plan)))
    argv = [
        "manual", "--plan", str(path), "--out", str(tmp_path / "out"), "--screen", "null",
        "--order", "plan", "--rate", "0.01", "--pause", "0.01", "--json",
    ]  # fmt: skip
    assert main(argv) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["index"] for e in events if e["event"] == "shown"] == [7, 8]
    path.write_text("{")
    assert main(argv) == 2


@pytest.mark.parametrize("works", [True, False])
def test_the_monitor_is_set_before_the_first_xray_and_given_back_after_the_last(
    make_plan, make_item, tmp_path, capsys, plug_in, works
):
    """With --ddc; where it does not confirm, pixels are tinted and it is said."""
    panel = plug_in(1)[0]
    panel.stubborn = not works
    environment = Environment("e01", {"colour_temperature": "5000K"})
    plan = replace(make_plan(make_item(7), make_item(8)), environment=environment)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(to_json(plan)))
    argv = [
        "manual", "--plan", str(path), "--out", str(tmp_path / "out"), "--screen", "null",
        "--rate", "0.01", "--pause", "0.01", "--ddc", "--json",
    ]  # fmt: skip
    assert main(argv) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [e["event"] for e in events]
    assert kinds.index("white") < kinds.index("shown")
    assert events[kinds.index("white")]["by"] == ("ddc" if works else "gains")
    assert (events[-1].get("given_back") is True) == works
    assert (0x14, 4) in panel.sets
    assert panel.values[0x14] == 5


def test_without_keys_and_without_times_it_would_wait_for_ever(folder, tmp_path, capsys):
    """So it says what to give."""
    assert main(_argv(folder, tmp_path, "--rate", "1")) == 2
    assert "give --rate and --pause" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [
        ["--rate", "0"], ["--rate", "nan"], ["--set-size", "0"], ["--rate", "1", "--key"],
        ["--size", "0x5"], ["--plan", "p.json"],
    ],
)  # fmt: skip
def test_bad_usage_is_refused(folder, tmp_path, more):
    """By the parser, with 2."""
    with pytest.raises(SystemExit) as ended:
        main(_argv(folder, tmp_path, *more))
    assert ended.value.code == 2


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path, capsys):
    """No traceback."""
    assert main(_argv(tmp_path / "gone", tmp_path, "--rate", "1", "--pause", "1")) == 2
    assert "is no folder" in capsys.readouterr().err


def test_the_usual_run_is_random_with_marker_in_sets_of_150(tmp_path):
    """The paper's way."""
    args = build_parser().parse_args(["manual", "--folder", "x", "--out", "y"])
    assert (args.order, args.marker, args.set_size, args.rate) == ("random", True, 150, None)


class Audience:
    """Runs the command on a null screen inside this process; its shows can be waited for."""

    def __init__(self, folder, tmp_path, *more):
        self.screen = NullScreen((640, 480))
        self._args = build_parser().parse_args(_argv(folder, tmp_path, *more))

    def start(self) -> asyncio.Task[int]:
        return asyncio.create_task(run_manual(self._args, lambda _: self.screen))

    async def sees(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.screen.shown) < count:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_as_q_does_and_the_next_run_goes_on(folder, tmp_path, number):
    """130; what was up is on record as interrupted."""
    audience = Audience(folder, tmp_path, "--rate", "3600", "--pause", "3600", "--order", "plan")
    running = audience.start()
    await audience.sees(1)
    os.kill(os.getpid(), number)
    assert await running == 130
    lines = (tmp_path / "out" / "shown.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["left"] == "stop"
    again = audience.start()
    await audience.sees(2)
    audience.screen.press("q")
    assert await again == 0
    assert json.loads((tmp_path / "out" / "shown.jsonl").read_text().splitlines()[-1])["index"] == 1


async def test_lines_typed_in_the_terminal_are_keys(folder, tmp_path, monkeypatch):
    """Empty is next, p previous, q stop; anything else is nothing."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard, os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        audience = Audience(folder, tmp_path, "--order", "plan")
        running = audience.start()
        for count, typed in enumerate((b"\n", b"what?\np\n", b" N \n"), 1):
            await audience.sees(count)
            keyboard.write(typed)
        await audience.sees(4)
        keyboard.write(b"q\n")
        assert await running == 0
    lines = (tmp_path / "out" / "shown.jsonl").read_text().splitlines()
    ended = [json.loads(line) for line in lines[1::2]]
    assert [(one["index"], one["left"]) for one in ended] == [
        (1, "next"), (2, "previous"), (1, "next"), (2, "stop"),
    ]  # fmt: skip
