"""Hand-made peers: one real core at a time, the other side played by the test."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from protocol_wire import Tap

from rig.protocol import actions as act
from rig.protocol.chain import chain_next
from rig.protocol.codes import Flag, MessageType, Timers
from rig.protocol.datagram import Datagram, canonical, encode, parse_payload
from rig.protocol.display import DisplayConfig, DisplayCore, Subset
from rig.protocol.endpoint import Connection
from rig.protocol.journal import Record
from rig.protocol.keys import boot_key, connection_keys
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.simulation.virtual import subset_of

PSK = bytes(range(100, 132))
M = MessageType


def large_subset(count: int = 4, size: int = 2900) -> Subset:
    """A subset whose every metadata holds a note of *size* bytes: 3 parts by default."""
    subset = subset_of(count)
    metadata = [canonical({**parse_payload(meta), "note": "n" * size}) for meta in subset.metadata]
    return replace(subset, metadata=tuple(metadata))


class Bench:
    """One real core, its peer played by hand; the journal is durable at once unless held."""

    core: Any

    def __init__(self, records: Iterable[Record] = (), seed: int = 0) -> None:
        self.journal = list(records)
        self.random = random.Random(seed)
        self.now = 0.0
        self.said: list[Any] = []
        self.hold = False
        self.pending: act.AppendJournal | None = None
        self.tap = Tap(PSK)
        self.conn: Connection | None = None
        self.boot_pn = 0

    def feed(self, outputs: list[act.Output]) -> None:
        """Note what the core answered; datagrams are noted decoded."""
        for o in outputs:
            if isinstance(o, act.SendDatagram):
                self.said.append(self.tap.read(o.data))
                self.sent(self.said[-1], o)
            else:
                self.said.append(o)
            if isinstance(o, act.AppendJournal):
                assert self.pending is None, "a second write before the first was durable"
                self.pending = o
        if self.pending is not None and not self.hold:
            self.durable()

    def sent(self, d: Datagram, o: act.SendDatagram) -> None:
        """The hand-made peer looks at what the core sent."""

    def durable(self) -> None:
        """The journal write that is under way is on the disk."""
        assert self.pending is not None, "nothing is being written"
        done, self.pending = self.pending, None
        self.journal.extend(done.records)
        self.feed(self.core.journal_written(done.ticket, self.now))

    def tell(self, d: Datagram, addr: act.Addr | None = None) -> bytes:
        """The peer sends *d* on its connection."""
        assert self.conn is not None
        _, data = self.conn.seal(d, self.now)
        self.raw(data, addr)
        return data

    def tell_boot(self, d: Datagram, addr: act.Addr | None = None) -> bytes:
        """The peer sends *d* under the boot key."""
        self.boot_pn += 1
        data = encode(replace(d, pn=self.boot_pn), boot_key(PSK))
        self.raw(data, addr)
        return data

    def raw(self, data: bytes, addr: act.Addr | None = None) -> None:
        self.feed(self.core.datagram_received(data, addr or ("peer", 1), self.now))

    def advance(self, seconds: float) -> None:
        """Let time pass, timers firing when they are due."""
        end = self.now + seconds
        while (due := self.core.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.feed(self.core.timer_fired(self.now))
        self.now = end

    def take(self) -> list[Any]:
        """Everything said since the last call."""
        said, self.said = self.said, []
        return said

    def messages(self, *types: MessageType) -> list[Datagram]:
        """Datagrams among what was said and not yet taken, of these types."""
        return [o for o in self.said if isinstance(o, Datagram) and (not types or o.type in types)]

    def said_of(self, kind: type) -> list[Any]:
        return [o for o in self.said if isinstance(o, kind)]

    def kinds(self) -> list[str]:
        """Kinds of all records on disk."""
        return [str(r["k"]) for r in self.journal]


class PhoneBench(Bench):
    """A real phone core before a display played by hand."""

    def __init__(
        self,
        records: Iterable[Record] = (),
        *,
        subset: Subset | None = None,
        seed: int = 0,
        quiesce: float = 0.0,
    ) -> None:
        super().__init__(records, seed)
        self.subset = subset or subset_of(4)
        hosts = (("display", 47911),)
        cfg = PhoneConfig(hosts=hosts, est_photo_bytes=1000, quiesce=quiesce)
        self.core = PhoneCore(cfg, self.journal, PSK, self.random.randbytes)
        self.ready: dict[str, Any] = {}
        self.chain = self.subset.chain_start()
        self.photo_sha: dict[tuple[int, int], bytes] = {}

    def start(self, missing: tuple[str, ...] = ()) -> PhoneBench:
        self.feed(self.core.start(self.now, missing))
        return self

    def sent(self, d: Datagram, o: act.SendDatagram) -> None:
        if d.type != M.READY:
            return
        self.ready = parse_payload(d.payload)
        nonces = [bytes.fromhex(str(self.ready[n])) for n in ("nonce_d", "nonce_p")]
        keys = connection_keys(PSK, *nonces)
        if self.conn is None or self.conn.conn_id != keys.conn_id:
            self.conn = Connection(
                keys.conn_id, keys.d2p, keys.p2d, ("phone", 1), self.now, Timers()
            )

    def hello(self, nonce: bytes | None = None) -> bytes:
        payload = {
            "nonce_d": (nonce or self.random.randbytes(16)).hex(),
            "campaign_id": self.subset.campaign.hex(),
        }
        return self.tell_boot(
            Datagram(M.HELLO, subset=self.subset.subset, payload=canonical(payload))
        )

    def arm(
        self,
        resolution: str = "none",
        *,
        chain: bytes | None = None,
        rearm: bytes = b"",
        index: int | None = None,
        **changed: Any,
    ) -> bytes:
        """ARM as decided on the READY that came last."""
        s = self.subset
        payload = {
            "campaign_id": s.campaign.hex(), "first": s.first, "last": s.last,
            "manifest": s.manifest.hex(), "env_id": s.env, "session": s.session,
            "view_committed": self.ready["committed"],
            "view_sha": self.ready.get("in_doubt_sha"), "resolution": resolution, **changed,
        }  # fmt: skip
        run = self.core.ledger.run(s.campaign, s.subset)
        committed = run.committed if run else 0
        return self.tell(
            Datagram(
                M.ARM,
                subset=s.subset,
                index=s.first + committed + (resolution == "commit") if index is None else index,
                chain=(chain or self.chain)[:8],
                flags=Flag.REARM if rearm else 0,
                digest=rearm or bytes(8),
                payload=canonical(payload),
            )
        )

    def connect(self) -> PhoneBench:
        self.hello()
        self.arm()
        return self

    def capture(
        self,
        index: int,
        attempt: int = 1,
        *,
        chain: bytes | None = None,
        token: bytes | None = None,
        meta: bytes | None = None,
        **fields: Any,
    ) -> bytes:
        payload = self.subset.meta(min(index, self.subset.last)) if meta is None else meta
        d = Datagram(
            M.CAPTURE,
            subset=self.subset.subset,
            index=index,
            attempt=attempt,
            token=token or bytes([index % 256, attempt % 256] * 4),
            chain=(chain or self.chain)[:8],
            digest=hashlib.sha256(payload).digest()[:8],
            payload=payload,
        )
        return self.tell(replace(d, **fields))

    def photo(self, sha: bytes | None = None, *, size: int = 1000) -> act.Photo:
        return act.Photo(sha or self.random.randbytes(32), size, 4, 3, 1, 2)

    def expose(self, index: int, attempt: int = 1, **capture: Any) -> bytes:
        """A whole exposure: CAPTURE, camera, file; returns the photo's digest."""
        self.capture(index, attempt, **capture)
        ticket = self.said_of(act.TriggerCamera)[-1].ticket
        assert (ticket.index, ticket.attempt) == (index, attempt)
        photo = self.photo()
        self.feed(self.core.camera_result(ticket, photo, self.now))
        self.feed(self.core.photo_stored(ticket, None, self.now))
        self.photo_sha[index, attempt] = photo.sha256
        return photo.sha256

    def decide(self, index: int, attempt: int = 1) -> None:
        """The display decides for the photo of (index, attempt)."""
        meta = hashlib.sha256(self.subset.meta(index)).digest()
        sha = self.photo_sha[index, attempt]
        self.chain = chain_next(self.chain, index, attempt, sha, meta)

    def restart(self, missing: tuple[str, ...] = ()) -> PhoneBench:
        """The next process life, from what is on the disk."""
        after = PhoneBench(self.journal, subset=self.subset, seed=self.random.randrange(1 << 30))
        after.chain, after.photo_sha, after.boot_pn = self.chain, self.photo_sha, self.boot_pn
        after.now = self.now
        return after.start(missing)


class DisplayBench(Bench):
    """A real display core before a phone played by hand."""

    def __init__(
        self,
        records: Iterable[Record] = (),
        *,
        subset: Subset | None = None,
        peer: act.Addr | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(records, seed)
        self.subset = subset or subset_of(4)
        cfg = DisplayConfig(self.subset, peer=peer)
        self.core = DisplayCore(cfg, self.journal, PSK, self.random.randbytes)
        self.boot = self.random.randbytes(8)
        self.nonce_d = b""
        self.surface = b"x" * 32

    def start(self) -> DisplayBench:
        self.feed(self.core.start(self.now))
        return self

    def sent(self, d: Datagram, o: act.SendDatagram) -> None:
        if d.type == M.HELLO:
            self.nonce_d = bytes.fromhex(str(parse_payload(d.payload)["nonce_d"]))

    def knock(self, boot: bytes | None = None, addr: act.Addr | None = None) -> bytes:
        payload = canonical({"boot_id": (boot or self.boot).hex()})
        return self.tell_boot(Datagram(M.KNOCK, payload=payload), addr)

    def ready(self, *, nonce_p: bytes | None = None, **said: Any) -> bytes:
        """READY for the newest HELLO; words of *said* change the payload."""
        nonce_p = nonce_p or self.random.randbytes(16)
        body = {
            "nonce_d": self.nonce_d.hex(), "nonce_p": nonce_p.hex(), "boot_id": self.boot.hex(),
            "committed": len(self.core.ledger.done), "last_attempt": 0, "aborted_id": None,
            "aborted_code": 0, "aborted_why": "", **said,
        }  # fmt: skip
        keys = connection_keys(PSK, bytes.fromhex(body["nonce_d"]), nonce_p)
        self.tap.learn(keys)
        if self.conn is None or self.conn.conn_id != keys.conn_id:
            self.conn = Connection(
                keys.conn_id, keys.p2d, keys.d2p, ("display", 1), self.now, Timers()
            )
        return self.tell_boot(
            Datagram(
                M.READY,
                conn_id=keys.conn_id,
                subset=self.subset.subset,
                payload=canonical({k: v for k, v in body.items() if v is not ...}),
            )
        )

    def armed(self) -> None:
        self.tell(Datagram(M.ARMED, subset=self.subset.subset))

    def connect(self) -> DisplayBench:
        """KNOCK to ARMED: the first x-ray is asked to be painted."""
        self.knock()
        self.ready()
        self.armed()
        return self

    def paint(self) -> act.Paint:
        """Confirm the newest Paint and let it settle; CAPTURE goes out."""
        paint = self.said_of(act.Paint)[-1]
        self.feed(self.core.painted(paint.token, self.surface, self.now))
        self.advance(0.2)
        return paint

    def asked(self) -> Datagram:
        """The newest CAPTURE."""
        return self.messages(M.CAPTURE)[-1]

    def reply(self, kind: MessageType, d: Datagram | None = None, **fields: Any) -> bytes:
        """A reply to CAPTURE *d* (the newest)."""
        d = d or self.asked()
        answer = Datagram(
            kind, ack_pn=d.pn, subset=d.subset, index=d.index, attempt=d.attempt, token=d.token
        )
        return self.tell(replace(answer, **fields))

    def captured(self, sha: bytes | None = None, **fields: Any) -> bytes:
        sha = sha or self.random.randbytes(32)
        body = {
            "sha256": sha.hex(), "size": 10, "name": "x", "t_trigger": "1", "t_done": "2",
            "w": 4, "h": 3,
        }  # fmt: skip
        return self.reply(M.CAPTURED, digest=sha[:8], payload=canonical(body), **fields)

    def check(self, surface: bytes | None = None) -> None:
        """Answer the CheckSurface that is out."""
        token = self.core._exposure.token
        self.feed(self.core.surface_checked(token, surface or self.surface, self.now))

    def shoot(self) -> None:
        """One x-ray from its Paint to its DONE."""
        self.paint()
        self.captured()
        self.check()

    def restart(self) -> DisplayBench:
        after = DisplayBench(self.journal, subset=self.subset, seed=self.random.randrange(1 << 30))
        after.boot, after.boot_pn, after.now = self.boot, self.boot_pn, self.now
        return after.start()
