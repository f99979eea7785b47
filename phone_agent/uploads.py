"""The agent's uploads: which files of which session go to the controller, and when they may go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from phone_agent.controller import Controller
from phone_agent.manifest import ManifestPhoto
from phone_agent.release import Releases
from phone_agent.status import Status
from phone_agent.store import PhotoStore
from phone_agent.upload import Uploader
from phone_agent.upload_log import UploadLog
from phone_agent.upload_queue import UploadJob, UploadProgress, UploadQueue
from rig.protocol.ledger import Run, Shot

Mode = Literal["during", "batch"]
LOG = "uploads.jsonl"
CONNECTIONS = 2
"""Keep-alive connections: one waits for the controller's disk while the other one sends."""


class Uploads:
    """Hands committed photos and their sidecars to the upload threads; tells the terminal.

    Args:
        url: the controller.
        token: the phone's bearer token.
        folder: the agent's folder; its `uploads.jsonl` says what is confirmed.
        mode: while shooting, or when a subset is done.
        status: the terminal.
        show: hears in a few words how far the uploads are; "" when there is nothing to say.
    """

    def __init__(
        self,
        url: str,
        token: str,
        folder: Path,
        mode: Mode,
        status: Status,
        show: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._status = status
        self._show = show
        self._log = log = UploadLog(folder / LOG)
        self._ours: dict[str, dict[str, tuple[Path, bytes]]] = {}
        self._releases = Releases(Controller(url, token), log, self._on_release)
        self._queue = UploadQueue(
            [Uploader(url, token) for _ in range(CONNECTIONS)],
            log,
            mode=mode,
            on_progress=self._on_progress,
        )

    def start(self) -> None:
        """Begin to send."""
        self._queue.start()
        self._releases.start()

    def photo(self, session: str, store: PhotoStore, shot: Shot) -> None:
        """A committed photo, sidecar first: a photo that is there has its metadata there too."""
        sidecar = store.sidecar_path(shot.name)
        self._queue.put(UploadJob(session, sidecar, sidecar.name))
        if self._log.was_released(shot.name, shot.sha256):
            return  # it was confirmed before it was deleted
        self._queue.put(UploadJob(session, store.photo_path(shot.name), shot.name, shot.sha256))

    def finish(self, run: Run, store: PhotoStore) -> None:
        """The subset is complete: close its batch with the manifest."""
        shots = run.committed_shots()
        photos = [ManifestPhoto(s.name, s.sha256, s.size, s.index, s.attempt) for s in shots]
        self._ours[run.session] = {s.name: (store.photo_path(s.name), s.sha256) for s in shots}
        self._queue.finish(run.session, photos, len(photos), run.chain.hex())

    def wait(self) -> None:
        """Block until everything that may be sent is sent."""
        self._queue.wait()

    def retry_now(self) -> None:
        """The network is back: end all pauses."""
        self._queue.retry_now()

    def stop(self) -> None:
        """End the threads; what is not sent is sent after the next start."""
        self._queue.stop()
        self._releases.stop()

    def _on_progress(self, p: UploadProgress) -> None:
        if p.kind == "closed":
            self._show(f"batch {p.session} is complete at the controller")
            self._status.note("upload", f"batch {p.session} is complete at the controller")
            if p.session in self._ours:
                self._releases.closed(p.session, self._ours[p.session])
        elif p.kind == "confirmed":
            self._show(f"{p.done} of {p.total} files are at the controller")
        elif p.kind in ("waiting", "failed", "incomplete"):
            self._show(p.note)
            self._status.warning("upload", f"upload {p.kind}: {p.note}")

    def _on_release(self, trouble: bool, sentence: str) -> None:
        if trouble:
            self._status.warning("release", sentence)
        else:
            self._status.note("release", sentence)
