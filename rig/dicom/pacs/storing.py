"""Answering C-STORE: what C-GET brings over our own association, and C-MOVE over theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any

from rig.dicom.pacs.errors import BadInstance, PacsError
from rig.dicom.pacs.extras import package
from rig.dicom.pacs.pace import Pace

if TYPE_CHECKING:
    from pynetdicom.events import Event

Keep = Callable[[str, bytes], object]
"""Called as (SOP Instance UID, Part 10 file); raises PacsError."""

_TAKEN = 0x0000
_NO_ROOM = 0xA700
_NOT_IT = 0xA900
_UNWANTED = 0xC001


class Storing:
    """The answers to C-STORE requests, from any number of associations.

    Attributes:
        trouble: why nothing more can be kept; None while all is well.
        bad: why an instance that came was not kept; the last one.
        refused: how many were not kept.
    """

    def __init__(
        self,
        keep: Keep,
        pace: Pace,
        *,
        most: int,
        wanted: Container[str] | None = None,
        on_trouble: Callable[[], object] = lambda: None,
    ) -> None:
        """Hand what comes to *keep*, at *pace*, if it is in *wanted* (None: all).

        *most*: bytes of one instance; a peer that sends more is cut off before memory runs out.
        *on_trouble*: called when nothing more can be kept.
        """
        self._keep = keep
        self._pace = pace
        self._most = most
        self._wanted = wanted
        self._on_trouble = on_trouble
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}
        self.trouble: PacsError | None = None
        self.bad: BadInstance | None = None
        self.refused = 0

    def handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        """For pynetdicom."""
        evt = package("pynetdicom").evt
        return [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DATA_RECV, self._count),
            (evt.EVT_DIMSE_RECV, self._whole),
            (evt.EVT_CONN_CLOSE, self._whole),
        ]

    def watch(self, answers: Iterable[object]) -> None:
        """Read all *answers* of a request whose images come here.

        Raises:
            PacsError: an image cannot be kept: no room, or it is not what it should be.
        """
        try:
            for _ in answers:
                if self.trouble is not None:
                    raise self.trouble
        except PacsError as error:
            # The PACS may say first that it failed; why is ours to know.
            raise self.trouble or self.bad or error from None
        if trouble := self.trouble or self.bad:
            raise trouble

    def _store(self, event: Event) -> int:
        if self.trouble is not None:
            return _NO_ROOM
        sop = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        if self._wanted is not None and sop not in self._wanted:
            return self._refuse(_UNWANTED)
        # Waiting here holds the sender back: it has one instance on its way at a time.
        with self._lock:
            self._pace.wait()
        try:
            self._keep(sop, event.encoded_dataset())
        except BadInstance as error:
            self.bad = error
            return self._refuse(_NOT_IT)
        except PacsError as error:
            self.trouble = error
            self._on_trouble()
            return _NO_ROOM
        return _TAKEN

    def _refuse(self, status: int) -> int:
        with self._lock:
            self.refused += 1
        return status

    def _count(self, event: Event) -> None:
        who = id(event.assoc)
        size = self._sizes[who] = self._sizes.get(who, 0) + len(event.data)
        if size > self._most + (1 << 20):
            self._sizes.pop(who, None)
            self._refuse(_NOT_IT)
            self.bad = BadInstance(f"The PACS sent an instance of more than {self._most:,} bytes.")
            event.assoc.abort(block=False)

    def _whole(self, event: Event) -> None:
        self._sizes.pop(id(event.assoc), None)
