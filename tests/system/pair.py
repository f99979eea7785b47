"""A display agent with a plan of its own, and a phone agent; no controller."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.relay import FAIR, Relay, Weather
from rig.catalog.chexpert import import_csv
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan, to_json
from rig.protocol.journal import Record, parse_journal
from rig.protocol.keys import Pairing, parse_pairing
from rig.sample import csv_path, data_dir

HOME = "127.0.0.1"


def plan_of(count: int, *, subset: int = 1, settle_ms: int = 0) -> SubsetPlan:
    """The first *count* bundled x-rays."""
    xrays = import_csv(csv_path(), data_dir()).xrays[:count]
    items = tuple(PlanItem(x.index, x.key, x.sha256, x.width, x.height, str(x.file)) for x in xrays)
    return SubsetPlan(
        session="s" + f"{subset:016d}", campaign="c", campaign_id="a" * 16, subset=subset, first=1,
        last=count, device="nokia", environment=Environment("e01-dark", {"room": "dark"}),
        items=items, settle_ms=settle_ms,
    )  # fmt: skip


class Pair:
    """One run of one plan by two real processes, with or without a relay between them.

    Args:
        folder: of this run; made if it is not there.
        tools: the helpers of this test folder.
        hosts: (address of the display, of its frames); frames that are not on
            loopback ask for the token ``t``.
        prefixes: words before the display's and the phone's command, such as ``ip netns exec``.
        after: an earlier run; its pairing and its phone serve again.
        plan: how `plan_of` makes the plan.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        tools: dict[str, Any],
        *,
        hosts: tuple[str, str] = (HOME, HOME),
        prefixes: tuple[Sequence[str], Sequence[str]] = ((), ()),
        after: Pair | None = None,
        **plan: int,
    ) -> None:
        self.folder, self.tools, self.count = folder, tools, count
        folder.mkdir(exist_ok=True)
        self.plan = folder / "plan.json"
        self.plan.write_text(json.dumps(to_json(plan_of(count, **plan))))
        self.journal, self.pairing = folder / "journal", folder / "pair.txt"
        self.phone_dir = after.phone_dir if after else folder / "phone"
        if after is not None:
            self.journal.mkdir()
            shutil.copy(after.journal / "psk", self.journal / "psk")
        self.address = (hosts[0], tools["free_port"](2))
        frames = f"{hosts[1]}:{tools['free_port'](1)}"
        token = [] if hosts[1] == HOME else ["--frames-token", "t"]
        self.display_words = [
            "run", str(self.plan), "--pairing", str(self.pairing), "--frames", frames, *token,
            "--listen", f"{self.address[0]}:{self.address[1]}",
            "--journal", str(self.journal), "--screen", "null", "--json",
        ]  # fmt: skip
        self._prefixes = prefixes
        self.display = self._display()
        self.frames = f"http://{frames}/frame.jpg"
        self.photograph(self.frames)
        self.relay: Relay | None = None

    def _display(self, *more: str) -> Any:
        words = [*self.display_words, *more]
        return self.tools["Process"](
            "display", "display_agent.cli", words, self.folder, self._prefixes[0]
        )

    def photograph(self, url: str) -> None:
        """Let the phone's camera fetch *url*, not the display's own frames; before `start`."""
        words = [
            "--pair", f"@{self.folder / 'phone.txt'}", "--dir", str(self.phone_dir),
            "--camera", f"loopback:{url}", "--json",
        ]  # fmt: skip
        self.phone = self.tools["Process"](
            "phone", "phone_agent.cli", words, self.folder, self._prefixes[1]
        )

    def through(self, weather: Weather = FAIR, *, keep: bool = False) -> Relay:
        """Put a relay between the two; before `start`."""
        self.relay = Relay(self.address, weather, keep=keep)
        self.relay.__enter__()
        return self.relay

    def start(self, *, display: str = "", phone: str = "") -> None:
        """Start both; the words are failpoints."""
        self.display.start(XCAP_FAILPOINT=display)
        self.tools["until"](self.pairing.exists, "no pairing file")
        self.pair()
        self.phone.start(XCAP_FAILPOINT=phone)

    def pair(self) -> Pairing:
        """Give the phone its pairing: the display's, with the relay's address if there is one."""
        pairing = parse_pairing(self.pairing.read_text())
        if self.relay is not None:
            pairing = replace(pairing, hosts=(self.relay.address,))
        (self.folder / "phone.txt").write_text(pairing.url())
        return pairing

    def rearm(self, abort_id: str, failpoint: str = "") -> None:
        """Start the display agent again with an operator's re-arm."""
        self.display = self._display("--rearm", abort_id)
        self.display.start(XCAP_FAILPOINT=failpoint)

    def resume_display(self, failpoint: str = "") -> None:
        """Start the display agent again, without the words of a re-arm."""
        self.display = self._display()
        self.display.start(XCAP_FAILPOINT=failpoint)

    def await_death(self, process: Any) -> None:
        """Wait until a failpoint has killed *process*."""
        status = process.wait()
        assert status == -signal.SIGKILL, f"ended with {status}: {self.tail()}"

    def complete(self, seconds: float = 60.0) -> None:
        """Wait until the display agent is done, and audit what it left."""
        status = self.display.wait(seconds)
        assert status == 0, f"ended with {status}: {self.tail()}"
        self.audit()

    def tail(self) -> str:
        """The last words of both, for a failure."""
        logs = (p.log for p in (self.display, self.phone))
        return "\n".join(log.read_text(errors="replace")[-1500:] for log in logs)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What the display told, only *kinds* if there are any."""
        return [e for e in self.display.lines() if not kinds or e.get("event") in kinds]

    def shot(self) -> list[str]:
        """Names of the photos that lie in the phone's folder."""
        return sorted(p.name for p in (self.phone_dir / "photos").glob("*.jpg"))

    def records(self, *kinds: str) -> list[Record]:
        """The display's journal, only *kinds*."""
        return _records(self.journal / "journal", kinds)

    def phone_records(self, *kinds: str) -> list[Record]:
        """The phone's journal, only *kinds*."""
        return _records(self.phone_dir / "journal", kinds)

    def audit(self) -> None:
        """One decided photo for each index in both books and in the folder; its pixels are right.

        A phone that served an earlier run is asked for that run's photos too.
        """
        whole = list(range(1, self.count + 1))
        committed = self.events("committed")
        assert [e["index"] for e in committed] == whole
        done = [(r["i"], r["a"], r["name"]) for r in self.records("DONE")]
        assert done == [(e["index"], e["attempt"], e["name"]) for e in committed]
        decided = [(r["i"], r["a"]) for r in self.phone_records("COMMIT")]
        assert decided[-self.count :] == [(i, a) for i, a, _ in done], "the books differ"
        names = {int(str(i)): str(name) for i, _, name in done}
        self.tools["audit_pixels"](self.phone_dir / "photos", names)
        assert len(self.shot()) == len(decided), "a photo that nobody decided lies among the photos"
        assert set(names.values()) <= set(self.shot())
        sidecars = {p.stem for p in (self.phone_dir / "photos").glob("*.json")}
        assert sidecars == {Path(name).stem for name in self.shot()}

    def close(self) -> None:
        """End all of it."""
        self.phone.end()
        self.display.end()
        if self.relay is not None:
            self.relay.__exit__(None, None, None)
            self.relay = None


def _records(journal: Path, kinds: Sequence[str]) -> list[Record]:
    records, _ = parse_journal(journal.read_bytes())
    return [r for r in records if not kinds or r["k"] in kinds]
