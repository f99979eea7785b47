"""Set the monitor itself over DDC/CI: brightness, contrast and white, each read back.

Monitors answer this bus badly: zeros and failed calls at random (monitorcontrol issue 288), replies
to another question (monitorcontrol issue 5), settings reported as failed that were applied and the
other way round (vdu_controls issue 35). So a value counts as set only when the monitor says so
afterwards: set, wait 200 ms, get, compare, three times at most. Codes are those of VESA MCCS 2.2a.
The package `monitorcontrol` (extra `ddc`) carries the bytes; Linux needs access to /dev/i2c-*.
"""

from __future__ import annotations

import asyncio
import functools
import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from rig.errors import UserError

TRIES = 3
"""How often a value is set, and how often a number is asked for."""
WAIT = 0.2
"""Seconds between setting and asking."""
PACE = 0.05
"""Seconds between two messages, DDC/CI 1.1 section 4; monitorcontrol's own pause never happens."""
PRESETS = {
    4000: 3, 5000: 4, 6500: 5, 7500: 6, 8200: 7, 9300: 8, 10000: 9, 11500: 10,
}  # fmt: skip
"""Kelvin -> value of the colour preset, MCCS 2.2a, code 14h."""

_FROM_HOST, _TO_HOST = b"\x51", 0x50
_COLDEST_REQUEST = 3000
"""Kelvin that the value 0 of code 0Ch stands for."""
_INCREMENT = 0x0B
"""Kelvin per step of code 0Ch, read only."""


class Feature(Enum):
    """What can be set; the value is its VCP code."""

    LUMINANCE = 0x10
    CONTRAST = 0x12
    COLOUR_PRESET = 0x14
    COLOUR_REQUEST = 0x0C
    RED = 0x16
    GREEN = 0x18
    BLUE = 0x1A

    @property
    def told(self) -> str:
        """Its name in events and JSON."""
        return self.name.lower()


class Vcp(Protocol):
    """The calls of `monitorcontrol.vcp.VCP` that are used; each may raise anything."""

    def set_vcp_feature(self, code: int, value: int) -> None:
        """Set *code* to *value*."""
        ...

    def get_vcp_feature(self, code: int) -> tuple[int, int]:
        """Value and maximum of *code*."""
        ...


class Monitor(Protocol):
    """The part of `monitorcontrol.Monitor` that is used; open only inside `with`."""

    @property
    def vcp(self) -> Vcp:
        """The bus to the monitor."""
        ...

    def __enter__(self) -> Any: ...

    def __exit__(self, *about: object) -> Any: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one setting.

    Attributes:
        feature: what was set.
        requested: the monitor's own number, usually 0..100; for presets the code of MCCS.
        confirmed: True when it was read back; False when another value was; None when nobody knows,
            because the monitor did not answer.
        readback: the last value read; None without an answer.
        why: a sentence unless confirmed.
    """

    feature: Feature
    requested: int
    confirmed: bool | None
    readback: int | None
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "feature": self.feature.told, "requested": self.requested,
            "confirmed": self.confirmed, "readback": self.readback, "why": self.why,
        }  # fmt: skip


def find_monitors() -> list[Monitor]:
    """The monitors that may speak DDC/CI, in the system's order.

    Raises:
        UserError: the package is missing, the system has no way to them, or there are none.
    """
    try:
        import monitorcontrol
    except ImportError as error:
        raise UserError(
            "the monitor cannot be set: the package monitorcontrol is missing; "
            "install capture-rig[ddc]"
        ) from error
    try:
        found: list[Monitor] = list(monitorcontrol.get_monitors())
    except Exception as error:  # the drivers of three systems, each with errors of its own
        raise UserError(f"the monitors cannot be listed ({reason(error)})") from error
    if not found:
        raise UserError(
            "no monitor answers DDC/CI; switch DDC/CI on in the monitor's menu, on Linux load the "
            "module i2c-dev and join the group i2c"
        )
    for monitor in found:
        _check_sums(monitor.vcp)
    return found


def _check_sums(vcp: Any) -> None:
    """Let monitorcontrol's Linux driver refuse garbled answers.

    It leaves that off, and rightly: it forgets that a monitor's checksum begins with the host's
    virtual address 50h (DDC/CI 1.1, section 1.6), so that it would refuse every answer.
    """
    if not hasattr(vcp, "CHECKSUM_ERRORS"):
        return  # the systems that check it themselves

    def checksum(data: bytes | bytearray) -> int:
        asked = data[1:2] == _FROM_HOST
        return functools.reduce(operator.xor, data, 0 if asked else _TO_HOST)

    vcp.get_checksum = checksum
    vcp.CHECKSUM_ERRORS = "strict"


async def apply(
    monitor: Monitor,
    wanted: Mapping[Feature, int],
    *,
    kelvin: int | None = None,
    require_readback: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Applied, ...]:
    """Set *wanted* and the white of *kelvin* on *monitor*, in a thread of its own.

    Args:
        monitor: of `find_monitors`.
        wanted: numbers as the monitor counts.
        kelvin: by preset when there is one (see `PRESETS`), else by colour temperature request.
        require_readback: raise instead of going on with what was not confirmed.
        sleep: waits the given seconds.

    Returns:
        One result for each setting; a monitor that fails is a result, not an error.

    Raises:
        UserError: *require_readback*, and something was not confirmed.
    """
    results = await asyncio.to_thread(_apply, monitor, dict(wanted), kelvin, sleep)
    failed = [f"{r.feature.told}: {r.why}" for r in results if not r.confirmed]
    if require_readback and failed:
        raise UserError(f"the monitor did not confirm {'; '.join(failed)}; set it by hand")
    return results


class Paced:
    """A bus on which no message follows the one before too closely."""

    def __init__(self, vcp: Vcp, sleep: Callable[[float], None]) -> None:
        self._vcp = vcp
        self._sleep = sleep
        self._used = False

    def set_vcp_feature(self, code: int, value: int) -> None:
        """As `Vcp.set_vcp_feature`."""
        self._pace()
        self._vcp.set_vcp_feature(code, value)

    def get_vcp_feature(self, code: int) -> tuple[int, int]:
        """As `Vcp.get_vcp_feature`."""
        self._pace()
        return self._vcp.get_vcp_feature(code)

    def _pace(self) -> None:
        if self._used:
            self._sleep(PACE)
        self._used = True


async def read(
    monitor: Monitor, *, sleep: Callable[[float], None] = time.sleep
) -> dict[Feature, tuple[int, int]]:
    """Value and maximum of every feature that the monitor answers for."""
    return await asyncio.to_thread(_read_all, monitor, sleep)


def _apply(
    monitor: Monitor, wanted: dict[Feature, int], kelvin: int | None, sleep: Callable[[float], None]
) -> tuple[Applied, ...]:
    if kelvin in PRESETS:
        wanted[Feature.COLOUR_PRESET] = PRESETS[kelvin]
    try:
        with monitor:
            vcp, results = Paced(monitor.vcp, sleep), []
            if kelvin is not None and kelvin not in PRESETS:
                asked = target(vcp, kelvin, sleep)
                done = asked if isinstance(asked, Applied) else put(vcp, *asked, sleep)
                results.append(done)
            results += [put(vcp, f, value, sleep) for f, value in wanted.items()]
            return tuple(results)
    except Exception as error:  # noqa: BLE001 - no monitor may stop a run
        why = f"the monitor cannot be opened ({reason(error)})"
        left = dict(wanted)
        if kelvin is not None and kelvin not in PRESETS:
            left[Feature.COLOUR_REQUEST] = kelvin
        return tuple(Applied(f, value, None, None, why) for f, value in left.items())


def target(vcp: Vcp, kelvin: int, sleep: Callable[[float], None]) -> tuple[Feature, int] | Applied:
    """What has to be set for *kelvin*: its preset, or steps above 3000 K; nothing is set.

    Returns:
        Feature and value, or the result that says why there is no way.
    """
    if kelvin in PRESETS:
        return Feature.COLOUR_PRESET, PRESETS[kelvin]
    increment = get(vcp, _INCREMENT, sleep)
    if increment is None or not 1 <= increment[0] <= 5000:
        presets = ", ".join(str(k) for k in PRESETS)
        why = f"the monitor takes no temperature in steps; it may have one of {presets} K"
        return Applied(Feature.COLOUR_REQUEST, kelvin, None, None, why)
    steps = (kelvin - _COLDEST_REQUEST) / increment[0]
    if steps < 0 or abs(steps - round(steps)) > 1e-9:
        why = (
            f"{kelvin} K is no whole number of steps of {increment[0]} K above {_COLDEST_REQUEST} K"
        )
        return Applied(Feature.COLOUR_REQUEST, kelvin, False, None, why)
    return Feature.COLOUR_REQUEST, round(steps)


def put(vcp: Vcp, feature: Feature, value: int, sleep: Callable[[float], None]) -> Applied:
    """Set *feature*, wait, get, compare; three times at most. Blocks for up to 3 s."""
    continuous = feature is not Feature.COLOUR_PRESET
    before = get(vcp, feature.value, sleep) if continuous else None
    if before is not None and value > before[1]:
        why = f"{value} is beyond the monitor's maximum of {before[1]}"
        return Applied(feature, value, False, before[0], why)
    readback, why = None, "the monitor does not answer"
    for _ in range(TRIES):
        try:
            vcp.set_vcp_feature(feature.value, value)
        except Exception as error:  # noqa: BLE001 - "failed" and yet applied happens: ask
            why = f"the monitor refuses ({reason(error)})"
        sleep(WAIT)
        answer = get(vcp, feature.value, sleep)
        if answer is None:
            continue
        readback = answer[0]
        if readback == value:
            return Applied(feature, value, True, readback)
        why = f"the monitor says {readback} instead of {value}"
    confirmed = None if readback is None else False
    return Applied(feature, value, confirmed, readback, why)


def get(vcp: Vcp, code: int, sleep: Callable[[float], None]) -> tuple[int, int] | None:
    """Value and maximum of *code*, asked three times at most; None without a believable answer."""
    for number in range(TRIES):
        if number:
            sleep(WAIT)
        try:
            value, maximum = vcp.get_vcp_feature(code)
        except Exception:  # noqa: BLE001, S112 - asked again; in the end "no answer" says it
            continue
        if maximum > 0 and 0 <= value <= maximum:
            return value, maximum
        # Zero of zero is what a busy monitor says; presets and increments have no true maximum.
        if code in (Feature.COLOUR_PRESET.value, _INCREMENT) and value > 0:
            return value, maximum
    return None


def _read_all(monitor: Monitor, sleep: Callable[[float], None]) -> dict[Feature, tuple[int, int]]:
    try:
        with monitor:
            vcp = Paced(monitor.vcp, sleep)
            answers = {feature: get(vcp, feature.value, sleep) for feature in Feature}
    except Exception:  # noqa: BLE001 - a monitor that cannot be opened says nothing
        return {}
    return {feature: answer for feature, answer in answers.items() if answer is not None}


def reason(error: Exception) -> str:
    """What *error* says, or its name when it says nothing."""
    return str(error) or type(error).__name__
