"""Who knocked and is to be asked: one process life after the other, whatever addresses they use.

A KNOCK proves that the phone sent it once, not that it is there now: it can be recorded and sent
again from any address, a thousand times a second. What nobody can forge are its process life
(boot_id) and its packet number. So a number that is lower than the newest of its life is dropped,
a life waits with a few addresses only, and the life that was asked longest ago is asked next: a
flood of replays costs each of its lives one turn, and the real phone its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rig.protocol.actions import Addr

_LIVES = 64
"""Process lives of one pairing that are told apart."""
_ADDRESSES = 4
"""Where one KNOCK may come from: the phone's networks, and the replays that it is hidden among."""
_REPEATS = 8
"""HELLOs that nobody asked for by a KNOCK, until a phone proves to be where it is asked."""


@dataclass
class _Life:
    pn: int = -1
    copies: int = 0
    """Addresses from which the newest KNOCK came."""
    turn: int = 0
    """When it was asked last; 0: never."""
    waiting: list[Addr] = field(default_factory=list)


class Knocks:
    """Bounded memory of knocking process lives, fair among them."""

    def __init__(self) -> None:
        self.asked: Addr | None = None
        """Who was asked last and first because of a KNOCK, in the handshake under way."""
        self._lives: dict[bytes, _Life] = {}
        self._turns = 0
        self._repeats = _REPEATS

    def old(self, boot: bytes, pn: int) -> bool:
        """Whether a newer KNOCK of this life is known: then this one is late or a replay."""
        life = self._lives.get(boot)
        return life is not None and pn < life.pn

    def hear(self, boot: bytes, pn: int, addr: Addr) -> bool:
        """Note an authentic KNOCK; whether *addr* now waits for a HELLO."""
        life = self._lives.get(boot)
        if life is None:
            if len(self._lives) >= _LIVES:
                newest_first = reversed(self._lives)
                del self._lives[max(newest_first, key=lambda b: self._lives[b].turn)]
            life = self._lives[boot] = _Life()
        if pn < life.pn:
            return False
        if pn > life.pn:
            life.pn, life.copies = pn, 0
        if addr in life.waiting:
            return True
        if life.copies >= _ADDRESSES:
            return False
        # The first to bring the newest number goes before what is left of older ones.
        life.waiting.insert(life.copies, addr)
        del life.waiting[_ADDRESSES:]
        life.copies += 1
        return True

    def next(self) -> list[Addr]:
        """Where to ask the life whose turn it is. One HELLO for each KNOCK, never more."""
        life = self._soonest()
        if life is None:
            return []
        self._turns += 1
        life.turn = self._turns
        addresses, life.waiting = life.waiting, []
        self.asked = addresses[0]
        return addresses

    def repeat(self) -> Addr | None:
        """Who was asked last, while HELLOs to addresses that proved nothing are left."""
        if self.asked is None or not self._repeats:
            return None
        self._repeats -= 1
        return self.asked

    @property
    def soonest(self) -> Addr | None:
        """Who would be asked `next`, and first."""
        life = self._soonest()
        return life.waiting[0] if life else None

    def _soonest(self) -> _Life | None:
        waiting = [life for life in self._lives.values() if life.waiting]
        return min(waiting, key=lambda life: life.turn, default=None)

    def over(self, *, proved: bool) -> None:
        """The handshake is over; *proved*: a fresh READY showed that somebody is there."""
        self.asked = None
        for life in self._lives.values():
            life.waiting.clear()
        if proved:
            self._repeats = _REPEATS
