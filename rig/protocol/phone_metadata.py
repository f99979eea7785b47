"""The phone's side of metadata larger than a datagram (section 2): META_PART in, META_ACK out.

Parts are addressed by content, decide nothing and are journalled nowhere: a phone that lost them
answers NEED_META to the CAPTURE that rests on them, and gets them again.
"""

from __future__ import annotations

import hashlib
from abc import ABC
from collections.abc import Sequence
from dataclasses import replace

from rig.protocol.codes import Flag, MessageType
from rig.protocol.datagram import BadDatagram, Datagram
from rig.protocol.endpoint import Connection, Rng
from rig.protocol.journal import Record
from rig.protocol.metadata import Part, Shelf, encode_part, parse_part
from rig.protocol.phone_arming import PhoneArming
from rig.protocol.phone_base import PhoneConfig


class PhoneMetadata(PhoneArming, ABC):
    """Adds the shelf of metadata; `PhoneCore` adds exposures."""

    def __init__(self, cfg: PhoneConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._shelf = Shelf()

    def _on_meta_part(self, connection: Connection, d: Datagram, now: float) -> None:
        try:
            part = parse_part(d.payload)
        except BadDatagram:
            return  # it decides nothing, so it need not stop anything either
        code, wanted = self._shelf.put(part)
        reply = Datagram(
            MessageType.META_ACK,
            ack_pn=d.pn,
            code=code,
            digest=part.sha256[:8],
            payload=encode_part(Part(part.sha256, min(wanted, part.total), part.total)),
        )
        self._send(connection, reply, now)

    def _with_metadata(self, d: Datagram) -> Datagram | None:
        """CAPTURE *d* with its whole metadata as payload; None when the phone lacks some of it.

        Raises:
            BadDatagram: the metadata in it does not fit its digest.
        """
        if d.flags & Flag.META_EXT:
            if d.payload:
                raise BadDatagram("metadata inside a CAPTURE that says it was sent before")
            whole = self._shelf.whole(d.digest)
            return None if whole is None else replace(d, payload=whole)
        if hashlib.sha256(d.payload).digest()[:8] != d.digest:
            raise BadDatagram("the metadata does not fit its digest")
        return d
