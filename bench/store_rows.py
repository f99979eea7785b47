"""The rows of a store that has grown for years: campaigns over one catalog, session by session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from rig.simulation.campaign_catalog import synthetic_xrays
from rig.store import catalogs, tables
from rig.store.catalogs import Catalog

SUBSET = 500
CATALOG = 224_316
"""X-rays of a full campaign: CheXpert's; what is more goes into further campaigns."""
STATIONS = ("room-1", "room-2")
_LEVELS = {
    "room": "office", "room_light": "dim", "blinds": "closed", "orientation": "portrait",
    "tripod": "near", "cursor": "hidden", "colour_temperature": "6500K", "finish": "matte",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """How *captures* are dealt to campaigns of up to `CATALOG` x-rays, subsets and sessions."""

    captures: int

    @property
    def xrays(self) -> int:
        """In the catalog."""
        return min(self.captures, CATALOG)

    @property
    def subsets(self) -> int:
        """Of a campaign."""
        return -(-self.xrays // SUBSET)

    @property
    def campaigns(self) -> int:
        """Each of them goes over the whole catalog, the last one as far as captures last."""
        return -(-self.captures // self.xrays)

    @property
    def sessions(self) -> int:
        """One for each subset that was shot."""
        full, rest = divmod(self.captures, self.xrays)
        return full * self.subsets + -(-rest // SUBSET)

    def place(self, at: int) -> tuple[int, int, int]:
        """Session, campaign (both from 0) and index (from 1) of capture number *at* from 0."""
        campaign, within = divmod(at, self.xrays)
        return campaign * self.subsets + within // SUBSET, campaign, within + 1

    def id_of(self, session: int) -> str:
        """The id of session number *session* from 0."""
        return f"s{session:016x}"


def frame(connection: Connection, shape: Shape) -> None:
    """A catalog, campaigns with their subsets and two stations for everything to hang on."""
    t = tables
    kept = Catalog("c" * 16, "bench", "/b.csv", "/b", "csv", 0, shape.xrays, [], 1)
    catalogs.save(connection, kept, synthetic_xrays(shape.xrays, 7))
    for number in range(shape.campaigns):
        connection.execute(insert(t.campaign).values(
            id=campaign_id(number), name=f"bench-{number}", catalog=kept.id, device="nokia", seed=0,
            revision=1, size_min=SUBSET, size_max=SUBSET, settle_ms=150, subsets=shape.subsets,
            xrays=shape.xrays, created_ns=1,
        ))  # fmt: skip
        connection.execute(insert(t.subset), [
            {
                "campaign": campaign_id(number), "id": one + 1, "first": one * SUBSET + 1,
                "last": min((one + 1) * SUBSET, shape.xrays), "environment": f"e{one + 1:03d}",
                "levels": _LEVELS, "revision": 1,
            }
            for one in range(shape.subsets)
        ])  # fmt: skip
    for name in STATIONS:
        connection.execute(insert(t.station).values(name=name, token_sha256=name, created_ns=1))


def campaign_id(number: int) -> str:
    """16 hex digits."""
    return f"{number:016x}"


def body(at: int) -> dict[str, Any]:
    """What a display agent tells with `committed`."""
    return {
        "sha256": f"{at:064x}", "size": 3_000_000, "name": f"x1_{at:0220d}.jpg",
        "t_trigger_ns": at * 10**9, "t_done_ns": at * 10**9 + 10**8, "w": 4000, "h": 3000,
        "rtt_ms": 3.5, "source_sha256": f"{at:064x}",
    }  # fmt: skip


def session_row(
    session: str, campaign: int, subset: int, *, at: int = 0, state: str = "completed"
) -> dict[str, Any]:
    """A session of the whole subset, over unless *state* says otherwise."""
    first = (subset - 1) * SUBSET + 1
    return {
        "id": session, "campaign": campaign_id(campaign), "subset": subset,
        "station": STATIONS[subset % len(STATIONS)], "first": first, "last": first + SUBSET - 1,
        "state": state, "created_ns": at, "updated_ns": at, "started_ns": at, "source_seq": SUBSET,
        "committed": SUBSET, "retakes": 0, "photos": 0, "verified": 0, "rejected": 0,
        "last_index": first + SUBSET - 1,
    }  # fmt: skip


def fill(connection: Connection, shape: Shape, chunk: range) -> None:
    """The rows that live events would have left, written in bulk through the driver."""
    if began := list(_sessions(shape, chunk)):
        connection.execute(insert(tables.session), began)
    placed = [(at, *shape.place(at), body(at)) for at in chunk]
    connection.exec_driver_sql(
        "INSERT INTO event (time_ns, received_ns, actor, session, source_seq, idx, attempt, kind, "
        "body) VALUES (?, ?, 'station:room-1', ?, ?, ?, 1, 'committed', ?)",
        [
            (at, at, shape.id_of(session), (index - 1) % SUBSET + 1, index, json.dumps(told))
            for at, session, _, index, told in placed
        ],
    )
    names = tuple(body(0))
    connection.exec_driver_sql(
        "INSERT INTO capture (session, idx, attempt, committed, retakes, time_ns, "
        f"{', '.join(names)}) VALUES (?, ?, 1, 1, 0, ?{', ?' * len(names)})",
        [
            (shape.id_of(session), index, at, *(told[name] for name in names))
            for at, session, _, index, told in placed
        ],
    )


def _sessions(shape: Shape, chunk: range) -> Iterator[dict[str, Any]]:
    for at in chunk:
        session, campaign, index = shape.place(at)
        if (index - 1) % SUBSET == 0:
            yield session_row(shape.id_of(session), campaign, (index - 1) // SUBSET + 1, at=at)
