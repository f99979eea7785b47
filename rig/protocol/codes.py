"""Numbers on the wire and their words (XCAP/1 sections 2, 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


class MessageType(IntEnum):
    """Datagram types. D is the display agent, P the phone agent."""

    KNOCK = 0x01  # P>D
    HELLO = 0x02  # D>P
    READY = 0x03  # P>D
    ARM = 0x04  # D>P
    ARMED = 0x05  # P>D
    CAPTURE = 0x06  # D>P
    ACCEPTED = 0x07  # P>D
    CAPTURED = 0x08  # P>D
    FAILED = 0x09  # P>D
    FINISH = 0x0A  # D>P
    FINISHED = 0x0B  # P>D
    ABORT = 0x0C  # both
    ABORT_ACK = 0x0D  # both
    PING = 0x0E  # both
    PONG = 0x0F  # both
    ACK = 0x10  # D>P
    META_PART = 0x11  # D>P
    META_ACK = 0x12  # P>D
    BYE = 0x13  # both


BOOT_KEYED = frozenset({MessageType.KNOCK, MessageType.HELLO, MessageType.READY})
"""Types under the pairing's boot key; all others are under a connection's directional key."""


class Flag(IntFlag):
    """Header flags."""

    NONE = 0
    CON = 1
    META_EXT = 2
    REARM = 4
    LAST = 8


class Code(IntEnum):
    """Codes of section 8. 16-31: retryable, 32-63: pause, 64 and above: abort."""

    OK = 0
    EXPOSING = 1
    WRITING = 2
    WAIT_CAMERA = 3
    NEED_META = 4
    STALE = 5
    CAMERA_ERROR = 16
    CAMERA_TIMEOUT = 17
    CAMERA_EMPTY = 18
    CAMERA_BAD_JPEG = 19
    CAMERA_PERMISSION = 20
    CAMERA_BACKGROUND = 21
    DISK_LOW = 32
    BATTERY_LOW = 33
    THERMAL = 34
    FS_ERROR = 35
    META_TOO_BIG = 36
    LINK_LOST = 48  # 48-63: the display's own reasons to pause, never on the wire
    RETRIES = 49
    DISPLAY_TROUBLE = 50
    OPERATOR_PAUSE = 51
    INDEX_MISMATCH = 64
    CHAIN_MISMATCH = 65
    META_CONFLICT = 66
    DIVERGED = 67
    CAMPAIGN_MISMATCH = 68
    MANIFEST_MISMATCH = 69
    STORE_LOST = 70
    JOURNAL_CORRUPT = 71
    OPERATOR = 72
    TOKEN_MISMATCH = 73
    PROTOCOL = 74
    DISPLAY_LOST = 75
    VERSION = 76


def code_name(code: int) -> str:
    """The word for *code*; an unknown one of 64 and above still reads as an abort."""
    try:
        return Code(code).name
    except ValueError:
        return f"ABORT_{code}" if code >= 64 else f"CODE_{code}"


def is_pause(code: int) -> bool:
    """Whether *code* asks for a pause rather than a retry or an abort."""
    return 32 <= code < 64


@dataclass(frozen=True)
class Timers:
    """Defaults of section 7. Seconds, unless a name says otherwise."""

    rto_init: float = 0.25
    rto_min: float = 0.03
    rto_max: float = 2.0
    accept: float = 10.0
    """No ACCEPTED for so long: link-lost banner."""
    link: float = 120.0
    """Nothing heard for so long: paused, the image stays."""
    ping: float = 1.0
    dead_peer: float = 5.0
    poll: float = 1.0
    """Between polls of an accepted capture."""
    camera: float = 8.0
    knock_every: float = 1.0
    knock: float = 3.0
    """Nothing heard for so long: the phone knocks."""
    settle: float = 0.15
    paint: float = 10.0
    """A screen that has not confirmed a paint by then has lost it."""
    max_attempts: int = 3
    max_failures: int = 5


DEFAULT_PORT = 47911
MAX_DATAGRAM = 1200
REPLAY_WINDOW = 64
META_MAX = 64 * 1024
PN_MAX = 2**32 - 1
"""The last packet number; none is used twice."""
PN_WORN = PN_MAX - 2**20
"""From here on a connection is to be replaced: a second's notice at a million a second."""
FREE_MIN = 256 * 1024 * 1024
"""Bytes that must stay free on the phone."""
BATTERY_MIN = 15
"""Percent; below and not charging, the phone asks for a pause."""
TEMPERATURE_MAX = 45.0
"""Degrees Celsius of the battery; above, the phone asks for a pause."""
