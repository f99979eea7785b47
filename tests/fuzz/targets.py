"""What is fuzzed: each target takes any bytes, and raises only when the rig has a defect.

Standard library and `rig.protocol` only, so that the targets run under atheris in an environment of
its own and, over the seeds and random bytes, in the ordinary test suite.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rig.protocol import actions as act
from rig.protocol.chain import chain_start
from rig.protocol.codes import MessageType
from rig.protocol.datagram import (
    HEADER,
    MAGIC,
    TAG_SIZE,
    VERSION,
    BadDatagram,
    Datagram,
    canonical,
    decode,
    encode,
    parse_payload,
)
from rig.protocol.journal import JournalCorrupt, encode_record, parse_journal
from rig.protocol.keys import boot_key, connection_keys
from rig.protocol.names import BadPhotoName, PhotoName, decode_name, encode_name
from rig.protocol.phone import PhoneConfig, PhoneCore

PSK = bytes(range(100, 132))
KEY = bytes(range(32))
HERE = ("display", 1)
CAMPAIGN = bytes(8)
_WHOLE = (
    '"key":"p/s/v","env":"e"',
    '"x":1',
    '"x":null,"y":true',
    '"é":"\\ud83d\\ude00"',
    '"\\u00e9":1',
)


def datagram(data: bytes) -> None:
    """Decode it or raise BadDatagram: as it is, with the tag put right, and with the length too."""
    for raw in (data, _sealed(data, length=False), _sealed(data, length=True)):
        try:
            d = decode(raw, KEY)
        except BadDatagram:
            continue
        assert encode(d, KEY) == raw, "a decoded datagram encodes to other bytes"


def payload(data: bytes) -> None:
    """Parse it or raise BadDatagram; what is parsed is canonical after one round."""
    try:
        values = parse_payload(data)
    except BadDatagram:
        return
    assert all(isinstance(v, (str, int, bool, type(None))) for v in values.values())
    once = canonical(values)
    assert canonical(parse_payload(once)) == once


def journal(data: bytes) -> None:
    """Records or JournalCorrupt, as it is and with every checksum put right; more can follow."""
    for raw in (data, _checked(data)):
        try:
            records, end = parse_journal(raw)
        except JournalCorrupt:
            continue
        assert 0 <= end <= len(raw)
        more = encode_record({"k": "BOOT", "boot": "00"})
        assert parse_journal(raw[:end] + more) == ([*records, {"k": "BOOT", "boot": "00"}],
                                                   end + len(more))  # fmt: skip


def name(data: bytes) -> None:
    """Decode it or raise BadPhotoName, also with the check put right; a name that is one is one."""
    text = data.decode("utf-8", "surrogateescape")
    stem = text[: text.rfind("_") + 1]
    check = hashlib.sha256(stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    for each in (text, f"{stem}c{check}.jpg"):
        try:
            read = decode_name(each)
        except BadPhotoName:
            continue
        assert encode_name(read) == each
        assert len(each) <= 245


def phone(data: bytes) -> None:
    """Authentic nonsense: the display has the key and talks rubbish; the phone's core stands it.

    Each piece is one datagram under the right key of the connection (or of the boot), in the states
    that the pieces before it led to. The core may abort; it raises nothing and fires at most one
    exposure at a time.
    """
    rng = random.Random(0)
    core = PhoneCore(PhoneConfig((HERE,)), [], PSK, rng.randbytes)
    peer = _Display(core)
    peer.hello()
    for piece in _pieces(data):
        peer.tell(piece)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "datagram": datagram, "payload": payload, "journal": journal, "name": name, "phone": phone,
}  # fmt: skip


def seeds(target: str) -> Iterator[bytes]:
    """Well-formed inputs from which a fuzzer starts."""
    arm = canonical({
        "campaign_id": CAMPAIGN.hex(), "first": 1, "last": 3, "manifest": bytes(32).hex(),
        "env_id": "e", "session": "s", "view_committed": 0, "view_sha": None, "resolution": "none",
    })  # fmt: skip
    meta = canonical({"key": "p/s/v", "env": "e", "index": 1})
    if target == "datagram":
        for kind in MessageType:
            yield encode(Datagram(int(kind), b"12345678", 7, payload=meta), KEY)
    elif target == "payload":
        yield arm
        yield b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"
        for text in _WHOLE:
            yield b"{" + text.encode() + b"}"
    elif target == "journal":
        lines = [{"k": "BOOT", "boot": "00" * 8}, {"k": "COMMIT", "i": 1, "a": 1}]
        yield b"".join(encode_record(r) for r in lines) + bytes(40)
        yield encode_record(lines[0]) + b"torn"
    elif target == "name":
        yield encode_name(
            PhotoName("a" * 16, 1, 2, 3, "e01", "p1/s1/v", "b" * 16, "c" * 16)
        ).encode()
        yield encode_name(PhotoName("a" * 16, 1, 2, 3, "é" * 40, "K", "b" * 16, "c" * 16)).encode()
    else:
        digest = hashlib.sha256(meta).digest()[:8]
        shots = [
            _piece(Datagram(MessageType.ARM, index=1, payload=arm), fix=True),
            _piece(Datagram(MessageType.CAPTURE, index=1, attempt=1, digest=digest, payload=meta),
                   fix=True),
            bytes([_PHOTO]), bytes([_STORED]),
            _piece(Datagram(MessageType.CAPTURE, index=2, attempt=1, digest=digest, payload=meta),
                   fix=True),
            bytes([_FAILURE]),
            _piece(Datagram(MessageType.FINISH, index=3), fix=True),
        ]  # fmt: skip
        for odd in (b'"first":-1', b'"first":4294967296', b'"first":true'):
            body = arm.replace(b'"first":1', odd)
            yield _join([_piece(Datagram(MessageType.ARM, index=1, payload=body), fix=True)])
        yield _join(shots[:1])
        yield _join(shots[:4])
        yield _join(shots)
        for kind in MessageType:
            yield _join([*shots[:2], _piece(Datagram(int(kind), index=1, payload=meta), fix=False)])


# -- putting right what no mutation can -----------------------------------------------------------


def _sealed(data: bytes, *, length: bool) -> bytes:
    """*data* as header and payload of a datagram: magic, version and tag are right."""
    head = bytearray(data[: HEADER.size].ljust(HEADER.size, b"\0"))
    rest = data[HEADER.size : HEADER.size + 1126]
    head[:3] = MAGIC + bytes([VERSION])
    if length:
        head[56:58] = len(rest).to_bytes(2, "big")
    body = bytes(head) + rest
    return body + hmac.digest(KEY, body, hashlib.sha256)[:TAG_SIZE]


def _checked(data: bytes) -> bytes:
    """Every line of *data* as the body of a journal line."""
    return b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in data.split(b"\n"))


# -- a display that has the key and talks nonsense ------------------------------------------------

_FAILURE, _PHOTO, _STORED, _LATER, _HELLO = 0xF0, 0xF1, 0xF2, 0xF3, 0xF4
"""First bytes of pieces that are no datagrams but things that happen at the phone."""


def _piece(d: Datagram, *, fix: bool) -> bytes:
    """One datagram: byte 0 says whether the chain is put right, then header fields and payload."""
    head = HEADER.pack(
        MAGIC, VERSION, d.type, 0, 0, 0, 1, d.index, d.attempt, d.flags, d.code, d.token, d.chain,
        d.digest, 0,
    )  # fmt: skip
    return bytes([int(fix)]) + head[3:] + d.payload


def _join(pieces: Sequence[bytes]) -> bytes:
    return b"".join(len(p).to_bytes(2, "big") + p for p in pieces)


def _pieces(data: bytes) -> Iterator[bytes]:
    at = 0
    for _ in range(24):
        size = int.from_bytes(data[at : at + 2], "big") % 1200
        piece = data[at + 2 : at + 2 + size]
        if not piece:
            return
        yield piece
        at += 2 + size


@dataclass
class _Display:
    """Drives one phone core; journal writes are durable at once."""

    core: PhoneCore
    now: float = 0.0
    pn: int = 0
    conn: bytes = bytes(8)
    key: bytes = b""
    ticket: act.Ticket | None = None
    storing: act.Ticket | None = None

    def __post_init__(self) -> None:
        self._do(self.core.start(self.now))

    def hello(self) -> None:
        """A new connection: another nonce each time."""
        nonce = (self.pn + 1).to_bytes(16, "big")
        body = {"nonce_d": nonce.hex(), "campaign_id": CAMPAIGN.hex(), "vmin": 1, "vmax": 1}
        self._boot(Datagram(MessageType.HELLO, subset=1, payload=canonical(body)))

    def tell(self, piece: bytes) -> None:
        self.now += 0.1
        kind = piece[0]
        if kind == _FAILURE and self.ticket is not None:
            self._do(self.core.camera_result(self.ticket, act.CameraFailure(16, "no"), self.now))
        elif kind == _PHOTO and self.ticket is not None:
            photo = act.Photo(hashlib.sha256(piece).digest(), 1000, 4, 3, 1, 2)
            self._do(self.core.camera_result(self.ticket, photo, self.now))
        elif kind == _STORED and self.storing is not None:
            code = piece[1] if len(piece) > 1 else 0
            failure = act.CameraFailure(35 if code < 128 else 70, "x") if code else None
            self._do(self.core.photo_stored(self.storing, failure, self.now))
        elif kind == _LATER:
            self.now += piece[-1]
            self._do(self.core.timer_fired(self.now))
        elif kind == _HELLO:
            self.hello()
        else:
            self._datagram(piece)

    def _datagram(self, piece: bytes) -> None:
        head = piece[1:].ljust(HEADER.size - 3, b"\0")
        _, _, kind, _, _, ack, subset, index, attempt, flags, code, *rest = HEADER.unpack(
            b"XC\x01" + head[: HEADER.size - 3]
        )
        token, chain, digest, _ = rest
        d = Datagram(
            kind % 24, ack_pn=ack, subset=subset % 4, index=index, attempt=attempt, flags=flags,
            code=code, token=token, chain=chain, digest=digest,
            payload=head[HEADER.size - 3 :][:1126],
        )  # fmt: skip
        if piece[0] & 1:
            d = self._right(d)
        if d.type == MessageType.HELLO:
            self._boot(d)
            return
        self.pn += 1
        sealed = replace(d, conn_id=self.conn, pn=self.pn)
        self._do(self.core.datagram_received(encode(sealed, self.key), HERE, self.now))

    def _right(self, d: Datagram) -> Datagram:
        """With the chain and the digests that the phone wants, so that deeper states are met."""
        run, latch = self.core.ledger.current, self.core.ledger.latch
        if d.type == MessageType.CAPTURE:
            d = replace(d, digest=hashlib.sha256(d.payload).digest()[:8])
        if d.type == MessageType.ARM and latch is not None:
            d = replace(d, digest=latch.abort_id)
        if run is not None:
            doubtful = run.doubtful
            ahead = doubtful is not None and d.index != doubtful.index
            chain = run.chain_after(doubtful) if doubtful is not None and ahead else run.chain
            return replace(d, chain=chain[:8])
        if d.type == MessageType.ARM:
            return replace(d, chain=chain_start(CAMPAIGN, d.subset, 1, bytes(32))[:8])
        return d

    def _boot(self, d: Datagram) -> None:
        self.pn += 1
        data = encode(replace(d, pn=self.pn), boot_key(PSK))
        self._do(self.core.datagram_received(data, HERE, self.now))

    def _do(self, outputs: list[act.Output]) -> None:
        waiting = list(outputs)
        while waiting:
            output = waiting.pop(0)
            if isinstance(output, act.AppendJournal):
                for record in output.records:
                    assert parse_journal(encode_record(record))[0] == [dict(record)]
                waiting += self.core.journal_written(output.ticket, self.now)
            elif isinstance(output, act.TriggerCamera):
                self.ticket = output.ticket
            elif isinstance(output, act.StorePhoto):
                self.storing = output.ticket
                assert decode_name(output.final).index == output.ticket.index
            elif isinstance(output, act.SendDatagram):
                self._hear(output.data)

    def _hear(self, data: bytes) -> None:
        """READY brings the keys of the next connection."""
        assert len(data) <= 1200
        try:
            ready = decode(data, boot_key(PSK))
        except BadDatagram:
            return
        if ready.type == MessageType.READY:
            body = parse_payload(ready.payload)
            nonces = (bytes.fromhex(str(body[w])) for w in ("nonce_d", "nonce_p"))
            keys = connection_keys(PSK, *nonces)
            self.conn, self.key = keys.conn_id, keys.d2p
