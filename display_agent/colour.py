"""Colour temperature by gains on the encoded channels, for a monitor that cannot be set.

The white of temperature T is looked up as a chromaticity, turned into linear sRGB, divided by the
white of 6500 K, scaled so that the largest channel is 1 and encoded with the exponent 1/2.2:

* T < 5000 K: Planckian locus, cubic fit of Kim et al., US patent 7,024,034 (1667-25000 K).
* T >= 5000 K: CIE daylight locus, CIE 15:2004 section 3.1 (4000-25000 K).
* XYZ (Y = 1) to linear sRGB: the matrix of IEC 61966-2-1.

The change of locus at 5000 K is that of Redshift's README-colorramp; only this recipe is used, no
table of anyone's. There the two loci are not quite the same white; see `docs/display-look.md`.

A gain on encoded values is a constant ratio of light only on a display whose light is a power of
the value. The exponent 2.2 is assumed, not measured: compare with a photo of a white frame.
"""

from __future__ import annotations

from PIL import Image

from rig.errors import UserError

Gains = tuple[float, float, float]
"""Factors of red, green and blue, each 0..1, the largest of them 1."""
Chromaticity = tuple[float, float]
"""CIE 1931 x, y."""

NEUTRAL: Gains = (1.0, 1.0, 1.0)
REFERENCE = 6500
"""Kelvin at which nothing is changed: the white of a monitor as it is delivered."""
LOWEST, HIGHEST = 1667, 25000
"""Kelvin, the range of Kim's fit."""

_LOCI_MEET = 5000
_EXPONENT = 1 / 2.2
_TO_LINEAR_SRGB = (
    (3.2406, -1.5372, -0.4986),
    (-0.9689, 1.8758, 0.0415),
    (0.0557, -0.2040, 1.0570),
)


def gains_of(kelvin: float) -> Gains:
    """Gains on encoded red, green and blue that make the white of 6500 K one of *kelvin*.

    Raises:
        UserError: outside 1667..25000 K.
    """
    return relative(chromaticity(kelvin), chromaticity(REFERENCE))


def chromaticity(kelvin: float) -> Chromaticity:
    """The white of *kelvin*: Planckian below 5000 K, daylight from there on.

    Raises:
        UserError: outside 1667..25000 K.
    """
    if not LOWEST <= kelvin <= HIGHEST:
        raise UserError(
            f"a colour temperature of {kelvin:g} K cannot be shown; "
            f"choose {LOWEST} to {HIGHEST} K in the environments file"
        )
    return planckian(kelvin) if kelvin < _LOCI_MEET else daylight(kelvin)


def planckian(kelvin: float) -> Chromaticity:
    """A black body of *kelvin*, 1667..25000; Kim et al."""
    t = 1000 / kelvin
    if kelvin < 4000:
        x = ((-0.2661239 * t - 0.2343589) * t + 0.8776956) * t + 0.179910
    else:
        x = ((-3.0258469 * t + 2.1070379) * t + 0.2226347) * t + 0.240390
    if kelvin < 2222:
        y = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    elif kelvin < 4000:
        y = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    else:
        y = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    return x, y


def daylight(kelvin: float) -> Chromaticity:
    """Daylight of correlated colour temperature *kelvin*, 4000..25000; CIE 15:2004."""
    t = 1000 / kelvin
    if kelvin <= 7000:
        x = ((-4.6070 * t + 2.9678) * t + 0.09911) * t + 0.244063
    else:
        x = ((-2.0064 * t + 1.9018) * t + 0.24748) * t + 0.237040
    return x, (-3.000 * x + 2.870) * x - 0.275


def relative(white: Chromaticity, reference: Chromaticity) -> Gains:
    """Encoded gains from the white *reference* to *white*; the largest is 1."""
    ratios = [
        max(0.0, one) / other for one, other in zip(_linear(white), _linear(reference), strict=True)
    ]
    red, green, blue = ((ratio / max(ratios)) ** _EXPONENT for ratio in ratios)
    return red, green, blue


def tinted(frame: Image.Image, gains: Gains) -> Image.Image:
    """*frame* (mode L or RGB) with its channels times *gains*, rounded; RGB, or itself if neutral.

    Raises:
        ValueError: a gain outside 0..1.
    """
    if any(not 0 <= gain <= 1 for gain in gains):
        raise ValueError(f"gains {gains} are not within 0..1")
    if gains == NEUTRAL:
        return frame
    channels = frame.split() if frame.mode == "RGB" else (frame,) * 3
    return Image.merge(
        "RGB",
        [
            channel.point([round(value * gain) for value in range(256)])
            for channel, gain in zip(channels, gains, strict=True)
        ],
    )


def _linear(white: Chromaticity) -> Gains:
    """Linear sRGB of a chromaticity at luminance 1."""
    x, y = white
    xyz = (x / y, 1.0, (1 - x - y) / y)
    red, green, blue = (
        sum(factor * part for factor, part in zip(row, xyz, strict=True)) for row in _TO_LINEAR_SRGB
    )
    return red, green, blue
