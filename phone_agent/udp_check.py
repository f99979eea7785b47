"""Does the display answer over UDP? A KNOCK under the pairing's key, and a HELLO in return."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable

from rig.protocol.codes import MAX_DATAGRAM, MessageType
from rig.protocol.datagram import BadDatagram, Datagram, canonical, decode, encode
from rig.protocol.keys import Pairing, boot_key


def answers_udp(
    pairing: Pairing,
    *,
    tries: int = 4,
    every_s: float = 0.7,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether a display with this pairing answers at any of its addresses.

    A KNOCK is a hint (decision 4): it never disturbs a run, not even that of another phone.

    Args:
        pairing: key and addresses.
        tries: KNOCKs sent to each address.
        every_s: seconds between them, and after the last.
        clock: monotonic seconds.
    """
    key, boot = boot_key(pairing.psk), os.urandom(8).hex()
    addresses = _resolve(pairing.hosts)
    sockets = {family: socket.socket(family, socket.SOCK_DGRAM) for family, _ in addresses}
    try:
        for pn in range(1, tries + 1):
            payload = canonical({"boot_id": boot, "aborted": False})
            knock = encode(Datagram(MessageType.KNOCK, pn=pn, payload=payload), key)
            for family, address in addresses:
                _send(sockets[family], knock, address)
            if _hears(list(sockets.values()), key, clock() + every_s, clock):
                return True
        return False
    finally:
        for each in sockets.values():
            each.close()


def _resolve(hosts: tuple[tuple[str, int], ...]) -> list[tuple[int, object]]:
    found: list[tuple[int, object]] = []
    for host, port in hosts:
        try:
            each = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError:
            continue  # a name that nobody knows answers nothing
        found.append((each[0], each[4]))
    return found


def _send(sock: socket.socket, data: bytes, address: object) -> None:
    try:
        sock.sendto(data, address)  # type: ignore[call-overload]
    except OSError:
        return  # no route at the moment counts as no answer


def _hears(
    sockets: list[socket.socket], key: bytes, until: float, clock: Callable[[], float]
) -> bool:
    while sockets and (left := until - clock()) > 0:
        for sock in select.select(sockets, [], [], left)[0]:
            try:
                data = sock.recv(MAX_DATAGRAM + 1)
                if decode(data, key).type == MessageType.HELLO:
                    return True
            except (OSError, BadDatagram):
                continue  # an ICMP error or a stranger
    return False
