"""The phones: what each said last, and the pairing that a new one is given."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rig.capture.stations import Link
from rig.protocol.keys import BadPairing, Pairing, parse_pairing


def _cut(limit: int) -> BeforeValidator:
    """Text from outside: without control characters, at most *limit* characters, never refused."""

    def cut(value: object) -> object:
        if not isinstance(value, str):
            return value
        kept = (c if unicodedata.category(c)[0] != "C" else " " for c in value[: 2 * limit])
        return "".join(kept).strip()[:limit]

    return BeforeValidator(cut)


Line = Annotated[str, _cut(80)]
Sentence = Annotated[str, _cut(500)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e18)]


class Check(BaseModel):
    """One start check of the phone."""

    name: Line
    ok: bool
    text: Sentence = ""


class PhoneStatus(BaseModel):
    """What a phone says about itself; everything may be absent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: Line = ""
    index: Count | None = None
    name: Annotated[str, _cut(255)] | None = None
    count: Count | None = None
    total: Count | None = None
    battery_pct: Annotated[float, Field(ge=0, le=100)] | None = None
    temp_c: Annotated[float, Field(ge=-100, le=200)] | None = None
    charging: bool | None = None
    free_bytes: Count | None = None
    health_age_ms: Count | None = None
    link_ms: Number | None = None
    last_error: Sentence | None = None
    camera: Line | None = None
    checks: Annotated[list[Check], Field(max_length=40)] = []


@dataclass(frozen=True, slots=True)
class Heard:
    """The last status of a phone.

    Attributes:
        number: grows with every status, so that a page sees whether there is a new one.
        status: what it said.
        at: of the desk's clock.
    """

    number: int
    status: PhoneStatus
    at: float


@dataclass(frozen=True, slots=True)
class Paired:
    """A phone that exchanged a code since the controller's start."""

    device: str
    time_ns: int
    code: int


class Phones:
    """What the phones said last, kept in memory: it is worth nothing a minute later.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: dict[str, Heard] = {}
        self._paired: dict[str, Paired] = {}
        self._number = 0

    def tell(self, station: str, status: PhoneStatus) -> None:
        """Keep *status* as the last one of *station*'s phone."""
        self._number += 1
        self._heard[station] = Heard(self._number, status, self._clock())

    def pair(self, station: str, device: str, time_ns: int, code: int) -> None:
        """A phone was paired with *station*: what the one before it said is not its word."""
        self._heard.pop(station, None)
        self._paired[station] = Paired(device, time_ns, code)

    def forget(self, station: str) -> None:
        """The phone of *station* is none any more."""
        self._heard.pop(station, None)
        self._paired.pop(station, None)

    def paired(self, station: str) -> Paired | None:
        """Who exchanged a code for *station* last."""
        return self._paired.get(station)

    def view(self, station: str) -> dict[str, Any] | None:
        """The last status of *station*'s phone with its age, None when it said nothing yet."""
        if (heard := self._heard.get(station)) is None:
            return None
        return {**heard.status.model_dump(), **self.pulse(station)}

    def pulse(self, station: str) -> dict[str, int]:
        """Number and age (milliseconds) of the last status; empty when there is none."""
        if (heard := self._heard.get(station)) is None:
            return {}
        return {"number": heard.number, "age_ms": round((self._clock() - heard.at) * 1000)}


class NoPairingError(Exception):
    """The station cannot be paired right now; the sentence says what to do."""


def pairing_for(link: Link, base: str, token: str, caller: str) -> Pairing:
    """The pairing for a phone that called the controller at *base*.

    Its uploads go where it found the controller, not where the display agent did: that is often
    the loopback address. A display agent on the controller's own machine is also tried there.

    Args:
        link: the station's display agent.
        base: the controller's base URL as the phone sees it.
        token: the phone's bearer token.
        caller: the phone's address.

    Raises:
        NoPairingError: the agent told no pairing yet, or listens where no phone can come.
    """
    if link.pairing is None:
        raise NoPairingError(
            f"Station {link.station} is connected but has not told its pairing yet: try again in "
            "a few seconds."
        )
    try:
        told = parse_pairing(link.pairing)
    except BadPairing as error:
        raise NoPairingError(
            f"Station {link.station} told a pairing that cannot be used ({error}): restart its "
            "display agent."
        ) from error
    hosts = told.hosts
    if all(_loopback(host) for host, _ in hosts):
        if not _loopback(caller):
            raise NoPairingError(
                f"The display agent of station {link.station} listens on its own machine only: "
                "start it with --listen 0.0.0.0:PORT, then try again."
            )
    elif link.peer is not None and _loopback(link.peer):
        here = (urlsplit(base).hostname or "", hosts[0][1])
        if _is_ipv4(here[0]) and not _loopback(here[0]) and here not in hosts:
            hosts = (here, *hosts)
    return replace(told, hosts=hosts, upload_url=base, upload_token=token)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_ipv4(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 4
    except ValueError:
        return False
