"""The agent's uploads: which files of which session go to the controller, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from phone_agent.manifest import ManifestPhoto
from phone_agent.status import Status
from phone_agent.store import PhotoStore
from phone_agent.upload import Uploader
from phone_agent.upload_log import UploadLog
from phone_agent.upload_queue import UploadJob, UploadProgress, UploadQueue
from rig.protocol.ledger import Run, Shot

Mode = Literal["during", "batch"]


class Uploads:
    """Hands committed photos and their sidecars to the upload thread; tells the terminal."""

    def __init__(self, url: str, token: str, folder: Path, mode: Mode, status: Status) -> None:
        self._status = status
        self._queue = UploadQueue(
            Uploader(url, token),
            UploadLog(folder / "uploads.jsonl"),
            mode=mode,
            on_progress=self._on_progress,
        )

    def start(self) -> None:
        """Begin to send."""
        self._queue.start()

    def photo(self, session: str, store: PhotoStore, shot: Shot) -> None:
        """A committed photo, sidecar first: a photo that is there has its metadata there too."""
        sidecar = store.sidecar_path(shot.name)
        self._queue.put(UploadJob(session, sidecar, sidecar.name))
        self._queue.put(UploadJob(session, store.photo_path(shot.name), shot.name, shot.sha256))

    def finish(self, run: Run) -> None:
        """The subset is complete: close its batch with the manifest."""
        photos = [
            ManifestPhoto(s.name, s.sha256, s.size, s.index, s.attempt)
            for s in run.committed_shots()
        ]
        self._queue.finish(run.session, photos, len(photos), run.chain.hex())

    def wait(self) -> None:
        """Block until everything that may be sent is sent."""
        self._queue.wait()

    def stop(self) -> None:
        """End the thread; what is not sent is sent after the next start."""
        self._queue.stop()

    def _on_progress(self, p: UploadProgress) -> None:
        if p.kind == "closed":
            self._status.note("upload", f"batch {p.session} is complete at the controller")
        elif p.kind in ("waiting", "failed", "incomplete"):
            self._status.warning("upload", f"upload {p.kind}: {p.note}")
