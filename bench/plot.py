"""The picture of the loss benchmark: two small plots as SVG, without any library."""

from __future__ import annotations

import math
from typing import Any

WIDTH, HEIGHT = 740, 300
_TOP, _BOTTOM, _LEFT, _PLOT = 48, 244, 52, 280
"""Pixels: upper and lower edge of both plots, left edge and width of the first."""
_STEP = 360
_COLOURS = ("#1f6f8b", "#b4552d")
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.t{font-weight:bold}.m{text-anchor:middle}"
    ".e{text-anchor:end}.g{stroke:#ddd}.a{stroke:#666}"
)


def picture(result: dict[str, Any]) -> str:
    """*result* of `bench.loss` as the text of an SVG file; bars span the runs."""
    losses = result["losses"]
    panels = (
        ("captures per second", [each["captures_per_s"] for each in losses]),
        ("datagrams per capture", [each["datagrams_per_capture"] for each in losses]),
    )
    shares = [each["loss"] for each in losses]
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img">'
        ),
        "<title>Captures per second and datagrams per capture by loss</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for at, (title, spreads) in enumerate(panels):
        parts += _panel(_LEFT + at * _STEP, title, _COLOURS[at], shares, spreads)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def ticks(top: float) -> list[float]:
    """Round values from 0 to at least *top* (above 0), four to eight of them."""
    rough = top / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    return [n * step for n in range(math.ceil(top / step) + 1)]


def _panel(
    left: float, title: str, colour: str, shares: list[float], spreads: list[dict[str, float]]
) -> list[str]:
    marks = ticks(max(s["max"] for s in spreads))

    def x(share: float) -> float:
        return left + share / max(shares) * _PLOT

    def y(value: float) -> float:
        return _BOTTOM - value / marks[-1] * (_BOTTOM - _TOP)

    parts = [f'<text class="t" x="{left}" y="28">{title}</text>']
    for mark in marks:
        parts += [
            (
                f'<line class="g" x1="{left}" x2="{left + _PLOT}" y1="{y(mark):.1f}" '
                f'y2="{y(mark):.1f}"/>'
            ),
            f'<text class="e" x="{left - 8}" y="{y(mark) + 4:.1f}">{mark:g}</text>',
        ]
    parts.append(f'<line class="a" x1="{left}" x2="{left + _PLOT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>')
    for share in shares:
        parts.append(f'<text class="m" x="{x(share):.1f}" y="{_BOTTOM + 18}">{share:.0%}</text>')
    middle = left + _PLOT / 2
    parts.append(f'<text class="m" x="{middle}" y="{_BOTTOM + 40}">lost in each direction</text>')
    points = [(x(a), s) for a, s in zip(shares, spreads, strict=True)]
    line = " ".join(f"{at:.1f},{y(s['median']):.1f}" for at, s in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for at, s in points:
        parts += [
            (
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(s["min"]):.1f}" y2="{y(s["max"]):.1f}" '
                f'stroke="{colour}" stroke-width="5" stroke-opacity="0.35"/>'
            ),
            f'<circle cx="{at:.1f}" cy="{y(s["median"]):.1f}" r="4" fill="{colour}"/>',
            f'<text x="{at + 7:.1f}" y="{y(s["median"]) - 8:.1f}">{s["median"]:.3g}</text>',
        ]
    return parts
