"""Turns what the protocol's core says into lines for the terminal and fields of the view."""

from __future__ import annotations

from pathlib import Path

from phone_agent.status import PhotoLine, Status
from phone_agent.view import View
from rig.protocol import actions as act
from rig.protocol.codes import code_name, is_pause
from rig.protocol.ledger import Run, ShotState


class Narrator:
    """Tells people; decides nothing.

    Args:
        status: the lines.
        view: what page, status line and controller show.
        photos: the folder of the final photos.
    """

    def __init__(self, status: Status, view: View, photos: Path) -> None:
        self._status = status
        self._view = view
        self._photos = photos

    def tell(self, event: act.Output, run: Run | None, link_ms: int | None) -> None:
        """One event; *run* is the subset that is armed, *link_ms* as in `Snapshot`."""
        if isinstance(event, act.TriggerCamera):
            self._view.update(state="exposing", link_ms=link_ms)
        elif isinstance(event, act.Armed):
            self._armed(event, run)
        elif isinstance(event, act.PhotoStored):
            photo = self._photos / event.name
            self._view.update(state="armed", photo=photo, name=event.name, last_error="")
            self._photo(event.index, event.name, "stored", run, link_ms)
        elif isinstance(event, act.ExposureFailed):
            self._failed(event, run, link_ms)
        elif isinstance(event, act.Aborted):
            self._aborted(event)
        elif isinstance(event, act.PeerLost):
            self._view.update(state="knocking", link_ms=None)
            self._status.note("closed", "the display was stopped; knocking until it is back")
        elif isinstance(event, act.Rearmed):
            self._view.update(abort="", last_error="")
            self._status.note("rearmed", f"re-armed by the operator: {event.abort_id.hex()}")
        elif isinstance(event, act.Completed):
            self._view.update(state="finished", count=event.count)
            self._status.completed(event.count, event.chain.hex())

    def recall(self, run: Run) -> None:
        """After a restart: the newest photo of *run*, until there is a newer one."""
        held = (ShotState.STORED, ShotState.COMMITTED)
        shots = [shot for shot in run.shots.values() if shot.state in held]
        if not shots or not (self._photos / shots[-1].name).is_file():
            return  # none was kept, or the operator let them go
        last = shots[-1]
        count, total = last.index - run.first + 1, run.last - run.first + 1
        photo = self._photos / last.name
        self._view.update(photo=photo, name=last.name, index=last.index, count=count, total=total)

    def _armed(self, event: act.Armed, run: Run | None) -> None:
        text = f"armed for subset {event.subset}: next {event.index}, last {event.last}"
        self._status.note("armed", text)
        first = run.first if run else event.index
        self._view.update(
            state="armed", total=event.last - first + 1, count=event.index - first, abort=""
        )

    def _failed(self, event: act.ExposureFailed, run: Run | None, link_ms: int | None) -> None:
        paused = is_pause(event.code)
        word = "paused" if paused else "retake"
        self._view.update(state="paused" if paused else "armed", last_error=event.why)
        self._photo(event.index, event.why, f"{word}: {code_name(event.code)}", run, link_ms)

    def _aborted(self, event: act.Aborted) -> None:
        detail = ""
        if event.expected is not None or event.got is not None:
            detail = f" (expected {event.expected}, got {event.got})"
        name, abort_id = code_name(event.code), event.abort_id.hex()
        self._view.update(
            state="aborted", abort=f"{name}: {event.why}{detail}  [abort id {abort_id}]"
        )
        self._status.aborted(name, event.why + detail, abort_id)

    def _photo(
        self, index: int, name: str, result: str, run: Run | None, link_ms: int | None
    ) -> None:
        if run is None:
            return
        count, total = index - run.first + 1, run.last - run.first + 1
        taken = count if result == "stored" else count - 1
        self._view.update(index=index, result=result, count=taken, total=total, link_ms=link_ms)
        link = "-" if link_ms is None else f"{link_ms} ms ago"
        battery = self._view.now.battery_pct
        self._status.photo(PhotoLine(index, count, total, name, result, link, battery))
