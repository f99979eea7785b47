"""What the demo does, step by step, through the same doors as any operator: HTTP and commands."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from rig.commands.processes import Programs
from rig.commands.progress import progress
from rig.errors import UserError

Told = Callable[[str], None]
_STATION = "monitor-1"
_CAMPAIGN = "demo"
_POLL = 0.1
_STILL = 60.0
"""Seconds without any progress after which the demo gives up and says where to look."""


class Demo:
    """One demo in one folder. `start`, then `capture_and_build`."""

    def __init__(
        self,
        programs: Programs,
        out: Path,
        *,
        optics: str,
        seed: int,
        tell: Told,
        quiet: bool = False,
    ) -> None:
        self._programs = programs
        self._out = out
        self._home = out / "home"
        self._optics = optics
        self._seed = seed
        self._tell = tell
        self._quiet = quiet
        self._seconds: dict[str, float] = {}
        self._subsets: list[dict[str, Any]] = []
        self.url = ""
        self._http = httpx.Client()

    def start(self, xrays: int, subsets: int) -> str:
        """Bring the rig up and plan the campaign; returns the one-time sign-in link."""
        with self._stage("start"):
            link = self._start_controller()
        with self._stage("catalog"):
            self._plan(xrays, subsets)
        with self._stage("pair"):
            self._start_agents()
        return link

    def capture_and_build(self) -> dict[str, Any]:
        """Shoot every subset, wait for the photos and their verdicts, build the dataset."""
        sessions = []
        for subset in self._subsets:
            with self._stage("capture"):
                sessions.append(self._shoot(subset))
        with self._stage("intake"):
            for session in sessions:
                self._await_intake(session)
        with self._stage("dataset"):
            built = self._build()
        return self._result(sessions, built)

    # -- the rig -----------------------------------------------------------------------------------

    def _start_controller(self) -> str:
        self._tell("starting the controller (rig serve)")
        controller = self._programs.start(
            "controller", "rig.cli", "serve", "--home", str(self._home), "--port", "0", "--json"
        )
        told = controller.expect("url", 30)
        self.url = told["url"]
        headers = {"Authorization": f"Bearer {told['token']}"}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)
        return str(told["sign_in"])

    def _plan(self, xrays: int, subsets: int) -> None:
        from rig.sample import csv_path, data_dir

        csv = self._out / "train.csv"
        lines = csv_path().read_text(encoding="utf-8").splitlines(keepends=True)
        csv.write_text("".join(lines[: xrays + 1]), encoding="utf-8")
        where = {"csv": str(csv), "data_dir": str(data_dir())}
        self._post("/api/catalogs", {"name": "sample", "order": "csv", **where})
        size = -(-xrays // subsets)
        campaign = self._post(
            "/api/campaigns",
            {
                "name": _CAMPAIGN, "catalog": "sample", "device": "loopback", "seed": self._seed,
                "size_min": max(1, xrays // subsets), "size_max": size,
            },
        )  # fmt: skip
        self._subsets = campaign["subsets"]
        for one in self._subsets:
            name = one["environment"]["name"]
            self._tell(f"subset {one['id']}: x-rays {one['first']}-{one['last']}, {name}")

    def _start_agents(self) -> None:
        token = self._out / "station.token"
        token.touch(mode=0o600)
        token.write_text(self._post("/api/stations", {"name": _STATION})["token"])
        pairing = self._out / "pairing.txt"
        self._tell("starting the display agent and the phone agent, and pairing them")
        display = self._programs.start(
            "display", "display_agent.cli", "connect", self.url, "--token", f"@{token}",
            "--screen", "null", "--listen", "127.0.0.1:0", "--frames", "127.0.0.1:0",
            "--optics", self._optics, "--seed", str(self._seed), "--pairing", str(pairing),
            "--state", str(self._out / "display"), "--json",
        )  # fmt: skip
        frames = display.expect("frames", 30)["frames"]
        self._until(pairing.exists, "the display agent wrote no pairing", lambda: None)
        phone = self._programs.start(
            "phone", "phone_agent.cli", "--pair", f"@{pairing}", "--dir", str(self._out / "phone"),
            "--camera", f"loopback:{frames}", "--upload", "--json",
        )  # fmt: skip
        phone.expect("event", 30)

    # -- the job -----------------------------------------------------------------------------------

    def _shoot(self, subset: dict[str, Any]) -> str:
        wanted = {"campaign": _CAMPAIGN, "subset": subset["id"], "station": _STATION}
        session = str(self._post("/api/sessions", wanted)["id"])
        self._post(f"/api/sessions/{session}/start", {"confirm": True, "name": "rig demo"})
        total = subset["last"] - subset["first"] + 1

        with progress(f"subset {subset['id']}", quiet=self._quiet) as advance:

            def ended() -> dict[str, Any] | None:
                now: dict[str, Any] = self._get(f"/api/sessions/{session}")
                advance(now["committed"], total)
                return (
                    now if now["state"] in ("completed", "stopped", "aborted", "paused") else None
                )

            seen = self._until(
                ended,
                f"subset {subset['id']} did not get on",
                lambda: self._get(f"/api/sessions/{session}")["seq"],
            )
        if seen["state"] != "completed":
            why = (seen.get("abort") or seen.get("paused") or {}).get("why", "no reason was told")
            raise UserError(f"subset {subset['id']} is {seen['state']}: {why}; see {self._out}")
        self._tell(f"subset {subset['id']}: {seen['committed']} of {total} committed")
        return session

    def _await_intake(self, session: str) -> None:
        def verdicts() -> list[dict[str, Any]]:
            photos = self._get(f"/api/sessions/{session}/photos")
            return [p for p in photos if p["verified"] is not None]

        total = self._get(f"/api/sessions/{session}")["committed"]
        self._until(
            lambda: len(verdicts()) >= total,
            f"the photos of session {session} did not all arrive and get a verdict",
            lambda: self._get(f"/api/sessions/{session}")["seq"],
        )
        good = sum(1 for p in verdicts() if p["verified"])
        self._tell(f"session {session}: {total} photos arrived, {good} show the right x-ray")

    def _build(self) -> dict[str, Any]:
        self._tell("building the dataset: natural, digital, photographic")
        command = [
            sys.executable, "-m", "rig.cli", "dataset", "build", _CAMPAIGN, "--json",
            "--home", str(self._home), "--out", str(self._out / "dataset"),
            "--synthetic", "digital,photographic", "--terms", str(_terms()),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise UserError(f"the dataset could not be built: {done.stderr.strip()}")
        built: dict[str, Any] = json.loads(done.stdout)
        return built

    def _result(self, sessions: list[str], built: dict[str, Any]) -> dict[str, Any]:
        captures, photos = [], []
        for session in sessions:
            captures += self._get(f"/api/sessions/{session}/captures")
            found = self._get(f"/api/sessions/{session}/photos")
            photos += [{"session": session, **photo} for photo in found]
        wanted = sum(s["last"] - s["first"] + 1 for s in self._subsets)
        return summarize(wanted, captures, photos, built, self._seconds)

    # -- doors -------------------------------------------------------------------------------------

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._answer(self._http.post(path, json=body))

    def _get(self, path: str) -> Any:
        return self._answer(self._http.get(path))

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_error:
            problem = response.json() if "json" in response.headers.get("content-type", "") else {}
            raise UserError(str(problem.get("detail") or f"the controller answered {response}"))
        return response.json()

    def _until(self, done: Callable[[], Any], sentence: str, progress: Callable[[], Any]) -> Any:
        """Poll *done*; give up when *progress* has not changed for a while."""
        last, since = progress(), time.monotonic()
        while not (found := done()):
            self._programs.require_alive()
            now = progress()
            if now != last:
                last, since = now, time.monotonic()
            if time.monotonic() - since > _STILL:
                raise UserError(f"{sentence} within {_STILL:g} s; see the logs in {self._out}")
            time.sleep(_POLL)
        return found

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - began


def _terms() -> Path:
    from rig.sample import data_dir

    return data_dir() / "LICENSES.md"


def summarize(
    wanted: int,
    captures: list[dict[str, Any]],
    photos: list[dict[str, Any]],
    built: dict[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The JSON of `rig demo`: what was wanted against what is there."""
    indices = [capture["index"] for capture in captures]
    return {
        "dataset": built["dataset"],
        "captured": len(indices),
        "verified": sum(1 for photo in photos if photo["verified"]),
        "rejected": [
            {key: photo[key] for key in ("session", "index", "name", "reason")}
            for photo in photos
            if not photo["verified"]
        ],
        "skipped": wanted - len(set(indices)),
        "duplicated": len(indices) - len(set(indices)),
        "synthetic": built["synthetic"],
        "seconds": {stage: round(value, 2) for stage, value in seconds.items()},
    }
