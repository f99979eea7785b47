"""A home with a small campaign, photos on a card, and what a camera would make of a frame."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rig.sample
from rig.capture import campaigns, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent
from rig.catalog.model import COLUMNS, Xray
from rig.planning.model import Environment
from rig.protocol.names import PhotoName, encode_name
from rig.store import captures, catalogs, events
from rig.store.database import Database
from rig.store.events import Event

CARD_CAMPAIGN = "ca" * 8
CARD_SESSION = "s" + "1" * 16


def _frame(xray: Path, size: tuple[int, int] = (1280, 720)) -> Image.Image:
    frame = Image.new("L", size)
    with Image.open(xray) as source:
        scale = min(size[0] / source.width, size[1] / source.height)
        small = source.convert("L").resize(
            (round(source.width * scale), round(source.height * scale))
        )
    frame.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return frame


@dataclass
class CardRig:
    """A home with *count* x-rays; subset 1 is the first half. Photos lie on a card."""

    home: Path
    card: Path
    database: Database
    session: str = CARD_SESSION
    campaign: str = CARD_CAMPAIGN
    numbers: dict[str, int] = field(default_factory=dict)
    names: dict[tuple[str, int], str] = field(default_factory=dict)

    def xray(self, index: int) -> Xray:
        with self.database.read() as connection:
            (one,) = catalogs.xrays(connection, "c" * 16, index, index)
        return one

    def frame(self, index: int, shift: int = 0) -> bytes:
        """The frame of an x-ray as a camera that sees just the screen has it, *shift* px aside."""
        picture = np.asarray(_frame(self.xray(index).file))
        if shift:
            picture = np.roll(np.pad(picture, 40), shift, axis=1)
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "JPEG", quality=90)
        return out.getvalue()

    def commit(self, index: int, data: bytes | None = None, *, session: str = CARD_SESSION,
               attempt: int = 1, meta: str = "0" * 16, time_ns: int = 50) -> Path:  # fmt: skip
        """The phone wrote and the display committed a photo; it lies on the card."""
        one = self.xray(index)
        data = self.frame(index) if data is None else data
        digest = hashlib.sha256(data).hexdigest()
        parts = (self.campaign, 1, index, attempt, "e1", one.key, meta, digest[:16])
        name = encode_name(PhotoName(*parts))
        self.numbers[session] = self.numbers.get(session, 0) + 1
        event = AgentEvent(
            event="committed", session=session, seq=self.numbers[session], time_ns=time_ns,
            index=index, attempt=attempt, sha256=digest, size=len(data), name=name,
            t_trigger_ns=1_700_000_000, source_sha256=one.sha256,
        )  # type: ignore[call-arg] # fmt: skip
        self.database.write_now(lambda c: sessions.ingest(c, "room-1", [event], 60))
        self.names[session, index] = name
        file = self.card / name
        file.write_bytes(data)
        return file

    def again(self, session: str, first: int, last: int, now_ns: int = 100) -> str:
        """A session that shoots first..last of subset 1 again."""

        def write(connection):
            kept = campaigns.find(connection, "camp")
            one = campaigns.subset_of(kept, 1)
            sessions.add(connection, session, kept, one, "room-1", (first, last), now_ns,
                         reshoots=self.session)  # fmt: skip

        self.database.write_now(write)
        return session

    def photos(self, session: str = CARD_SESSION) -> dict[int, captures.Photo]:
        with self.database.read() as connection:
            return {photo.index: photo for photo in captures.photos(connection, session)}

    def log(self, kind: str) -> list[Event]:
        with self.database.read() as connection:
            return [one for one in events.every(connection) if one.kind == kind]

    def incoming(self, session: str = CARD_SESSION) -> Path:
        return captures.incoming(self.home, session)


def _home(tmp_path: Path, count: int) -> Iterator[CardRig]:
    home, card = tmp_path / "home", tmp_path / "card" / "DCIM"
    home.mkdir()
    card.mkdir(parents=True)
    with rig.sample.csv_path().open(newline="") as handle:
        rows = list(csv.reader(handle))[1 : count + 1]
    table = tmp_path / "some.csv"
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    half = count // 2
    with Database.open(home / "rig.db") as database:
        import_catalog(
            database, new_id="c" * 16, name="some", csv=table, data_dir=rig.sample.data_dir(),
            order="csv", seed=0, skip_bad=False, now_ns=1, actor="test",
        )  # fmt: skip

        def plan(connection):
            campaigns.create(
                connection, new_id=CARD_CAMPAIGN, name="camp", catalog="some", device="nokia",
                chosen=[Environment("e1", {"light": "on"})], size_min=half, size_max=half, seed=4,
                now_ns=2,
            )  # fmt: skip
            stations.add(connection, "room-1", "token", 3)
            sessions.create(
                connection, new_id=CARD_SESSION, campaign="camp", subset=1, station="room-1",
                now_ns=4,
            )  # fmt: skip

        database.write_now(plan)
        yield CardRig(home, card, database)


@pytest.fixture
def card_rig(tmp_path):
    """Twelve x-rays, six in the subset that was shot."""
    yield from _home(tmp_path, 12)
