"""What the status codes of a query or retrieval mean (PS3.4 C.4), as sentences."""

from __future__ import annotations

from rig.dicom.pacs.errors import PacsError

SUCCESS = 0x0000
WARNING = 0xB000
CANCELLED = 0xFE00
PENDING = frozenset({0xFF00, 0xFF01})

_ENTER = "have it entered there with this machine's address and port"
_KNOWN = {
    0x0122: ("does not support this request", False),
    0x0124: ("does not allow us this request", False),
    0x0210: ("says that this request is doubled", True),
    0x0211: ("does not know this request", False),
    0x0212: ("cannot read our request", False),
    0xA700: ("is out of resources", True),
    0xA701: ("is out of resources and cannot count the matches", True),
    0xA702: ("is out of resources and cannot send the images", True),
    0xA801: (f"does not know the AE title {{ours}} as a place to send to: {_ENTER}", False),
    0xA900: ("says that our request does not fit the kind of query", False),
    0xFE00: ("stopped the request", True),
}  # fmt: skip


def failure(peer: object, request: str, status: int, ours: str) -> PacsError:
    """The error for a *status* that is neither success nor pending."""
    said, again = _KNOWN.get(status, ("cannot do it", True))
    return PacsError(
        f"{peer} {said.format(ours=ours)} ({request}, status 0x{status:04X}).",
        again=again,
        some=again,
    )
