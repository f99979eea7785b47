"""The pairing with the phone: one key per agent folder, and the URL that carries it.

The key that a phone is given is derived from the file `psk` and the number of the pairing: every
unpairing counts up, so that the phone before knows nothing that still opens anything. Number 0 is
the file as it is. What the controller said last stands beside it: an agent that is started again
while the controller is away must not fall back to a key that was voided.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import structlog

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.protocol.keys import PSK_SIZE, Pairing, hkdf

_log = structlog.get_logger()
_KEY = "psk"
_NUMBER = "psk.number"
_MOST = 2**53
"""The largest number that JSON readers agree on."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """Which of the folder's keys is in use.

    Attributes:
        told: the phone's generation as the controller said it last.
        key: number of the key; it only ever rises.
    """

    told: int = 0
    key: int = 0

    def after(self, told: int) -> Numbered:
        """What follows when the controller now says *told*.

        A lower number comes from a controller that was restored or is another one: it voids
        nothing, and a key once left is never taken up again.
        """
        return Numbered(told, max(self.key + 1, told) if told > self.told else self.key)


class PairingKeys:
    """The keys of one agent folder; both files are mode 0600.

    Args:
        folder: the agent's state folder.

    Raises:
        UserError: a file is there but damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._secret = pairing_key(folder)
        self._numbered = self._durable = self._read()

    @property
    def psk(self) -> bytes:
        """The 32 bytes that the present phone and this agent share."""
        return numbered_key(self._secret, self._numbered.key)

    def move_to(self, generation: object) -> bool:
        """Take up what the controller says, durably; whether the key is another one now.

        Raises:
            UserError: *generation* is no number from 0 up to 2^53.
        """
        if isinstance(generation, bool) or not isinstance(generation, int):
            raise UserError("the controller told no number for the phone's pairing; update it")
        if not 0 <= generation < _MOST:
            raise UserError(f"the controller told the impossible pairing number {generation}")
        before, self._numbered = self._numbered, self._numbered.after(generation)
        if self._numbered != self._durable:
            self._keep()
        return self._numbered.key != before.key

    def _keep(self) -> None:
        text = json.dumps({"told": self._numbered.told, "key": self._numbered.key})
        path = self._folder / _NUMBER
        try:
            write_atomic(path, text.encode() + b"\n", mode=PRIVATE)
        except OSError as error:
            # The key moves all the same: a full disk must not keep an unpaired phone in.
            _log.error(
                "the number of the pairing cannot be kept: after a restart without the controller "
                "the phone that was unpaired is let in again; free some disk",
                file=str(path),
                why=error.strerror,
            )
            return
        self._durable = self._numbered

    def _read(self) -> Numbered:
        path = self._folder / _NUMBER
        try:
            fields = json.loads(path.read_bytes())
            told, key = fields["told"], fields["key"]
            if type(told) is int and type(key) is int and 0 <= told < _MOST and 0 <= key < _MOST:
                return Numbered(told, key)
        except FileNotFoundError:
            return Numbered()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        raise UserError(f"{path} is damaged; delete it and psk beside it, and pair the phone again")


def numbered_key(secret: bytes, number: int) -> bytes:
    """Key *number* of the folder whose file holds *secret*: HKDF (RFC 5869), 0 is the file's."""
    return hkdf(secret, b"", b"xcap1 pairing %d" % number, PSK_SIZE) if number else secret


def pairing_key(folder: Path) -> bytes:
    """The 32-byte key kept in *folder*; made at the first call, so a pairing survives restarts.

    Raises:
        UserError: the file is there but damaged.
    """
    path = folder / _KEY
    if not path.exists():
        write_atomic(path, os.urandom(PSK_SIZE), mode=PRIVATE)
    key = path.read_bytes()
    if len(key) != PSK_SIZE:
        raise UserError(f"{path} is damaged; delete it and pair the phone again")
    return key


def new_key(folder: Path) -> None:
    """Void the pairing of *folder*: its key is now one that no phone knows.

    Raises:
        OSError: the folder cannot be written.
    """
    write_atomic(folder / _KEY, os.urandom(PSK_SIZE), mode=PRIVATE)
    (folder / _NUMBER).unlink(missing_ok=True)


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
