"""All routes of an app, of the routers in it too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.routing import BaseRoute


def every(router: Any) -> Iterator[BaseRoute]:
    """The routes of *router* (or app), in the order in which they are looked at.

    Routers are included without a prefix, so a route's path is its whole path.
    """
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from every(inner)
