"""What routes ask for: the controller and a caller with the right role."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Path
from fastapi.security import HTTPBearer
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import HTTPConnection

from rig.web import operators
from rig.web.auth import Principal, Role
from rig.web.controller import Controller
from rig.web.problems import Problem


class _Hex64(Convertor[str]):
    """64 hex digits: what is none leaves the address to other routes."""

    regex = "[0-9a-f]{64}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("hex64", _Hex64())
SESSION_ID = r"^s[0-9a-f]{16}$"
SESSION_RE = re.compile(SESSION_ID.replace("$", r"\Z"), re.ASCII)
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


def _name(
    connection: HTTPConnection,
    _said: Annotated[
        str | None,
        Header(alias="X-Operator", description="name of the person who asks", max_length=200),
    ] = None,
) -> str | None:
    return operators.who(connection)


Operator = Annotated[str | None, Depends(_name)]
"""Who asks: as the body says, else the header, else whose browser or script it is."""

bearer = Depends(HTTPBearer(auto_error=False, description="access, station or phone token"))
"""Only describes the sign-in in OpenAPI; `rig.web.middleware.Gate` does the checking."""

operator = [bearer, Depends(only(Role.OPERATOR))]
"""Dependencies of a route for operators."""
