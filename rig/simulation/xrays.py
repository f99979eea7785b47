"""X-rays that exist only in simulations."""

from __future__ import annotations

import hashlib

from rig.protocol.datagram import canonical
from rig.protocol.display import Subset


def subset_of(count: int, *, subset: int = 1, first: int = 1) -> Subset:
    """A subset of *count* x-rays for simulations."""
    metadata = tuple(
        canonical({"key": f"p{i:05d}/study1/view1_frontal", "env": "e01-dark", "index": i})
        for i in range(first, first + count)
    )
    manifest = hashlib.sha256(b"".join(metadata)).digest()
    return Subset(
        bytes(range(8)), subset, first, first + count - 1, manifest, "e01-dark", "s0", metadata
    )
