"""The pairing with the phone: one key per agent folder, and the URL that carries it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.protocol.keys import PSK_SIZE, Pairing


def pairing_key(folder: Path) -> bytes:
    """The 32-byte key kept in *folder*; made at the first call, so a pairing survives restarts.

    Raises:
        UserError: the file is there but damaged.
    """
    path = folder / "psk"
    if not path.exists():
        write_atomic(path, os.urandom(PSK_SIZE), mode=PRIVATE)
    key = path.read_bytes()
    if len(key) != PSK_SIZE:
        raise UserError(f"{path} is damaged; delete it and pair the phone again")
    return key


def reachable(host: str, port: int) -> tuple[tuple[str, int], ...]:
    """Addresses under which a phone reaches a socket bound to *host*."""
    if host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return ((host, port),)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing: it asks for the route to anywhere else.
            probe.connect(("192.0.2.1", 9))
            return ((probe.getsockname()[0], port),)
        except OSError:
            return (("127.0.0.1", port),)


def pairing_url(
    psk: bytes,
    hosts: tuple[tuple[str, int], ...],
    upload_url: str = "",
    upload_token: str = "",
    *,
    campaign: str = "",
) -> str:
    """The URL to show as a QR code or to paste; whoever reads it is the phone.

    *campaign* (16 hex digits) binds the pairing: such a phone serves no other campaign.
    """
    return Pairing(psk, hosts, campaign, upload_url, upload_token).url()
