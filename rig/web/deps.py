"""What routes ask for: the controller and a caller with the right role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Path
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from rig.web.auth import Principal, Role
from rig.web.controller import Controller
from rig.web.problems import Problem

SESSION_ID = r"^s[0-9a-f]{16}$"
SessionId = Annotated[str, Path(pattern=SESSION_ID, description="`s` and 16 hex digits")]


def _controller(connection: HTTPConnection) -> Controller:
    controller: Controller = connection.app.state.rig
    return controller


Rig = Annotated[Controller, Depends(_controller)]


def only(*roles: Role) -> Callable[[HTTPConnection], Principal]:
    """A dependency that lets these roles pass."""

    def check(connection: HTTPConnection) -> Principal:
        principal: Principal | None = connection.state.principal
        if principal is None or principal.role not in roles:
            who = "nobody" if principal is None else f"a {principal.role}"
            raise Problem(403, f"This is not open to {who}.")
        return principal

    return check


Operator = Annotated[
    str | None, Header(alias="X-Operator", description="name of the person who asks")
]
"""Who asks, when the body does not say it."""

bearer = Depends(HTTPBearer(auto_error=False, description="access, station or phone token"))
"""Only describes the sign-in in OpenAPI; `rig.web.middleware.Gate` does the checking."""

operator = [bearer, Depends(only(Role.OPERATOR))]
"""Dependencies of a route for operators."""
