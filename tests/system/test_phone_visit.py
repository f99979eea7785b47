"""A visit with a phone, from the code on the controller's page to the empty phone at the end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system
MakeRig = Callable[..., Any]
PATIENCE_S = 120

# As BatteryStatusAPI.java of termux-api answers; the level stands in a file beside it.
BATTERY = """#!/bin/sh
level=`cat {folder}/level`
[ "$level" = hang ] && exec sleep 600
printf '{{"present": true, "health": "GOOD", "plugged": "UNPLUGGED", "status": "DISCHARGING",
"temperature": 30.1, "percentage": %s}}' "$level"
"""


def paired(rig: Any, tools: dict[str, Any], *more: str) -> Any:
    """Start a phone by address and code, as the line on the page says."""
    made = rig.post("/api/stations/s/codes")
    words = [
        f"127.0.0.1:{rig.port}", made["code"], "--dir", str(rig.phone_dir),
        "--camera", f"loopback:{rig.frames}", "--json", *more,
    ]  # fmt: skip
    rig.phone = tools["Process"]("phone", "phone_agent.cli", words, rig.folder)
    rig.processes.append(rig.phone)
    rig.phone.start()
    return made


def again(rig: Any, tools: dict[str, Any], *more: str) -> None:
    """Start the phone without any argument but its folder."""
    rig.phone.end()
    words = ["--dir", str(rig.phone_dir), "--json", *more]
    rig.phone = tools["Process"]("phone2", "phone_agent.cli", words, rig.folder)
    rig.processes.append(rig.phone)
    rig.phone.start()


def photos(rig: Any) -> list[Path]:
    return sorted((rig.phone_dir / "photos").glob("*.jpg"))


def command(rig: Any, *words: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "phone_agent.cli", *words, "--dir", str(rig.phone_dir)]
    return subprocess.run(run, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def test_from_the_code_to_the_empty_phone(make_rig: MakeRig, tools: dict[str, Any]) -> None:
    """Paired by code, shot, sent in a batch, started again without arguments, deleted on leave."""
    rig = make_rig(4)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    tools["until"](lambda: rig.get("/api/stations")[0]["connected"], "no station")
    made = paired(rig, tools)
    session = rig.start_session()
    rig.await_state("completed")
    rig.await_verdicts()
    rig.audit()
    saved = rig.phone_dir / "pairing.json"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    log = rig.phone.log.read_text()
    assert made["code"] not in log
    assert json.loads(saved.read_text())["pairing"] not in log
    names = [path.name for path in photos(rig)]
    assert len(names) == 4

    # The code is used up; a second phone with it is told so in one sentence.
    other = subprocess.run(
        [sys.executable, "-m", "phone_agent.cli", f"127.0.0.1:{rig.port}", made["code"],
         "--dir", str(rig.folder / "other"), "--camera", f"loopback:{rig.frames}"],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "code" in other.stderr

    # What is remembered is enough; nothing is deleted as long as nobody allowed it.
    again(rig, tools)
    tools["until"](lambda: "is complete at the controller" in rig.phone.log.read_text(), "not sent")
    assert [path.name for path in photos(rig)] == names
    assert rig.get(f"/api/sessions/{session}/release") == {"allowed": False, "photos": []}
    assert rig.post(f"/api/sessions/{session}/release", allow=True)["allowed"] is True
    again(rig, tools)  # it asks at its start
    tools["until"](lambda: not photos(rig), f"not deleted: {rig.phone.log.read_text()[-900:]}")
    assert len(list((rig.phone_dir / "photos").glob("*.json"))) == 4

    # A phone whose photos were let go is sound, and can be started again.
    again(rig, tools)
    tools["until"](
        lambda: sum(line.get("kind") == "ready" for line in rig.phone.lines()) == 3, "not ready"
    )
    assert not any(line["event"] == "aborted" for line in rig.phone.lines())
    rig.phone.end()
    audit = command(rig, "audit", "--json")
    assert audit.returncode == 0, audit.stdout
    told = json.loads(audit.stdout)
    assert (told["sound"], told["released"], told["hashed"]) == (True, 4, 4)


def test_controller_sees_the_phone(make_rig: MakeRig, tools: dict[str, Any]) -> None:
    """Status and page on both sides show the last photo by its name."""
    rig = make_rig(3)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    tools["until"](lambda: rig.get("/api/stations")[0]["connected"], "no station")
    port = tools["free_port"](1)
    paired(rig, tools, "--status", f"127.0.0.1:{port}")
    rig.start_session()
    rig.await_state("completed")
    page = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    with page:
        seen = tools["until"](
            lambda: (s := page.get("/status.json").json())["count"] == 3 and s, "not shown"
        )
        assert seen["name"] in [path.name for path in photos(rig)]
        assert (
            page.get("/last.jpg").content == (rig.phone_dir / "photos" / seen["name"]).read_bytes()
        )
        assert {check["name"] for check in seen["checks"]} >= {"controller", "clock", "storage"}


def test_check_names_what_is_wrong(make_rig: MakeRig, tools: dict[str, Any]) -> None:
    """All is well with a display that answers; without one UDP is the finding. Exit 0 and 1."""
    rig = make_rig(2)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    tools["until"](lambda: rig.get("/api/stations")[0]["connected"], "no station")
    paired(rig, tools, "--no-checks")
    rig.start_session()
    rig.await_state("completed")
    rig.phone.end()
    first = command(rig, "check", "--json")
    found = {each["name"]: each for each in json.loads(first.stdout)["checks"]}
    assert found["camera"]["ok"], found
    assert found["controller"]["ok"], found
    assert found["clock"]["ok"], found
    rig.display.end(signal.SIGTERM)
    second = command(rig, "check", "--json")
    found = {each["name"]: each for each in json.loads(second.stdout)["checks"]}
    assert second.returncode == 1
    assert not found["udp"]["ok"]
    assert found["controller"]["ok"]


def test_empty_battery_pauses_and_goes_on(
    make_rig: MakeRig, tools: dict[str, Any], tmp_path: Path
) -> None:
    """`termux-battery-status` says 9 %: the session pauses, says why, and goes on when it may."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "termux-battery-status"
    script.write_text(BATTERY.format(folder=folder))
    script.chmod(0o755)
    (folder / "level").write_text("9")
    rig = make_rig(3)
    rig.start_controller()
    rig.plan()
    rig.start_display()
    words = [
        "--pair", f"@{rig.pairing}", "--dir", str(rig.phone_dir),
        "--camera", f"loopback:{rig.frames}", "--upload", "--json",
    ]  # fmt: skip
    rig.phone = tools["Process"]("phone", "phone_agent.cli", words, rig.folder)
    rig.processes.append(rig.phone)
    rig.phone.start(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    rig.start_session()
    shown = rig.await_state("paused")
    assert "battery" in json.dumps(shown)
    assert "BATTERY_LOW" in rig.phone.log.read_text()
    assert photos(rig) == []
    (folder / "level").write_text("hang")  # nor does an app that hangs stop anything
    rig.phone.end()
    rig.phone.start(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    # Refused with a sentence as long as the phone is still at its checks.
    resume = f"/api/sessions/{rig.session}/resume"
    tools["until"](lambda: rig.http.post(resume, json={}).is_success, "it is not resumed")
    rig.await_state("completed")
    rig.await_verdicts()
    rig.audit()
