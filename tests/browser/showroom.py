"""A rig with something on every page: what the tests that look at all pages look at.

The photos of one batch and those taken by hand are put in by the real commands; everything else is
asked of the real controller, which a real display agent and a real phone agent serve.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from PIL import Image, ImageFilter

from rig.capture import campaigns, projections, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent
from rig.catalog.model import Xray
from rig.dicom import reviews
from rig.dicom.doubts import Decision, Doubt
from rig.dicom.header import Header
from rig.dicom.reviews import Held
from rig.dicom.screening import BURNED_IN, verdict_of
from rig.dicom.text import find_text
from rig.intake.manual import Left, Showing
from rig.planning.scheme import load_scheme
from rig.protocol.names import PhotoName, encode_name
from rig.sample import csv_path, data_dir
from rig.simulation.optics import photograph
from rig.store import catalogs, events
from rig.store.database import Database
from rig.web import uploads

BATCH, PILOT, EVENING, HAND = "s" + "b4" * 8, "c1" * 8, "c2" * 8, "c3" * 8
SUBSET = 12
S = 1_000_000_000
SETTLE_MS = 4500
"""Between paint and photo of the session that is watched: slow enough to look at every page."""
PATIENCE_S = 240.0


def until(condition: Callable[[], Any], sentence: str) -> Any:
    """Poll real processes: they have their own clocks, so this one is the wall's."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, sentence
        time.sleep(0.2)
    return found


class Showroom:
    """*rig*: programs in one folder, of path_tools."""

    def __init__(self, rig: Any) -> None:
        self.rig, self.home = rig, rig.folder / "home"
        self.hands = rig.folder / "by-hand"
        self.display: Any = None

    def furnish(self) -> None:
        """Everything that is there before the controller is started."""
        self.home.mkdir()
        self.hands.mkdir()
        card = self.rig.folder / "card"
        card.mkdir()
        with Database.open(self.home / "rig.db") as database:
            xrays = imported(database, self.home)
            planned(database)
            shot(database, xrays, card)
        by_hand(self.hands, xrays)
        held(self.home, xrays)
        self.command("batch", "import", BATCH, str(card))
        self.command("manual", "import", str(self.hands / "phone"), "--log",
                     str(self.hands / "shown.jsonl"), "--campaign", "by-hand", "--device",
                     "iphone", "--workers", "1")  # fmt: skip

    def command(self, *words: str) -> None:
        """A command of the rig on this home; doubtful photos are no failure here."""
        line = [sys.executable, "-m", "rig.cli", *words, "--home", str(self.home), "--json"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stderr

    def open(self) -> None:
        """Start controller, display and phone; wait until both are there."""
        self.rig.serve()
        token = self.rig.controller.said("sign_in")["token"]
        self.http = httpx.Client(
            base_url=self.rig.url, headers={"Authorization": f"Bearer {token}"}, timeout=60,
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0),
        )  # fmt: skip
        station = self.post("/api/stations/room-1/renew")["token"]
        folder = self.rig.folder
        (folder / "token").write_text(station)
        self.display = self.rig.run(
            "display", "display_agent.cli", "connect", self.rig.url, "--token",
            f"@{folder / 'token'}", "--screen", "null", "--listen", "127.0.0.1:0", "--frames",
            "127.0.0.1:0", "--state", str(folder / "display"), "--json",
        )  # fmt: skip
        frames = self.display.said("frames")["frames"]
        code = self.post("/api/stations/room-1/codes")["code"]
        self.rig.run(
            "phone", "phone_agent.cli", self.rig.url, code, "--dir", str(folder / "phone"),
            "--camera", f"loopback:{frames}", "--upload", "during", "--json",
        )  # fmt: skip
        until(lambda: self.get("/api/stations")[0].get("paired"), "the phone does not come")

    def watched(self) -> str:
        """A session that is made and not prepared."""
        told = {"campaign": "evening", "subset": 1, "station": "room-1"}
        return str(self.post("/api/sessions", **told)["id"])

    def built(self) -> None:
        """A dataset of the batch, and figures of synthesis beside it."""
        job = self.post("/api/campaigns/pilot/dataset", synthetic=["digital", "photographic"])
        self.done(job["job"])

    def failed(self) -> str:
        """A job that goes wrong, with a sentence that says why; its id."""
        gone = self.rig.folder / "train.csv"
        wanted = {"name": "spring", "csv": str(gone), "data_dir": str(self.rig.folder)}
        job = str(self.post("/api/jobs", kind="import", wanted=wanted)["id"])
        until(lambda: self.get(f"/api/jobs/{job}")["state"] not in {"queued", "running"}, "no end")
        return job

    def done(self, job: str) -> None:
        until(lambda: self.get(f"/api/jobs/{job}")["state"] == "done", "the job does not end")

    def finish(self, session: str) -> None:
        """Resume *session* as often as it asks for that, until it is completed."""
        at = f"/api/sessions/{session}"

        def over() -> bool:
            now = self.get(at)
            if "resume" in now["may"] and not now["requested"]:
                self.http.post(f"{at}/resume", json={})
            return bool(now["state"] == "completed")

        until(over, "the session does not end")

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body, headers={"X-Operator": "Anna"})
        assert answer.is_success, answer.text
        return answer.json()


def imported(database: Database, home: Path) -> tuple[Xray, ...]:
    """The sample, as a browser would have sent it."""
    upload = uploads.begin(home)
    folder = uploads.place(home, upload) / uploads.FILES
    shutil.copy(csv_path(), folder / "train.csv")
    with csv_path().open(newline="") as handle:
        paths = [row[0] for row in csv.reader(handle)][1:]
    for path in paths:
        file = data_dir() / path
        file = file if file.exists() else data_dir() / path.split("/", 1)[1]
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / path)
    uploads.keep(home, upload)
    import_catalog(
        database, new_id="c" * 16, name="chest", csv=folder / "train.csv", data_dir=folder,
        order="csv", seed=0, skip_bad=False, now_ns=time.time_ns(), actor="operator:Anna",
    )  # fmt: skip
    return database.query(lambda c: tuple(catalogs.xrays(c, "c" * 16)))


def planned(database: Database) -> None:
    """Two stations and three campaigns; the one that is watched takes its time."""
    now = time.time_ns()

    def plan(connection: Any) -> None:
        plans = ((PILOT, "pilot", "nokia", 150), (EVENING, "evening", "pixel", SETTLE_MS),
                 (HAND, "by-hand", "iphone", 150))  # fmt: skip
        for new_id, name, device, settle in plans:
            campaigns.create(
                connection, new_id=new_id, name=name, catalog="chest", device=device,
                scheme=load_scheme(), size_min=SUBSET, size_max=SUBSET, seed=4, settle_ms=settle,
                now_ns=now,
            )  # fmt: skip
            body = {"name": name, "subsets": 4}
            told = events.Event("campaign_created", now, now, "operator:Anna", body=body)
            projections.record(connection, told)
        for name in ("room-1", "room-2"):
            stations.add(connection, name, f"token of {name}", now)
        sessions.create(connection, new_id=BATCH, campaign="pilot", subset=1, station="room-2",
                        now_ns=now)  # fmt: skip

    database.write_now(plan)


def shot(database: Database, xrays: tuple[Xray, ...], card: Path) -> None:
    """A batch: 2 shows another x-ray, 5 is blurred, 7 did not come back from the phone."""
    shows = {at: at for at in range(1, SUBSET + 1)} | {2: 9}
    told = [
        committed(at, xrays[at - 1], photo_of(xrays[of - 1].file, at, 9 if at == 5 else 0), card)
        for at, of in shows.items()
    ]
    end = AgentEvent(event="completed", session=BATCH, seq=SUBSET + 1, time_ns=time.time_ns(),
                     count=SUBSET, chain="ab" * 16)  # fmt: skip
    all_of_it = [*told, end]
    database.write_now(lambda c: sessions.ingest(c, "room-2", all_of_it, time.time_ns()))
    (card / str(told[6].name)).unlink()


def committed(index: int, xray: Xray, data: bytes, card: Path) -> AgentEvent:
    """A photo that the phone wrote, on the card."""
    digest = hashlib.sha256(data).hexdigest()
    name = encode_name(PhotoName(PILOT, 1, index, 1, "e1", xray.key, "0" * 16, digest[:16]))
    (card / name).write_bytes(data)
    now = time.time_ns() - (SUBSET - index) * 3 * S
    return AgentEvent(
        event="committed", session=BATCH, seq=index, time_ns=now, index=index, attempt=1,
        sha256=digest, size=len(data), name=name, t_trigger_ns=now - S, t_done_ns=now,
        rtt_ms=8.0 + index % 4, source_sha256=xray.sha256,
    )  # fmt: skip


def photo_of(xray: Path, seed: int, blur: float = 0.0) -> bytes:
    """What a phone makes of a monitor that shows *xray*."""
    frame = Image.new("L", (1280, 720))
    with Image.open(xray) as image:
        shown = image.convert("L")
    scale = min(1280 / shown.width, 720 / shown.height)
    shown = shown.resize((round(shown.width * scale), round(shown.height * scale)))
    frame.paste(shown, ((1280 - shown.width) // 2, (720 - shown.height) // 2))
    seen = photograph(frame, "easy", np.random.default_rng(seed), tripod=np.random.default_rng(1))
    out = io.BytesIO()
    seen.filter(ImageFilter.GaussianBlur(blur)).save(out, "JPEG", quality=90)
    return out.getvalue()


def by_hand(folder: Path, xrays: tuple[Xray, ...]) -> None:
    """Three x-rays shown by hand: one photo is sharp, one blurred, one shows another x-ray."""
    photos = (
        photo_of(xrays[5].file, 21), photo_of(xrays[6].file, 22, blur=14),
        photo_of(xrays[30].file, 23),
    )  # fmt: skip
    shown_by_hand(folder, xrays, photos)


def shown_by_hand(folder: Path, xrays: tuple[Xray, ...], photos: tuple[bytes, ...]) -> None:
    """The list of x-rays 6 to 8, shown one after the other, and what a phone took of them."""
    phone = folder / "phone"
    phone.mkdir()
    lines = [
        Showing(
            showing=at, set=1, position=at, index=one.index, attempt=1, key=one.key,
            sha256=one.sha256, marker=(), from_ns=at * 10 * S, to_ns=at * 10 * S + 9 * S,
            left=Left.NEXT,
        ).line()
        for at, one in enumerate(xrays[5:8], 1)
    ]  # fmt: skip
    (folder / "shown.jsonl").write_bytes(b"".join(lines))
    for number, data in enumerate(photos, 461):
        (phone / f"IMG_0{number}.jpg").write_bytes(data)


def held(home: Path, xrays: tuple[Xray, ...]) -> None:
    """An import of DICOM files that holds three images back: two with letters, one odd."""
    header = Header(
        modality="DX", body_part="CHEST", view="AP", age="057Y", age_days=57 * 365, sex="F",
        rows=400, columns=400, bits_stored=12, photometric="MONOCHROME2", burned_in="", syntax="",
        presentation="FOR PRESENTATION", windowed=True, pixel_spacing_mm=None, lossy=False,
    )  # fmt: skip
    odd = Doubt("classifier", "The classifier gives 0.41 to its being no frontal chest film.",
                Decision.REVIEW, 0.41)  # fmt: skip
    chosen = ((22, ("PORTABLE 14:05",)), (26, ("SUPINE", "BED 12")), (23, ()))
    for number, (xray, words) in enumerate(chosen):
        picture = cv2.imread(str(xrays[xray].file), cv2.IMREAD_GRAYSCALE)
        for line, text in enumerate(words):
            at = (18, 34 + 40 * line)
            cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 245, 1, cv2.LINE_AA)
        height, width = picture.shape
        boxes = find_text(picture)
        assert bool(boxes) == bool(words), "letters are found where letters are"
        sentence = f"Text seems to be burned into {len(boxes)} places of the picture."
        text_doubt = Doubt(BURNED_IN, sentence, Decision.REVIEW, float(len(boxes)))
        verdict = verdict_of((text_doubt,) if words else (odd,), boxes)
        image_id = hashlib.sha256(bytes([number])).hexdigest()[:32]
        one = Held(image_id, f"patient{number + 1:05}", "train", width, height, header, verdict)
        png = cv2.imencode(".png", picture)[1].tobytes()
        reviews.hold(home / "catalogs" / "ward", one, png)
