"""The display's side of metadata larger than a datagram (section 2): META_PART until it is whole.

Stop-and-wait, one part at a time, beside whatever else is asked: the next x-ray's metadata crosses
while the photo of this one is taken. What has arrived is remembered for one connection only; the
phone keeps it longer and then says so in its first answer.
"""

from __future__ import annotations

import hashlib
from abc import ABC
from collections.abc import Sequence

from rig.protocol.actions import LocalProtocolError
from rig.protocol.codes import META_MAX, Code, MessageType
from rig.protocol.datagram import MAX_PAYLOAD, Datagram, Scalar
from rig.protocol.display_base import DisplayConfig, Exposure, Phase
from rig.protocol.display_link import DisplayLink
from rig.protocol.display_messages import capture
from rig.protocol.endpoint import Outstanding, Rng
from rig.protocol.journal import Record
from rig.protocol.metadata import cut, encode_part, parse_part


class DisplayMetadata(DisplayLink, ABC):
    """Adds the metadata under way; `DisplayCore` adds captures."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        for index, metadata in enumerate(cfg.subset.metadata, start=cfg.subset.first):
            if len(metadata) > META_MAX:
                raise LocalProtocolError(
                    f"META_TOO_BIG: x-ray {index} has {len(metadata)} bytes of metadata, at most "
                    f"{META_MAX} can be sent"
                )
        self._delivered: set[int] = set()
        self._delivering: int | None = None
        self._part: Outstanding | None = None
        self._on_timer["meta"] = self._send_part

    def _connected(self, info: dict[str, Scalar], now: float) -> None:
        self._delivered.clear()
        self._delivering = self._part = None
        self._cancel("meta")
        super()._connected(info, now)

    def _large(self, index: int) -> bool:
        """Whether the metadata of *index* goes by META_PART."""
        return len(self._subset.meta(index)) > MAX_PAYLOAD

    def _deliver(self, index: int, now: float) -> bool:
        """Whether the phone has the metadata of *index*; if not, it is being brought there."""
        if index > self._subset.last or not self._large(index) or index in self._delivered:
            return True
        if self._delivering != index:
            self._delivering = index
            self._next_part(0, now)
        return False

    def _next_part(self, offset: int, now: float) -> None:
        if self._delivering is None:
            return
        part = cut(self._subset.meta(self._delivering), offset)
        template = Datagram(
            MessageType.META_PART,
            subset=self._subset.subset,
            index=self._delivering,
            digest=part.sha256[:8],
            payload=encode_part(part),
        )
        self._part = Outstanding(template)
        self._send_part(now)

    def _send_part(self, now: float) -> None:
        if self._part is None or self._connection is None or self.paused is not None:
            return  # resuming sends it again
        self._transmit(self._connection, self._part, "meta", now)

    def _on_meta_ack(self, d: Datagram, now: float) -> None:
        if self._part is None or self._delivering is None or d.ack_pn not in self._part.pns:
            return  # a late answer to an earlier transmission
        wanted = parse_part(d.payload)
        index, metadata = self._delivering, self._subset.meta(self._delivering)
        if wanted.sha256 != hashlib.sha256(metadata).digest():
            return
        self._cancel("meta")
        self._part = None
        if d.code == Code.META_TOO_BIG:
            self._delivering = None
            self._refused(index)
        elif wanted.offset < len(metadata):
            self._next_part(wanted.offset, now)
        else:
            self._delivering = None
            self._arrived(index, now)

    # -- the CAPTURE that rests on it --------------------------------------------------------------

    def _ask_capture(self, e: Exposure, now: float) -> None:
        self._after("accept", now, self._timers.accept)
        self._ask(capture(self._subset, self.ledger, e, large=self._large(e.index)), now)

    def _held_back(self, index: int) -> Exposure | None:
        """The exposure of *index* if its CAPTURE waits for nothing but the metadata."""
        e = self._exposure
        waits = self.phase is Phase.CAPTURE and self._request is None
        return e if waits and e is not None and e.index == index else None

    def _arrived(self, index: int, now: float) -> None:
        self._delivered.add(index)
        e = self._held_back(index)
        if e is not None:
            self._ask_capture(e, now)

    def _refused(self, index: int) -> None:
        """A phone with a smaller limit; while it is only sent ahead, nobody needs to know."""
        if self._held_back(index) is None:
            return
        size = len(self._subset.meta(index))
        why = f"the phone takes no {size} bytes of metadata (x-ray {index}); shorten its key"
        self._pause(Code.META_TOO_BIG, why)

    def _need_metadata(self, e: Exposure, d: Datagram, now: float) -> None:
        """The phone lacks what it had: bring it again, then ask again."""
        if self._request is None or d.ack_pn not in self._request.pns or not self._large(e.index):
            return
        self._settle_request()
        self._delivered.discard(e.index)
        self._deliver(e.index, now)

    def _resume_metadata(self, now: float) -> None:
        """Go on after a pause, in which nothing is sent."""
        e = self._exposure
        if e is not None and self._held_back(e.index) and self._deliver(e.index, now):
            self._ask_capture(e, now)
        if "meta" not in self._deadlines:
            self._send_part(now)
