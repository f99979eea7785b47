"""A home with sessions, received photos, sidecars and a secret, for the tests that copy homes."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

from rig.capture import campaigns, photos, projections, sessions, stations
from rig.capture.states import Request
from rig.catalog.model import Xray
from rig.planning.model import Environment
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database
from rig.store.events import Event
from rig.web.controller import read_secret

SESSION = "s" + "1" * 16


class MadeHome:
    """A home under *folder*; the database stays open like a controller's."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        self.path = folder
        self.database = Database.open(folder / "rig.db")
        folder.chmod(0o700)
        read_secret(folder)
        self.database.write_now(self._set_up)
        self.names = [self.shoot(i) for i in range(1, count + 1)]

    def _set_up(self, connection: Any) -> None:
        row = ("p", "Male", "50", "Frontal", "AP", *["1.0"] * 14)
        xrays = [
            Xray(
                i, f"patient{i:05d}/study1/view1_frontal", f"D/{i}.jpg", Path(f"/d/{i}.jpg"),
                f"{i:064x}", 30, 40, "train", row,
            )
            for i in range(1, 7)
        ]  # fmt: skip
        catalogs.save(connection, Catalog("c" * 16, "cat", "/a", "/d", "csv", 0, 6, [], 1), xrays)
        campaigns.create(
            connection, new_id="ca" * 8, name="camp", catalog="cat", device="nokia", now_ns=2,
            chosen=[Environment("e1", {"light": "on"})], size_min=6, size_max=6, seed=1,
        )  # fmt: skip
        stations.add(connection, "room-1", "token-1", 3)
        sessions.create(
            connection, new_id=SESSION, campaign="camp", subset=1, station="room-1", now_ns=10
        )
        sessions.request(connection, SESSION, Request.START, 11)
        self._seq = itertools.count(1)
        started = Event(
            "armed", 12, 12, "station:room-1", session=SESSION, source_seq=next(self._seq)
        )
        projections.record(connection, started)

    @property
    def incoming(self) -> Path:
        return self.path / "sessions" / SESSION / "incoming"

    def shoot(self, index: int, attempt: int = 1, size: int = 5000) -> str:
        """A photo and its sidecar arrive, durable before the database hears of them."""
        name = f"x1_{index:07d}_{attempt}.jpg"
        data = hashlib.sha256(name.encode()).digest() * (size // 32)
        self.incoming.mkdir(parents=True, exist_ok=True)
        for file, content in ((name, data), (name.replace(".jpg", ".json"), b"{}")):
            path = self.incoming / file
            path.write_bytes(content)
            path.chmod(0o600)
        self.database.write_now(
            lambda c: photos.received(
                c, SESSION, name=name, index=index, attempt=attempt, actor="phone:room-1",
                sha256=hashlib.sha256(data).hexdigest(), size=len(data), now_ns=20 + index,
            )
        )  # fmt: skip
        return name

    def tree(self) -> dict[str, bytes]:
        """Every file but the database's and the lock, by path."""
        skip = {"rig.db", "rig.db-wal", "rig.db-shm", "lock", "serve.json"}
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and path.name not in skip
        }

    def close(self) -> None:
        self.database.close()
