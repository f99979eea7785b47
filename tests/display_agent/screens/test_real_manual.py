"""Manual mode in a real window with a real keyboard, photographed off the root window."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from PIL import Image

from rig.intake.manual import Left, PhotoSeen, match_by_marker, read_shown
from rig.intake.marker import decode_marker
from rig.intake.marker_ids import Marker


def _next(child: Any, kind: str) -> dict[str, Any]:
    line = child.stdout.readline()
    assert line, "the display agent ended"
    told: dict[str, Any] = json.loads(line)
    assert told["event"] == kind, told
    return told


def test_the_pixels_on_the_root_window_say_which_xray_is_up(own_x, tmp_path):
    """Key by key; what was shown is on record and a picture of each screen finds its x-ray."""
    folder = tmp_path / "in"
    folder.mkdir()
    for index in (1, 2, 3):
        pixels = np.random.default_rng(index).integers(0, 256, (60, 50), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    child = own_x.start(
        sys.executable, "-m", "display_agent.cli", "manual", "--folder", str(folder),
        "--out", str(tmp_path / "out"), "--screen", "pygame", "--set-size", "2", "--json",
    )  # fmt: skip
    _next(child, "screen")
    photos = []
    for place in range(2):
        told = _next(child, "shown")
        photo = np.asarray(own_x.root())
        assert decode_marker(photo) == Marker(told["index"], 1)
        photos.append(PhotoSeen(f"IMG_{told['index']}.JPG", decode_marker(photo)))
        if place == 0:
            own_x.xdotool("windowfocus", "--sync", own_x.window())
        own_x.xdotool("key", "space")
    assert _next(child, "set_done")["set"] == 1
    assert decode_marker(np.asarray(own_x.root())) is None
    own_x.xdotool("key", "Right")
    last = _next(child, "shown")
    own_x.xdotool("key", "q")
    _next(child, "stopped")
    assert child.wait(60) == 0
    shown, _ = read_shown((tmp_path / "out" / "shown.jsonl").read_bytes())
    assert [s.left for s in shown] == [Left.NEXT, Left.NEXT, Left.STOP]
    found = match_by_marker(photos, shown)
    assert [c.index for c in found] == [s.index for s in shown[:2]]
    assert shown[2].index == last["index"]
