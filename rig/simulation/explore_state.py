"""What the explored world consists of, and which of its datagrams may still matter."""

from __future__ import annotations

from typing import Any, NamedTuple

from rig.protocol import actions as act
from rig.protocol.codes import MessageType
from rig.protocol.display import Phase
from rig.simulation.explore_sides import Side, Wire

_ACKS = frozenset({MessageType.ACK, MessageType.ABORT_ACK})


class Budgets(NamedTuple):
    """How many faults of each kind may still happen."""

    crash: int = 0
    camera: int = 0
    glitch: int = 0
    wrong: int = 0
    abort: int = 0
    silence: int = 0
    pause: int = 0
    bye: int = 0
    ping: int = 0
    stop: int = 0
    pause_now: int = 0
    finish: int = 0


class Exposure(NamedTuple):
    """A camera call: *shown* is what the shutter saw (None before it fires, 0 a blank screen)."""

    ticket: act.Ticket
    shown: int | None
    killed: bool = False


class World(NamedTuple):
    """Everything there is. *screen*: the index that is up, 0 for none."""

    display: Side
    phone: Side
    budgets: Budgets
    net: tuple[Wire, ...] = ()
    screen: int = 0
    paint: tuple[int, bytes] | None = None
    check: tuple[bytes, bytes] | None = None
    cameras: tuple[Exposure, ...] = ()
    store: act.StorePhoto | None = None
    files: frozenset[str] = frozenset()
    fired: frozenset[tuple[int, int]] = frozenset()
    stopped: tuple[bytes, bytes] | None = None
    """The abort that the phone latched and no person cleared yet, and its photo in doubt then."""
    had_cause: bool = False
    """Whether anything has happened that an abort may be the answer to."""
    stop_asked: bool = False
    """Whether a person has asked to end the subset early."""
    ended: frozenset[tuple[int, int]] | None = None
    """Once STOP is confirmed: the attempts that were asked for before. No other may follow."""


class Step(NamedTuple):
    """One transition. *cause*: the datagram that was delivered; *triggered*: shutters asked for."""

    label: str
    fair: bool
    after: World
    cause: Wire | None = None
    triggered: tuple[tuple[int, int], ...] = ()
    error: str = ""
    aborted: bytes = b""
    """The abort that the phone reports."""


def alive(wire: Wire, w: World) -> bool:
    """Whether *wire* may still change anything, ever."""
    side = w.phone if wire.to_phone else w.display
    s = side.inside
    if wire.type == MessageType.HELLO:
        return bool(s) and w.display.core is not None and wire.nonce == nonce_of(w.display)
    if wire.type == MessageType.KNOCK:
        known = bool(s) and (
            wire.boot in s["_superseded"] or (s["_armed"] and s["_boot"] == wire.boot)
        )
        return not known
    if not s:
        return False
    if wire.type == MessageType.READY:
        stale = wire.boot == s["_boot"] and wire.pn <= s["_answered"][1]
        return wire.nonce == s["_nonce_d"] and wire.boot not in s["_superseded"] and not stale
    if not wire.to_phone:
        if wire.type == MessageType.META_ACK and not answers(wire, w):
            return False
        return s["phase"] is not Phase.COMPLETE and opens(s["_connection"], wire)
    if wire.type in _ACKS:
        return acks(w.phone, wire.conn, wire.ack) and opens(s["_live"], wire)
    candidate = s["_candidates"].get(wire.conn)
    connection = candidate.connection if candidate else s["_live"]
    return opens(connection, wire)


def answers(wire: Wire, w: World) -> bool:
    """Whether *wire* is, or answers, a transmission of what the display asks for now."""
    name = {MessageType.META_PART: "_part", MessageType.META_ACK: "_part"}
    asked = w.display.inside.get(name.get(MessageType(wire.type), "_request"))
    return asked is not None and (wire.pn if wire.to_phone else wire.ack) in asked.pns


def wanted(conn: bytes, nonce: bytes, w: World) -> bool:
    """Whether a candidate of the phone may still be armed."""
    connection = w.display.inside.get("_connection")
    asked = w.display.core is not None and nonce_of(w.display) == nonce
    held = connection is not None and connection.conn_id == conn
    return asked or held or any(m.conn == conn and m.to_phone for m in w.net)


def nonce_of(display: Side) -> bytes:
    return display.inside["_nonce_d"] or b"none"


def held(w: World) -> bool:
    """Whether both sides hold the phone's live connection: a knock says nothing then."""
    live, connection = w.phone.inside["_live"], w.display.inside.get("_connection")
    if live is None or connection is None or live.closed or connection.closed:
        return False
    return bool(live.conn_id == connection.conn_id)


def acks(phone: Side, conn: bytes, pn: int) -> bool:
    """Whether an ACK of *pn* would settle what the phone repeats."""
    live, con = phone.inside.get("_live"), phone.inside.get("_con")
    return live is not None and con is not None and live.conn_id == conn and pn in con.pns


def opens(connection: Any, wire: Wire) -> bool:
    """Whether *connection* would take *wire*: its own, and not seen before."""
    if connection is None or connection.conn_id != wire.conn:
        return False
    window = vars(connection)["_window"]
    highest, seen = vars(window)["_highest"], vars(window)["_seen"]
    age = highest - wire.pn
    return age < 0 or (age < 64 and not seen >> age & 1)


def old_capture(w: World) -> bool:
    """Whether a CAPTURE of an index that the phone has committed is in flight."""
    return any(
        m.index < w.phone.expected and m.to_phone and m.type == MessageType.CAPTURE for m in w.net
    )


def misfiled(w: World) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
    """Photos whose files are missing, and files that no record speaks of."""
    kept = w.phone.kept
    missing = tuple([kept[name] for name in kept if name not in w.files])
    return missing, tuple(sorted(w.files - kept.keys()))
