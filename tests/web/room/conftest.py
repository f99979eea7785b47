"""A controller with a room: lamps and light sensors on ptys, a campaign in two lights."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.capture import sessions
from rig.capture.messages import parse_event
from rig.environment.config import parse_room
from rig.store import events

_spec = importlib.util.spec_from_file_location(
    "serial_stand_ins", Path(__file__).parents[2] / "environment" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_stand_ins = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_stand_ins)
device, fakes = _stand_ins.device, _stand_ins.fakes

PLAN = """
[[factor]]
name = "room_light"
levels = ["bright", "dark"]
set_by = "lamp"

[[factor]]
name = "blinds"
levels = ["closed", "open"]

[[environment]]
name = "e1"
levels = { room_light = "bright", blinds = "closed" }

[[environment]]
name = "e2"
levels = { room_light = "dark", blinds = "closed" }
"""
SWITCH = {"bright": "on", "dark": "off"}


class Meter:
    """A light sensor that sees *lux*, or is silent."""

    def __init__(self, lux: float = 300.0) -> None:
        self.lux: float | None = lux

    def __call__(self, data: bytes) -> tuple[int, bytes]:
        return len(data), b"" if self.lux is None else f"{self.lux}\r\n".encode()


class Lit:
    """A controller with a room, a campaign of two subsets with lights, and two stations."""

    def __init__(self, running: Any) -> None:
        self.running, self.rig = running, running.rig
        self.tokens: dict[str, str] = {}
        self.token = ""

    def session(self, subset: int = 1, station: str = "room-1") -> Any:
        body = {"campaign": "lit", "subset": subset, "station": station}
        return self.running.post("/api/sessions", **body)["id"]

    def apply(self, session: str) -> dict[str, Any]:
        told = self.running.post(f"/api/sessions/{session}/conditions/apply")
        return {one["factor"]: one for one in told["factors"]}

    def factor(self, session: str, name: str = "room_light") -> dict[str, Any]:
        told = self.running.get(f"/api/sessions/{session}/conditions")
        (found,) = (one for one in told["factors"] if one["factor"] == name)
        return dict(found)

    def find(self, session: str) -> Any:
        return self.rig.database.query(lambda c: sessions.find(c, session))

    def events(self, session: str | None, *kinds: str) -> list[dict[str, Any]]:
        with self.rig.database.read() as connection:
            every = events.after(connection, 0, limit=10_000)
        return [dict(e.body) for e in every if e.kind in kinds and e.session == session]

    def see(self, session: str, seq: int, kind: str, **body: Any) -> None:
        """An event of the station, as its display agent would send it."""
        message = {"event": kind, "session": session, "seq": seq, "time_ns": time.time_ns(), **body}
        self.rig.database.write_now(
            lambda c: sessions.ingest(c, "room-1", [parse_event(message)], time.time_ns())
        )

    def run(self, session: str) -> None:
        self.see(session, 1, "armed", first=1, last=3)
        self.see(session, 2, "painted", index=1, attempt=1)


@pytest.fixture
def lit(tmp_path: Path, serve: Any, csv_of: Any) -> Any:
    """`lit(lamp={...}, meter={...})` starts a controller with these actuators."""

    def start(*, watch: float = 3600, **actuators: dict[str, Any]) -> Lit:
        data = {"actuator": actuators, "watch": {"seconds": watch}} if actuators else None
        room = None if data is None else parse_room(data, "room.toml")
        running = serve(tmp_path / "home", room=room)
        csv, folder = csv_of(6)
        running.post("/api/catalogs", name="tiny", csv=str(csv), data_dir=str(folder))
        plan = tmp_path / "plan.toml"
        plan.write_text(PLAN)
        running.post(
            "/api/campaigns", name="lit", catalog="tiny", device="nokia", size_min=3, size_max=3,
            environments_file=str(plan),
        )  # fmt: skip
        one = Lit(running)
        one.tokens = {
            name: running.post("/api/stations", name=name)["token"] for name in ("room-1", "room-2")
        }
        return one

    return start


@pytest.fixture
def subset_with(lit: Any) -> Any:
    """The subset that is shot in this light."""

    def find(one: Lit, level: str) -> int:
        plan = one.running.get("/api/campaigns/lit")
        return next(
            s["id"] for s in plan["subsets"] if s["environment"]["levels"]["room_light"] == level
        )

    return find


@pytest.fixture
def table() -> SimpleNamespace:
    """Tables of a room file: `table.kmtronic(port)`, `table.lux(port)`, and `table.switch`."""

    def kmtronic(port: str, **more: Any) -> dict[str, Any]:
        return {"driver": "kmtronic", "port": port, "levels": SWITCH, **more}

    def lux(port: str, **more: Any) -> dict[str, Any]:
        return {"driver": "lux", "port": port, "request": "?", "seconds": 0.2, **more}

    return SimpleNamespace(kmtronic=kmtronic, lux=lux, switch=SWITCH)


@pytest.fixture
def meter() -> Meter:
    """A light sensor; give it to `device`."""
    return Meter()
