"""What goes with every photo of a plan: allow-listed, pseudonymous fields only."""

from __future__ import annotations

from rig.protocol.datagram import Scalar, canonical


def photo_metadata(
    *,
    key: str,
    env: str,
    index: int,
    sha256: str,
    campaign: str,
    subset: int,
    device: str,
    session: str,
) -> bytes:
    """Canonical JSON; its SHA-256 stands in the photo's name (XCAP/1 sections 6 and 9).

    Args:
        key: of the x-ray, `patient/study/view`.
        env: name of the environment.
        index: of the x-ray.
        sha256: hex digest of the x-ray's file.
        campaign: its id, 16 hex digits.
        subset: its number.
        device: the phone.
        session: its id.
    """
    values: dict[str, Scalar] = {
        "key": key,
        "env": env,
        "index": index,
        "sha256": sha256,
        "campaign": campaign,
        "subset": subset,
        "device": device,
        "session": session,
    }
    return canonical(values)
