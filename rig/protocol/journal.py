"""Journal lines: what a side must remember through a crash (XCAP/1 sections 4 and 5).

One record a line: CRC-32 in 8 hex digits, a space, canonical JSON, a line feed. The file may be
preallocated with zeros; the journal ends at the first of them. A last line that is torn is cut off;
a damaged line before the last means the disk lies, and the agent refuses to start.
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
        JournalCorrupt: a damaged line is followed by a whole one.
    """
    records: list[Record] = []
    end = data.find(b"\0")
    text = data if end < 0 else data[:end]
    at = 0
    while at < len(text):
        feed = text.find(b"\n", at)
        record = None if feed < 0 else _parse_line(text[at:feed])
        if record is None:
            _refuse_records_after(text, feed, len(records) + 1)
            break
        records.append(record)
        at = feed + 1
    return records, at


def _refuse_records_after(text: bytes, feed: int, line: int) -> None:
    if feed < 0:
        return
    for rest in text[feed + 1 :].split(b"\n")[:-1]:
        if _parse_line(rest) is not None:
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
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
