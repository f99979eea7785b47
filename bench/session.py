"""One subset shot by the real `display-agent run` and `phone-agent --once`, as processes."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.programs import BenchError, Program
from bench.relay import FAIR, Relay, Weather
from rig.catalog.chexpert import import_csv
from rig.catalog.model import Xray
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan, to_json
from rig.protocol.keys import parse_pairing
from rig.sample import csv_path, data_dir

_START = 60.0
_PER_CAPTURE = 5.0
"""Seconds after which a program is given up; far beyond anything seen."""


@dataclass(frozen=True, slots=True)
class Shots:
    """What one run left behind.

    Attributes:
        events: all that the display agent told, in order.
        display_cpu: seconds of the display agent, from its start to its end.
        phone_cpu: the same of the phone agent.
        datagrams: by type, or None when no relay was between.
        photos: the phone's folder of photos.
    """

    events: tuple[dict[str, Any], ...]
    display_cpu: float
    phone_cpu: float
    datagrams: dict[str, int] | None
    photos: Path

    @property
    def committed(self) -> list[dict[str, Any]]:
        """The `committed` events, by index."""
        return [event for event in self.events if event["event"] == "committed"]


def sample_xrays() -> tuple[Xray, ...]:
    """The bundled x-rays."""
    return import_csv(csv_path(), data_dir()).xrays


def plan_of(xrays: Sequence[Xray], captures: int) -> SubsetPlan:
    """A subset of *captures* x-rays; the bundled ones come round again under other keys."""
    items = []
    for number in range(captures):
        lap, at = divmod(number, len(xrays))
        xray = xrays[at]
        key = f"{xray.key}.{lap}" if lap else xray.key
        file = str(xray.file)
        items.append(PlanItem(number + 1, key, xray.sha256, xray.width, xray.height, file))
    return SubsetPlan(
        session=f"s{secrets.token_hex(8)}",
        campaign="bench",
        campaign_id=hashlib.sha256(b"bench").hexdigest()[:16],
        subset=1,
        first=1,
        last=captures,
        device="loopback",
        environment=Environment("bench", {}),
        items=tuple(items),
        settle_ms=0,
    )


def shoot(
    folder: Path, plan: SubsetPlan, *, relayed: bool = False, weather: Weather = FAIR
) -> Shots:
    """Shoot *plan* in a new *folder*; *relayed* puts a counting relay with *weather* between.

    Raises:
        BenchError: a program did not do its part.
    """
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps(to_json(plan)))
    # Left to itself, the phone may be gone before a display that lost FINISHED has asked again.
    once = [] if weather.loss else ["--once"]
    patience = _START + _PER_CAPTURE * len(plan.items)
    with ExitStack() as stack:
        display = stack.enter_context(Program("display-agent", "display_agent.cli", [
            "run", str(folder / "plan.json"), "--pairing", str(folder / "pair.txt"),
            "--journal", str(folder / "display"), "--settle-ms", "0", "--screen", "null",
            "--listen", "127.0.0.1:0", "--frames", "127.0.0.1:0", "--optics", "none", "--json",
        ], folder / "display.log"))  # fmt: skip
        listening = display.said("udp", _START)
        pairing = parse_pairing(display.await_(
            lambda: _text(folder / "pair.txt"), "write the pairing", _START
        ))  # fmt: skip
        relay = None
        if relayed:
            host, port = listening["udp"]
            relay = stack.enter_context(Relay((host, port), weather))
            pairing = replace(pairing, hosts=(relay.address,))
        (folder / "phone.txt").write_text(pairing.url())
        (folder / "phone.txt").chmod(0o600)
        phone = stack.enter_context(Program("phone-agent", "phone_agent.cli", [
            "--pair", f"@{folder / 'phone.txt'}", "--dir", str(folder / "phone"),
            "--camera", f"loopback:{listening['frames']}", *once, "--json",
        ], folder / "phone.log"))  # fmt: skip
        display_cpu = display.finish(patience).seconds
        if not once:
            phone.ask_to_leave()
        phone_cpu = phone.finish(patience).seconds
    shots = Shots(
        tuple(display.lines()),
        display_cpu,
        phone_cpu,
        dict(relay.counts) if relay is not None else None,
        folder / "phone" / "photos",
    )
    if [event["index"] for event in shots.committed] != [item.index for item in plan.items]:
        raise BenchError(f"not every x-ray was committed once and in order; see {display.log}")
    return shots


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
