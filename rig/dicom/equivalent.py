"""The window with which a de-identified file looks like its picture.

Of all that sets the grey levels of an image only Window Center and Width and the rescale are among
the 25 elements that are kept. A viewer takes a window for LINEAR (PS3.3 C.11.2.1.2), so what else
was meant is said as a LINEAR one: LINEAR_EXACT and percentiles exactly, a SIGMOID or a table by the
LINEAR window that comes nearest. Pixel data is not changed for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from rig.dicom.decoding import Stored
from rig.dicom.doubts import Decision, Doubt
from rig.dicom.lut import Values
from rig.dicom.plausible import are_plausible, decimals, rescale
from rig.dicom.quiet import quiet
from rig.dicom.rendering import Grey, How
from rig.dicom.window import Function, Window

RULE = "window"
UNSEEN = 1.0
"""Grey levels of 255 that a file may differ from its picture without a word."""
_SHARES = np.linspace(0.005, 0.49, 98)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a de-identified file says of its grey levels.

    Attributes:
        how: what set those of the picture.
        centres: of its windows, the first is the one that is meant; empty when it has none.
        widths: likewise.
        off: grey levels of 255 that a pixel is off the picture at most, with the first window;
            None without one.
    """

    how: str
    centres: tuple[float, ...] = ()
    widths: tuple[float, ...] = ()
    off: float | None = None


def kept_window(dataset: Dataset, stored: Stored, grey: Grey) -> Kept:
    """The window for the de-identified file of an image.

    Args:
        dataset: the image's header.
        stored: its stored values.
        grey: what its picture was made with (`rig.dicom.rendering.grey_of`).
    """
    with quiet():
        kept = rescale(dataset)
        centres, widths = (decimals(dataset, f"Window{name}") for name in ("Center", "Width"))
    raw = np.arange(grey.lowest, grey.lowest + len(grey.levels), dtype=np.float64)
    values = raw if kept is None else raw * kept[0] + kept[1]
    same = bool(np.array_equal(values, grey.values))
    told = _told(grey)
    if same and grey.linear is not None:
        if grey.window is not None and grey.window.function is Function.LINEAR:
            first = (grey.window.centre, grey.window.width)
            if len(centres) == len(widths) and (*centres[:1], *widths[:1]) == first:
                return Kept(told, centres, widths, 0.0)
        return _written(told, *grey.linear, 0.0)
    counts = np.bincount((stored.ravel().astype(np.int32) - grey.lowest), minlength=len(values))
    occur = counts > 0
    wanted = 1 - grey.levels[occur] if grey.inverted else grey.levels[occur]
    near = nearest(values[occur], wanted, counts[occur].astype(np.float64))
    if near is None:
        return Kept(told)
    found = Window(*near).apply(values[occur])
    return _written(told, *near, float(np.abs(_grey(found) - _grey(wanted)).max()))


def nearest(values: Values, wanted: Values, counts: Values) -> tuple[float, float] | None:
    """Centre and width of the LINEAR window that comes nearest to *wanted*, by its mean square.

    Args:
        values: after the rescale, of each value that occurs.
        wanted: where each lies from black, 0, to white, 1.
        counts: how often each occurs.

    Returns:
        None when the levels fall where values rise: no window does that.
    """
    order = np.argsort(values, kind="stable")
    values, wanted, counts = values[order], wanted[order], counts[order]
    if len(values) < 2 or wanted[-1] <= wanted[0]:
        return None
    rising = np.maximum.accumulate(wanted)
    best: tuple[float, float, float] | None = None
    for share in _SHARES:
        # The ramp through the places where the curve is that far from black and from white.
        low, high = (float(np.interp(one, rising, values)) for one in (share, 1 - share))
        more = share * (high - low) / (1 - 2 * share)
        centre, width = (low + high) / 2 + 0.5, high - low + 2 * more + 1
        window = Window(centre, width)
        if not window.sound:
            continue
        error = float(np.average((window.apply(values) - wanted) ** 2, weights=counts))
        if best is None or error < best[0]:
            best = error, centre, width
    return None if best is None else best[1:]


def remark(kept: Kept) -> tuple[Doubt, ...]:
    """What a person should know: the file cannot look like its picture."""
    if kept.off is not None and kept.off <= UNSEEN:
        return ()
    sentence = f"Its grey levels come from a {kept.how}, which the de-identified file cannot hold: "
    if kept.off is None:
        sentence += "it has no window."
    else:
        sentence += (
            f"it has the nearest linear window, at most {kept.off:.0f} of 255 grey levels off."
        )
    return (Doubt(RULE, sentence, Decision.ACCEPT, kept.off),)


def _told(grey: Grey) -> str:
    if grey.window is not None and grey.window.function is not Function.LINEAR:
        return f"window of the function {grey.window.function}"
    return "VOI LUT" if grey.how is How.VOI_LUT else f"modality LUT and a {grey.how}"


def _written(how: str, centre: float, width: float, off: float) -> Kept:
    if are_plausible("WindowCenter", (centre,)) and are_plausible("WindowWidth", (width,)):
        return Kept(how, (centre,), (width,), off)
    return Kept(how)


def _grey(levels: Values) -> Values:
    shown: Values = np.floor(levels * 255 + 0.5)
    return shown
