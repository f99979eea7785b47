"""Templates to pages."""

from __future__ import annotations

from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from rig.web import assets, sentences


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("rig.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "duration": sentences.duration,
        "size": sentences.size,
        "clock": sentences.clock,
        "iso": sentences.iso,
        "say": sentences.say,
        "many": sentences.many,
        "shown_by": sentences.shown_by,
    }
    made.globals |= {"static": assets.address}
    return made


TEMPLATES = _environment()


def page(name: str, /, status: int = 200, **values: Any) -> HTMLResponse:
    """Render template *name*."""
    return HTMLResponse(TEMPLATES.get_template(name).render(**values), status)
