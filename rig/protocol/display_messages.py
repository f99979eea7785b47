"""What the display says and hears while it arms a phone: HELLO, ARM, and a photo in doubt."""

from __future__ import annotations

from collections.abc import Mapping

from rig.protocol.codes import Flag, MessageType
from rig.protocol.datagram import NOTHING, Datagram, Scalar, canonical
from rig.protocol.display_ledger import DisplayLedger, Subset, checked_result

_DOUBTS = (
    ("sha256", "sha"), ("size", "size"), ("w", "w"), ("h", "h"), ("t_trigger", "t0"),
    ("t_done", "t1"),
)  # fmt: skip


def hello(subset: Subset, nonce_d: bytes, pn: int) -> Datagram:
    """HELLO for *subset* under a fresh *nonce_d* of 16 bytes."""
    payload: dict[str, Scalar] = {
        "nonce_d": nonce_d.hex(),
        "campaign_id": subset.campaign.hex(),
        "manifest": subset.manifest.hex(),
        "vmin": 1,
        "vmax": 1,
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
