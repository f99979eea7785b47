"""Why a TLS connection to a PACS did not come about: the library that calls does not say it."""

from __future__ import annotations

import socket
import ssl

from rig.dicom.pacs.model import Peer

_OTHER_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_OUT_OF_DATE = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


def trouble(peer: Peer, context: ssl.SSLContext, timeout: float) -> str | None:
    """Shake hands once more, and say what is wrong with it; None when nothing is.

    Args:
        peer: who was called.
        context: with which.
        timeout: seconds for each step.
    """
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout)
    except OSError:
        return None  # nobody is there: that is no matter of TLS
    try:
        with plain, context.wrap_socket(plain, server_hostname=peer.host) as secure:
            return _answered(peer, secure)
    except ssl.SSLCertVerificationError as error:
        return _untrusted(peer, error)
    except (ssl.SSLError, OSError) as error:
        return _broken(peer, error)


def _answered(peer: Peer, secure: ssl.SSLSocket) -> str | None:
    # In TLS 1.3 a server that does not like our certificate says so after the handshake; one that
    # is content waits for us to speak.
    secure.settimeout(1.0)
    try:
        if secure.recv(1) == b"":
            return _ours(peer)
    except TimeoutError:
        return None
    except (ssl.SSLError, OSError) as error:
        return _broken(peer, error)
    return None


def _untrusted(peer: Peer, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_NAME:
        return (
            f"The certificate of {peer} is not for {peer.host}: call it by the name or address "
            "that stands in its certificate, or have one made for this."
        )
    if error.verify_code in _OUT_OF_DATE:
        return f"The certificate of {peer} is not valid today: are the clocks right on both sides?"
    return (
        f"The certificate of {peer} is not signed by an authority that we trust: give the "
        "certificate of its authority with --ca. (If that is the right one, somebody else answers "
        "there: send nothing.)"
    )


def _broken(peer: Peer, error: Exception) -> str:
    reason = getattr(error, "reason", None) or ""
    if "WRONG_VERSION" in reason or "UNKNOWN_PROTOCOL" in reason:
        return f"{peer} does not speak TLS there: leave out --tls, or ask for its TLS port."
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE_FAILURE" in reason:
        return _ours(peer)
    return f"{peer} broke off the TLS handshake: {reason or 'it says no more'}."


def _ours(peer: Peer) -> str:
    return (
        f"{peer} does not accept our certificate, or wants one: give one that is signed by an "
        "authority it trusts with --cert and --key."
    )
