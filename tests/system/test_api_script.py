"""The script that the API's guide shows, run as it stands there, with real agents."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system
GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
XRAYS, SIZE = 4, 2


def script() -> str:
    """The one Python program of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    (found,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def test_a_whole_campaign_is_shot_by_the_script_of_the_guide(
    make_rig: Callable[..., Any], tools: dict[str, Any], tmp_path: Path
) -> None:
    """From the x-rays to the dataset; a person only starts the two agents with what it prints."""
    rig = make_rig(XRAYS)
    rig.start_controller()
    rig.plan = None  # the script plans
    from rig.sample import csv_path, data_dir

    lines = csv_path().read_text().splitlines(keepends=True)[: XRAYS + 1]
    (tmp_path / "train.csv").write_text("".join(lines))
    program = tmp_path / "shoot.py"
    program.write_text(script())
    token = rig.controller.said("token")["token"]
    log = tmp_path / "script.log"
    words = [rig.url, token, str(tmp_path / "train.csv"), str(data_dir()), str(SIZE)]
    with log.open("w") as out:
        running = subprocess.Popen(
            [sys.executable, "-u", str(program), *words], stdout=out, stderr=subprocess.STDOUT
        )

    def told(what: str) -> list[str]:
        def line() -> str | None:
            assert running.poll() in {None, 0}, log.read_text()
            found = re.search(rf"^waiting for {what}: (.*)$", log.read_text(), re.MULTILINE)
            return found and found[1]

        return shlex.split(tools["until"](line, f"it did not wait for {what}"))

    try:
        display = told("the display")
        assert display[:2] == ["display-agent", "connect"]
        rig.token = display[display.index("--token") + 1]
        rig.start_display()
        phone = told("the phone")
        code = next(one for one in phone if re.fullmatch(r"[A-Z2-7]{8}", one))
        rig.phone = tools["Process"](
            "phone",
            "phone_agent.cli",
            [
                f"127.0.0.1:{rig.port}", code, "--dir", str(rig.phone_dir),
                "--camera", f"loopback:{rig.frames}", "--json",
            ],
            rig.folder,
        )  # fmt: skip
        rig.processes.append(rig.phone)
        rig.phone.start()
        assert running.wait(300) == 0, log.read_text()
    finally:
        running.kill()
        running.wait()
    result = json.loads(log.read_text().splitlines()[-1])
    assert (result["captures"], result["dataset"]) == (XRAYS, "done")
    assert result["result"]["natural"] == XRAYS
    assert "2 photos show their x-ray, 0 do not" in log.read_text()
    who = {one["who"] for one in rig.get("/api/audit?limit=200")}
    assert who == {"night script"}
