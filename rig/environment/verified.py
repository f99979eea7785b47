"""Set a level and, where a light sensor sees it, look whether it is so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rig.environment.config import Band, RoomFile
from rig.environment.model import ActuatorError, Applied
from rig.environment.room import Room


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of a request.

    Attributes:
        applied: as the device says, or with the sensor's word where it says nothing.
        why: what does not fit, in a sentence; None when all does.
    """

    applied: Applied
    why: str | None = None


def light_sentence(lux: float, band: Band) -> str:
    """`light is 12 lux, the plan wants 200-450: ...`."""
    do = "make the room brighter" if lux < band.low else "make the room darker"
    return f"light is {lux:g} lux, the plan wants {band.text}: {do}"


async def apply_verified(room: Room, file: RoomFile, name: str, level: str) -> Verified:
    """Set *level* by actuator *name*; the sensor of its `verify` has the last word.

    A sensor that does not answer leaves it to the device, or to a person.

    Raises:
        ActuatorError: as `Room.apply`.
    """
    done = await room.apply(name, level)
    band = file.band(name, level)
    if band is None:
        why = None
        if done.confirmed is False:
            why = f"{name} was set to {level} and says {done.readback}"
        return Verified(done, why)
    if band.sensor == name:
        return Verified(done, None if done.confirmed else _read_light(done, band))
    try:
        lux = await room.read_lux(band.sensor)
    except ActuatorError as error:
        return Verified(done, f"the light could not be checked: {error}")
    inside = band.low <= lux <= band.high
    words = [one for one in (done.readback, f"{lux:g} lux") if one]
    seen = replace(
        done, confirmed=inside and done.confirmed is not False, readback=", ".join(words)
    )
    if inside and done.confirmed is False:
        return Verified(seen, f"{name} was set to {level} and says {done.readback}")
    return Verified(seen, None if inside else light_sentence(lux, band))


def _read_light(done: Applied, band: Band) -> str:
    return light_sentence(float((done.readback or "0").split()[0]), band)
