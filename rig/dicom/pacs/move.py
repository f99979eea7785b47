"""C-MOVE: the PACS is asked to store the images to our own receiver."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from functools import partial

from rig.dicom.pacs.association import STUDY_ROOT_MOVE, Caller, answers, associated
from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.extras import package
from rig.dicom.pacs.find import Told
from rig.dicom.pacs.get import find_images, queries
from rig.dicom.pacs.model import Instance, Peer, Wanted
from rig.dicom.pacs.pace import Pace
from rig.dicom.pacs.receiver import Receiver
from rig.dicom.pacs.storing import Keep, Storing


class MoveSource:
    """Pulls from *peer* by C-FIND and C-MOVE; the receiver listens while a request runs."""

    def __init__(
        self,
        peer: Peer,
        caller: Caller,
        pace: Pace,
        *,
        most: int,
        listen: tuple[str, int],
        senders: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Ask *peer* to send to us at *listen*, which it must know under our AE title.

        Args:
            peer: the PACS.
            caller: our AE title, which is the destination as well.
            pace: how fast images are taken.
            most: bytes of one instance.
            listen: host and port of our receiver.
            senders: AE titles that may store to us, when they are others than the PACS's own.
            tls: of our receiver.
        """
        self._peer = peer
        self._caller = caller
        self._pace = pace
        self._most = most
        self._listen = listen
        self._tls = tls
        self._senders = (peer.title, *senders)

    def find(self, wanted: Wanted, told: Told | None = None) -> Iterator[list[Instance]]:
        """The images that pass *wanted*, series by series; raises PacsError."""
        yield from find_images(self._peer, self._caller, wanted, told)

    def fetch(self, wanted: Sequence[Instance], keep: Keep) -> None:
        """Have *wanted* sent; what comes goes to *keep*.

        Raises:
            PacsError: the PACS refuses, is gone or does not reach us, or *keep* cannot.
        """
        storing = Storing(keep, self._pace, most=self._most, wanted={one.sop for one in wanted})
        contexts = [package("pynetdicom").build_context(STUDY_ROOT_MOVE)]
        title = self._caller.title
        with (
            Receiver(title, self._listen, self._senders, storing, tls=self._tls),
            associated(self._peer, self._caller, contexts) as association,
        ):
            for query in queries(wanted):
                send = partial(association.send_c_move, query, title, STUDY_ROOT_MOVE)
                storing.watch(self._explained(answers(self._peer, self._caller, "C-MOVE", send)))

    def _explained(self, told: Iterator[tuple[int, object]]) -> Iterator[tuple[int, object]]:
        """The PACS says only that it cannot: mostly it does not reach us."""
        try:
            yield from told
        except PacsError as error:
            if not error.some:
                raise
            host, port = self._listen
            raise PacsError(
                f"{error} Can it reach our receiver at {host}:{port}, and is that the address "
                f"which it has for {self._caller.title}?",
                again=error.again,
                some=True,
            ) from None

    def close(self) -> None:
        """Nothing is held open between requests."""
