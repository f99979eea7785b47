"""A DICOM association that says in a sentence why it did not come about, or ended."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rig.dicom.pacs.encryption import trouble
from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.extras import package
from rig.dicom.pacs.model import DEFAULT_TITLE, Peer
from rig.dicom.pacs.status import PENDING, SUCCESS, WARNING, failure

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.presentation import PresentationContext

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_SERVICES = {
    VERIFICATION: "C-ECHO",
    STUDY_ROOT_FIND: "C-FIND in the Study Root model",
    STUDY_ROOT_MOVE: "C-MOVE in the Study Root model",
    STUDY_ROOT_GET: "C-GET in the Study Root model: try C-MOVE or DICOMweb",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """How we call.

    Attributes:
        title: our AE title.
        timeout: seconds that the PACS may take for each answer.
        tls: for DICOM over TLS (PS3.15 B.12); None: plain.
    """

    title: str = DEFAULT_TITLE
    timeout: float = 60.0
    tls: ssl.SSLContext | None = None


@contextmanager
def associated(
    peer: Peer,
    caller: Caller,
    contexts: Sequence[PresentationContext],
    *,
    roles: Sequence[Any] = (),
    handlers: Sequence[Any] = (),
) -> Iterator[Association]:
    """An association with *peer*, released at the end, aborted on an error.

    Args:
        peer: who is called.
        caller: who calls.
        contexts: presentation contexts to propose, at most 128; the first is indispensable.
        roles: role selections (C-GET).
        handlers: of pynetdicom's events.

    Raises:
        PacsError: nobody listens there, they refuse us, or none of *contexts* is accepted.
    """
    net = package("pynetdicom")
    entity = net.AE(ae_title=caller.title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = caller.timeout
    entity.connection_timeout = caller.timeout
    needed = str(contexts[0].abstract_syntax)
    opened: list[bool] = []
    made = entity.associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=peer.title,
        ext_neg=list(roles),
        tls_args=(caller.tls, peer.host) if caller.tls else None,
        evt_handlers=[(net.evt.EVT_CONN_OPEN, lambda _: opened.append(True)), *handlers],
    )
    if not made.is_established:
        _let_go(made)
        raise _refused(made, peer, caller, needed, connected=bool(opened))
    try:
        accepted = {str(one.abstract_syntax) for one in made.accepted_contexts}
        if needed not in accepted:
            raise PacsError(f"{peer} does not offer {_SERVICES.get(needed, 'that')}.")
        yield made
    except BaseException:
        if made.is_established:
            made.abort()
        raise
    if made.is_established:
        made.release()


def echo(peer: Peer, caller: Caller) -> None:
    """C-ECHO: does the PACS know us?

    Raises:
        PacsError: it does not, or is not there.
    """
    contexts = [package("pynetdicom").build_context(VERIFICATION)]
    with associated(peer, caller, contexts) as association:
        status = association.send_c_echo()
        if "Status" not in status:
            raise gone(peer, caller)
        if status.Status != 0:
            raise PacsError(f"{peer} answered the echo with status 0x{status.Status:04X}.")


def answers(
    peer: Peer, caller: Caller, request: str, send: Callable[[], Iterable[tuple[Any, Any]]]
) -> Iterator[tuple[int, Any]]:
    """Status and identifier of every answer to the *request* that *send* sends.

    Raises:
        PacsError: the PACS refuses, ends the association or falls silent.
    """
    last: int | None = None
    try:
        for status, identifier in send():
            if "Status" not in status:
                raise gone(peer, caller)
            last = int(status.Status)
            if last not in {SUCCESS, WARNING, *PENDING}:
                raise failure(peer, request, last, caller.title)
            yield last, identifier
    except (RuntimeError, ValueError, OSError) as error:
        # pynetdicom's words for an association that ended between two requests.
        raise gone(peer, caller) from error
    if last is None or last in PENDING:
        raise gone(peer, caller)


def gone(peer: Peer, caller: Caller) -> PacsError:
    """The association ended, or no answer came in time."""
    return PacsError(
        f"{peer} ended the association, or did not answer for {caller.timeout:g} s. Either it is "
        f"down or busy, or it does not allow this request from the AE title {caller.title}.",
        again=True,
    )


_REJECTED = {
    # PS3.8 9.3.4: (source, reason)
    (1, 2): "does not know the application context",
    (1, 3): "does not know our AE title {ours}: have it entered there with this machine's address",
    (1, 7): "is not called {theirs}: ask for its AE title",
    (2, 2): "speaks another version of the protocol",
    (3, 1): "is congested for the moment",
    (3, 2): "has reached its limit of associations",
}
_TRANSIENT = 2


def _let_go(made: Association) -> None:
    """Close the socket, which pynetdicom leaves open when it was never used."""
    if made.dul.socket is not None and made.dul.socket.socket is not None:
        made.dul.socket.socket.close()


def _refused(
    made: Association, peer: Peer, caller: Caller, needed: str, *, connected: bool
) -> PacsError:
    if made.is_rejected:
        answer: Any = made.acceptor.primitive
        why = _REJECTED.get((answer.result_source, answer.diagnostic), "gives no reason")
        told = why.format(ours=caller.title, theirs=peer.title)
        return PacsError(f"{peer} refuses us: it {told}.", again=answer.result == _TRANSIENT)
    if caller.tls is not None:
        of_tls = trouble(peer, caller.tls, caller.timeout)
        if of_tls is not None:
            return PacsError(of_tls)
    if not connected:
        return PacsError(
            f"Nobody answers at {peer.host}:{peer.port}{' over TLS' if caller.tls else ''}: is the "
            "PACS up, is the address right, do the firewalls let this machine through?",
            again=True,
        )
    if made.acceptor.primitive is not None and not made.accepted_contexts and made.is_aborted:
        return PacsError(f"{peer} does not offer {_SERVICES.get(needed, 'that')}.")
    return PacsError(
        f"{peer} broke off before the association was made, or did not answer for "
        f"{caller.timeout:g} s: it may not speak DICOM there, or not allow {caller.title}.",
        again=True,
    )
