"""What a core asks of its shell (actions) and tells it (events). All frozen data.

A shell carries out every action of one answer in order. `AppendJournal` is answered by
`journal_written` once the records are durable; until then the core promises nothing that rests on
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rig.protocol.journal import Record

Addr = tuple[str, int]


class LocalProtocolError(Exception):
    """The shell asked for something that cannot be: a defect on our side."""


class WrongCommand(LocalProtocolError):
    """A person's command that makes no sense now; the sentence says why."""


@dataclass(frozen=True)
class Ticket:
    """Names one exposure of one process life; a camera result without it is a stranger's."""

    subset: int
    index: int
    attempt: int
    boot: bytes


@dataclass(frozen=True)
class Photo:
    """A finished, checked JPEG in staging. Digest 32 bytes, size in bytes, times in Unix ns."""

    sha256: bytes
    size: int
    width: int
    height: int
    t_trigger_ns: int
    t_done_ns: int


@dataclass(frozen=True)
class CameraFailure:
    """The exposure came to nothing: a code of 16-31 (or 35 for the file system) and a sentence."""

    code: int
    why: str


@dataclass(frozen=True)
class SendDatagram:
    data: bytes
    addr: Addr


@dataclass(frozen=True)
class AppendJournal:
    """Make *records* durable, then call ``journal_written(ticket)``."""

    ticket: int
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Paint:
    """Show x-ray *index*; answer with ``painted(token, surface_sha)`` when it is really up."""

    index: int
    token: bytes


@dataclass(frozen=True)
class CheckSurface:
    """Read the surface back; answer with ``surface_checked(token, surface_sha)``."""

    token: bytes


@dataclass(frozen=True)
class Blank:
    """Take the x-ray off the screen and say why."""

    reason: str


@dataclass(frozen=True)
class TriggerCamera:
    """Expose into *staging*; answer with ``camera_result`` exactly once, also after a kill."""

    ticket: Ticket
    staging: str


@dataclass(frozen=True)
class KillCamera:
    ticket: Ticket


@dataclass(frozen=True)
class StorePhoto:
    """Make the photo durable under *final*, its metadata beside it, then ``photo_stored``."""

    ticket: Ticket
    staging: str
    final: str
    sidecar: bytes


@dataclass(frozen=True)
class Quarantine:
    """Move *name* (a staging or final name) out of the way; never delete it."""

    name: str


Action = (
    SendDatagram
    | AppendJournal
    | Paint
    | CheckSurface
    | Blank
    | TriggerCamera
    | KillCamera
    | StorePhoto
    | Quarantine
)


@dataclass(frozen=True)
class Connected:
    """A phone is armed for this subset; *info* is what its READY said."""

    info: Record


@dataclass(frozen=True)
class PeerLost:
    """Nothing valid heard for *seconds*; 0: the other side said BYE."""

    seconds: float


@dataclass(frozen=True)
class PeerBack:
    """Heard again after `PeerLost`."""


@dataclass(frozen=True)
class Armed:
    """The phone is armed: next index, last index, and who it works for."""

    subset: int
    index: int
    last: int
    session: str


@dataclass(frozen=True)
class Painting:
    index: int
    attempt: int


@dataclass(frozen=True)
class Accepted:
    index: int
    attempt: int


@dataclass(frozen=True)
class Committed:
    """The photo of (index, attempt) is decided; *record* is its journal record."""

    index: int
    attempt: int
    sha256: bytes
    name: str
    record: Record = field(default_factory=dict)


@dataclass(frozen=True)
class Retake:
    index: int
    attempt: int
    why: str


@dataclass(frozen=True)
class PhotoStored:
    """The phone holds the photo durably; the display has yet to decide."""

    index: int
    attempt: int
    name: str


@dataclass(frozen=True)
class ExposureFailed:
    index: int
    attempt: int
    code: int
    why: str


@dataclass(frozen=True)
class Paused:
    code: int
    why: str


@dataclass(frozen=True)
class Resumed:
    pass


@dataclass(frozen=True)
class Stopping:
    """A person ends the subset early: what is in flight is finished, nothing more is begun."""


@dataclass(frozen=True)
class Aborted:
    """Latched on both sides until a person re-arms it by its id. *by*: display or phone."""

    abort_id: bytes
    code: int
    why: str
    expected: int | None
    got: int | None
    by: str


@dataclass(frozen=True)
class Rearmed:
    abort_id: bytes


@dataclass(frozen=True)
class Completed:
    """Both sides agree on what is committed; *chain* is the full digest.

    *stopped*: a person ended the subset early, so *count* may be less than its x-rays.
    """

    count: int
    chain: bytes
    stopped: bool = False


Event = (
    Connected
    | PeerLost
    | PeerBack
    | Armed
    | Painting
    | Accepted
    | Committed
    | Retake
    | PhotoStored
    | ExposureFailed
    | Paused
    | Resumed
    | Stopping
    | Aborted
    | Rearmed
    | Completed
)
Output = Action | Event
