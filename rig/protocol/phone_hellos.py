"""Which HELLOs were heard before: a replay is not answered again and takes no place from a new one.

A display's every HELLO has a number of its own under the nonce of its handshake. Whoever recorded
some can play each of them once to a life of the phone, in the order in which they were said.
"""

from __future__ import annotations

from collections import OrderedDict

_NONCES = 1024
"""Handshakes that are told apart; those that were heard longest ago are forgotten."""


class Hellos:
    """Bounded memory of the newest HELLO of each handshake."""

    def __init__(self) -> None:
        self._newest: OrderedDict[bytes, int] = OrderedDict()

    def hear(self, nonce_d: bytes, pn: int) -> bool:
        """Whether this authentic HELLO is newer than all of its handshake so far."""
        if pn <= self._newest.get(nonce_d, -1):
            return False
        self._newest[nonce_d] = pn
        self._newest.move_to_end(nonce_d)
        if len(self._newest) > _NONCES:
            self._newest.popitem(last=False)
        return True
