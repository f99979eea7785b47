"""The limits of the optical check for everything that one home takes in: `HOME/thresholds.toml`.

Real photos have to confirm the designed limits, so all of them are configuration: `rig verify
--print-thresholds` prints the file, and whoever judges photos (as they arrive, batches, photos by
hand, films, `rig verify`, `rig dataset check`) reads it again each time. A backup holds it.
"""

from __future__ import annotations

from pathlib import Path

from rig.intake.limits import Limits, load

FILE = "thresholds.toml"


def limits_of(home: Path) -> Limits:
    """The limits of *home*; the designed ones without the file.

    Raises:
        UserError: the file cannot be read, or says what makes no sense.
    """
    file = home / FILE
    return load(file) if file.exists() else Limits()
