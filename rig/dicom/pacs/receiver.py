"""Our own C-STORE SCP: takes images from the AE titles it is told, refuses everybody else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rig.dicom.pacs.association import VERIFICATION
from rig.dicom.pacs.contexts import SYNTAXES
from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.extras import package
from rig.dicom.pacs.storing import Storing

if TYPE_CHECKING:
    from pynetdicom.events import Event

ASSOCIATIONS = 8
IDLE = 300.0
"""Seconds that a peer may be silent."""
_SILENT = "Sta2"
"""State of a caller who has connected and said nothing yet (PS3.8 9.2.1)."""
_PATIENCE = 5.0


class _Later:
    """A TLS context whose handshake happens in the association's own thread.

    pynetdicom wraps in its accept loop: a caller who says nothing would keep everybody out.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, plain: socket.socket, *, server_side: bool) -> ssl.SSLSocket:
        return self._context.wrap_socket(
            plain, server_side=server_side, do_handshake_on_connect=False
        )


class Receiver:
    """Listens while the block runs.

    Attributes:
        port: where it listens (the one given, or the one the system chose for 0).
        turned_away: associations refused because of their AE titles.
    """

    def __init__(
        self,
        title: str,
        address: tuple[str, int],
        allowed: Sequence[str],
        storing: Storing,
        *,
        tls: ssl.SSLContext | None = None,
        on_refusal: Callable[[str], None] | None = None,
    ) -> None:
        """Listen at *address*, by default loopback, as *title*.

        Args:
            title: what callers must call us.
            address: host and port.
            allowed: AE titles of callers; not empty.
            storing: what is done with the images.
            tls: for DICOM over TLS.
            on_refusal: called with the AE title of everybody who is refused.
        """
        if not allowed:
            raise PacsError("Nobody may send: name at least one AE title with --allow.")
        self._title = title
        self._address = address
        self._allowed = list(allowed)
        self._storing = storing
        self._tls = tls
        self._on_refusal = on_refusal
        self._entity: Any = None
        self.turned_away = 0
        self.port = address[1]

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            PacsError: the address is taken, or not ours.
        """
        net = package("pynetdicom")
        self._entity = entity = net.AE(ae_title=self._title)
        entity.require_called_aet = True
        entity.require_calling_aet = self._allowed
        entity.maximum_associations = ASSOCIATIONS
        entity.network_timeout = entity.dimse_timeout = IDLE
        entity.add_supported_context(VERIFICATION)
        for context in net.AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, list(SYNTAXES))
        try:
            server = entity.start_server(
                self._address,
                block=False,
                ssl_context=_Later(self._tls) if self._tls else None,
                evt_handlers=[*self._storing.handlers(), (net.evt.EVT_REJECTED, self._refused)],
            )
        except (OSError, OverflowError) as error:
            where = f"{self._address[0]}:{self._address[1]}"
            raise PacsError(
                f"{where} cannot be listened on ({error}): is another receiver running, and is "
                "the address this machine's? Choose another with --listen."
            ) from error
        self.port = server.server_address[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # With whatever is still connected: nobody may store into a quarantine that is closed.
        for one in self._entity.active_associations:
            if one.dul.state_machine.current_state == _SILENT:
                # pynetdicom's thread for it would end with a traceback when it is aborted.
                one.dul.kill_dul()
                one.dul.join(_PATIENCE)
        self._entity.shutdown()

    def _refused(self, event: Event) -> None:
        self.turned_away += 1
        if self._on_refusal is not None:
            self._on_refusal(str(event.assoc.requestor.ae_title))
