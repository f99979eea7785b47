"""Journal lines: what a side must remember through a crash (XCAP/1 sections 4 and 5).

One record a line: CRC-32 in 8 hex digits, a space, canonical JSON, a line feed. The file may be
preallocated with zeros; the journal ends at the first of them. A last line that is torn is cut off;
damage before a whole line, zeros too, means the disk lies, and the agent refuses to start.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

Record = Mapping[str, str | int | bool | None]
"""One journal record: a flat object whose ``k`` names its kind."""


class JournalCorrupt(Exception):
    """A line that is not the last one is damaged."""


def encode_record(record: Record) -> bytes:
    """The line of *record*, line feed included."""
    body = json.dumps(dict(record), sort_keys=True, separators=(",", ":")).encode("utf-8")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def parse_journal(data: bytes) -> tuple[list[Record], int]:
    """All whole records of *data*, and how many bytes they take.

    Raises:
        JournalCorrupt: a damaged line, or a hole of zeros, is followed by a whole line.
    """
    records: list[Record] = []
    at = 0
    while (feed := data.find(b"\n", at)) >= 0:
        record = _parse_line(data[at:feed])
        if record is None:
            break
        records.append(record)
        at = feed + 1
    _refuse_records_in(data[at:], len(records) + 1)
    return records, at


def _refuse_records_in(rest: bytes, line: int) -> None:
    for piece in rest.split(b"\n")[:-1]:
        if _parse_line(piece.rpartition(b"\0")[2]) is not None:
            raise JournalCorrupt(
                f"line {line} of the journal is damaged, but later lines are whole"
            )


def _parse_line(line: bytes) -> Record | None:
    head, space, body = line.partition(b" ")
    if not space or len(head) != 8:
        return None
    try:
        if int(head, 16) != zlib.crc32(body):
            return None
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
