"""What the display says and hears: HELLO, ARM, a photo in doubt, CAPTURE."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from rig.protocol.codes import Code, Flag, MessageType, code_name
from rig.protocol.datagram import NOTHING, VERSION, Datagram, Scalar, canonical
from rig.protocol.display_base import Exposure
from rig.protocol.display_ledger import DisplayLedger, Subset, checked_result
from rig.protocol.payload import why_field

_DOUBTS = (
    ("sha256", "sha"), ("size", "size"), ("w", "w"), ("h", "h"), ("t_trigger", "t0"),
    ("t_done", "t1"),
)  # fmt: skip
_REFUSED = {
    Code.VERSION: "it speaks another version of this protocol; install the same release on both",
    Code.CAMPAIGN_MISMATCH: (
        "its pairing is bound to another campaign; pair it again with this display"
    ),
}


def refusal(ready: Datagram, payload: Mapping[str, Scalar]) -> tuple[int, str] | None:
    """Why the phone's READY cannot be gone on with: an abort code and a sentence, or None."""
    code = ready.code
    if not code and payload.get("version", VERSION) != VERSION:
        code = Code.VERSION
    if not code:
        return None
    words = next((words for known, words in _REFUSED.items() if known == code), code_name(code))
    return code, f"the phone refused: {words}"


def failure(d: Datagram) -> str:
    """What FAILED *d* says to people: the code's word, and the phone's sentence if it gave one."""
    why = why_field(d.payload)
    return f"{code_name(d.code)}: {why}" if why else code_name(d.code)


def hello(subset: Subset, nonce_d: bytes, pn: int) -> Datagram:
    """HELLO for *subset* under a fresh *nonce_d* of 16 bytes."""
    payload: dict[str, Scalar] = {
        "nonce_d": nonce_d.hex(),
        "campaign_id": subset.campaign.hex(),
        "manifest": subset.manifest.hex(),
        "vmin": VERSION,
        "vmax": VERSION,
    }
    return Datagram(
        MessageType.HELLO,
        pn=pn,
        subset=subset.subset,
        index=subset.first,
        payload=canonical(payload),
    )


def arm(
    subset: Subset,
    ledger: DisplayLedger,
    view: tuple[int, Mapping[str, Scalar]],
    resolution: str,
    rearm: bytes,
) -> Datagram:
    """ARM as decided on *view*: the phone's count and READY. *rearm*: abort to clear, or empty."""
    committed, ready = view
    payload: dict[str, Scalar] = {
        "campaign_id": subset.campaign.hex(),
        "first": subset.first,
        "last": subset.last,
        "manifest": subset.manifest.hex(),
        "env_id": subset.env,
        "session": subset.session,
        "view_committed": committed,
        "view_sha": ready.get("in_doubt_sha"),
        "resolution": resolution,
    }
    return Datagram(
        MessageType.ARM,
        flags=Flag.REARM if rearm else Flag.NONE,
        subset=subset.subset,
        index=ledger.next_index,
        chain=ledger.chain[:8],
        digest=rearm or NOTHING,
        payload=canonical(payload),
    )


def doubtful_result(ready: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What READY says of the photo in doubt, as CAPTURED would; BadDatagram if it is half said."""
    return checked_result({name: ready.get(f"in_doubt_{word}") for name, word in _DOUBTS})


def capture(subset: Subset, ledger: DisplayLedger, e: Exposure, *, large: bool) -> Datagram:
    """CAPTURE for *e*. *large*: its metadata went before, and only its digest goes along."""
    meta = subset.meta(e.index)
    flags = Flag.LAST if e.index == subset.last else Flag.NONE
    return Datagram(
        MessageType.CAPTURE,
        flags=flags | Flag.META_EXT if large else flags,
        subset=subset.subset,
        index=e.index,
        attempt=e.attempt,
        token=e.token,
        chain=ledger.chain[:8],
        digest=hashlib.sha256(meta).digest()[:8],
        payload=b"" if large else meta,
    )
