"""Who is asked, what is wanted, what a PACS says it has. Never a name or number of a patient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rig.errors import UserError

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # PS3.5 6.2: AE, no backslash, no control characters
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_PEER = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:@/\s]+):(?P<port>\d{1,5})")

DEFAULT_TITLE = "RIG"
"""Our own AE title, unless the operator says another."""


def is_uid(text: str) -> bool:
    """Whether *text* has the form of a UID (PS3.5 9.1): digits and dots, at most 64 characters.

    Leading zeros, which the standard forbids and scanners write, are let through.
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM application: AE title, host, port."""

    title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.title} at {self.host}:{self.port}"


def parse_peer(text: str) -> Peer:
    """`TITLE@HOST:PORT`.

    Raises:
        UserError: it is something else.
    """
    found = _PEER.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise UserError(f"{text!r} is no PACS: write it as TITLE@HOST:PORT, e.g. ARCHIVE@pacs:104.")
    return Peer(check_title(found["title"]), found["host"].strip("[]"), int(found["port"]))


def check_title(text: str) -> str:
    """*text* as an AE title.

    Raises:
        UserError: it cannot be one.
    """
    title = text.strip(" ")
    if _TITLE.fullmatch(title) is None:
        raise UserError(f"{text!r} is no AE title: 1 to 16 printable characters without backslash.")
    return title


def parse_date(text: str) -> str:
    """`2021-03-09` or `20210309` as DICOM writes it.

    Raises:
        UserError: it is no date.
    """
    from datetime import date

    found = _DATE.fullmatch(text.strip())
    try:
        return "" if not text else date(*map(int, found.groups())).strftime("%Y%m%d")  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        raise UserError(f"{text!r} is no date: write it as 2021-03-09.") from None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter; what is empty is not asked about.

    Attributes:
        modalities: e.g. `CR`, `DX`.
        body_parts: values of BodyPartExamined, e.g. `CHEST`.
        unknown_parts: with `body_parts`: series that do not say their body part, too.
        since, until: first and last study date, `YYYYMMDD`.
        description: pattern of the study description, `*` and `?` as wildcards.
        studies: Study Instance UIDs.
    """

    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    unknown_parts: bool = False
    since: str = ""
    until: str = ""
    description: str = ""
    studies: tuple[str, ...] = ()

    @property
    def dates(self) -> str:
        """The range as a query says it (PS3.4 C.2.2.2.5), or empty."""
        return f"{self.since}-{self.until}" if self.since or self.until else ""

    # A PACS may ignore keys that are optional, so that every answer is held against the filter.

    def takes_study(self, date: str | None, description: str | None, modalities: list[str]) -> bool:
        """Whether a study passes; None or nothing: the PACS does not say."""
        if date is not None and self.dates:
            day = date.replace(".", "")
            if not day or not (self.since or day) <= day <= (self.until or day):
                return False
        if description is not None and self.description:
            pattern = self.description.casefold()
            if not fnmatchcase(description.casefold(), pattern.replace("[", "[[]")):
                return False
        return not (self.modalities and modalities) or not set(modalities).isdisjoint(
            self.modalities
        )

    def takes_series(self, modality: str | None, body_part: str | None) -> bool:
        """Whether a series passes; None: the PACS does not say."""
        if self.modalities and modality is not None and modality not in self.modalities:
            return False
        if not self.body_parts or body_part is None:
            return True
        part = body_part.strip().upper()
        return part in self.body_parts or (self.unknown_parts and not part)


@dataclass(frozen=True, slots=True)
class Series:
    """A series that passed the filter: what `rig pacs find` shows."""

    study: str
    uid: str
    modality: str
    body_part: str
    date: str
    description: str
    images: int | None


@dataclass(frozen=True, slots=True)
class Instance:
    """One image at the PACS, by its UIDs."""

    study: str
    series: str
    sop: str
    sop_class: str
