"""Rate, round trip and size of a session over time, in few enough points to be drawn."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Connection, func, select

from rig.store import tables

POINTS: Final = 240
_Row = tuple[int, int, float | None, float | None, int | None]
LEAST_S: Final = 2.0
"""Shortest stretch that one point stands for, seconds."""


class Series(BaseModel):
    """Columns of equal length; a stretch without a photo has rate 0 and no round trip."""

    time: list[float] = Field(description="middle of each stretch, Unix time in seconds")
    rate: list[float] = Field(description="photos kept per minute")
    rtt: list[float | None] = Field(description="mean round trip, milliseconds")
    rtt_max: list[float | None] = Field(description="longest round trip, milliseconds")
    bytes: list[float] = Field(description="bytes of all photos kept up to here")


def series(connection: Connection, session: str, points: int = POINTS) -> Series:
    """The captures of *session* in at most *points* stretches of equal length."""
    capture = tables.capture
    mine = (capture.c.session == session) & capture.c.committed
    first, last, count = connection.execute(
        select(func.min(capture.c.time_ns), func.max(capture.c.time_ns), func.count()).where(mine)
    ).one()
    if not count:
        return Series(time=[], rate=[], rtt=[], rtt_max=[], bytes=[])
    span = (last - first) / 1e9
    # Four photos to a stretch, or the rate is a comb.
    width = max(span / points, 4 * span / count, LEAST_S)
    stretch = ((capture.c.time_ns - first) / int(width * 1e9)).cast(BigInteger)
    query = (
        select(
            stretch.label("at"), func.count(), func.avg(capture.c.rtt_ms),
            func.max(capture.c.rtt_ms), func.sum(capture.c.size),
        )
        .where(mine)
        .group_by("at")
    )  # fmt: skip
    rows: dict[int, _Row] = {row[0]: tuple(row) for row in connection.execute(query)}
    return _columns(rows, first / 1e9, span, width)


def _columns(rows: dict[int, _Row], first: float, span: float, width: float) -> Series:
    made = Series(time=[], rate=[], rtt=[], rtt_max=[], bytes=[])
    total = 0.0
    for at in range(max(rows) + 1):
        _, count, mean, longest, size = rows.get(at, (at, 0, None, None, None))
        total += size or 0
        length = min(width, max(span - at * width, width / 2))  # the last one is not over yet
        made.time.append(first + at * width + length / 2)
        made.rate.append(60 * count / length)
        made.rtt.append(mean)
        made.rtt_max.append(longest)
        made.bytes.append(total)
    return made
