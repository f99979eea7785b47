"""Names that stand for patients, studies and images: keyed, so that nobody can compute them back.

A plain hash of a UID or patient number can be reversed by whoever holds a list of them. These are
HMAC-SHA256 (RFC 2104) with a key of the site, which never leaves the home.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

KEY_BYTES = 32
KEY_FILE = "dicom/site.key"
"""Below the home."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Makes every name; equal input gives equal names as long as the key is the same.

    Attributes:
        key: of the site; secret.
    """

    key: bytes = field(repr=False)

    def image_id(self, sop_uid: str) -> str:
        """32 hex digits for a SOP Instance UID: HMAC-SHA256 of it, the first half."""
        return hmac.digest(self.key, sop_uid.encode(), hashlib.sha256).hex()[:32]

    def patient(self, identifier: str, issuer: str = "") -> str:
        """`patient` and 16 hex digits, for a Patient ID."""
        return f"patient{self._of('patient', identifier, issuer)[:16]}"

    def lone_patient(self, uid: str) -> str:
        """The same form, for a patient who is not named: of the study, else of the image."""
        return f"patient{self._of('lone patient', uid)[:16]}"

    def study(self, study_uid: str) -> str:
        """`study` and 16 hex digits, for a Study Instance UID."""
        return f"study{self._of('study', study_uid)[:16]}"

    def new_uid(self, uid: str) -> str:
        """A valid UID in place of *uid*: `2.25.` and a UUID as a number (PS3.5 annex B.2)."""
        digest = bytearray(bytes.fromhex(self._of("uid", uid))[:16])
        digest[6] = digest[6] & 0x0F | 0x80  # version 8 of RFC 9562: made by whoever made it
        digest[8] = digest[8] & 0x3F | 0x80
        return f"2.25.{uuid.UUID(bytes=bytes(digest)).int}"

    def mark(self, text: str) -> str:
        """16 hex digits that tell one file or source id from another without saying its name."""
        return self._of("mark", text)[:16]

    def _of(self, kind: str, *texts: str) -> str:
        # Lengths keep ("ab", "c") from being ("a", "bc").
        message = "\0".join([kind, *(f"{len(one)}:{one}" for one in texts)])
        return hmac.digest(self.key, message.encode(), hashlib.sha256).hex()


def load_key(home: Path, *, create: bool = False) -> Pseudonyms:
    """The pseudonyms of the site whose home this is.

    Args:
        home: the home; the key is in `dicom/site.key`, mode 0600.
        create: make a key when there is none.

    Raises:
        UserError: no key, a damaged one, or one that others may read.
    """
    file = home / KEY_FILE
    if not file.exists():
        if not create:
            raise UserError(f"The home {home} has no site key ({KEY_FILE}): import DICOM first.")
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(file, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n", mode=PRIVATE)
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise UserError(
            f"The site key {file} may be read by others, who could then tell patients from their "
            f"pseudonyms. If it was never seen by anybody: chmod 600 {file}"
        )
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise UserError(
            f"The site key {file} is damaged: {KEY_BYTES * 2} hex digits belong there. Restore it "
            "from a backup of the home; a new one would give every image another id."
        )
    return Pseudonyms(key)
