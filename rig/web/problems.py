"""Every error as RFC 9457 problem details: a status, a title, a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from rig.capture.locks import HeldError
from rig.errors import UserError
from rig.store.errors import ConflictError, NotFoundError
from rig.web import routes
from rig.web.render import page

log = structlog.get_logger("rig.web")


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        detail: a sentence: what happened, what to do next.
        headers: further headers of the answer.
        more: further members of the problem object.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more


def response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The answer for a problem."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, status, dict(headers or {}), media_type="application/problem+json")


def _answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Problem details; for a browser that opens a page, the same as a page."""
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith("/api/"):
        return page("error.html", status, title=HTTPStatus(status).phrase, detail=detail)
    return response(status, detail, headers, **more)


def install(app: FastAPI) -> None:
    """Make *app* answer every error with problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _crash)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for exactly this class
    return _answer(request, error.status, error.detail, error.headers, **error.more)


async def _user_error(request: Request, error: Exception) -> Response:
    status = 422
    if isinstance(error, NotFoundError):
        status = 404
    elif isinstance(error, ConflictError):
        status = 409
    more: dict[str, Any] = {}
    if isinstance(error, HeldError):
        names = ("holder", "silent_s", "may_take_over")
        more = {name: getattr(error, name) for name in names}
    return _answer(request, status, str(error), **more)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for exactly this class
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = "There is nothing at this address."
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
        detail = f"{request.method} is not for this address; it takes {headers['Allow']}."
    return _answer(request, error.status_code, detail, headers)


def _allowed(request: Request) -> list[str]:
    """Methods that the address takes, of all its routes."""
    found: set[str] = set()
    for route in routes.every(request.app):
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return sorted(found)


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    errors = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": one["msg"]}
        for one in error.errors()
    ]
    first = errors[0]
    return response(422, f"{first['where']}: {first['what']}.", errors=errors)


async def _crash(request: Request, error: Exception) -> Response:
    # Neither the message nor the path: both may hold what must not be shown or logged.
    log.error("request failed", method=request.method, error=type(error).__name__)
    return mistake()


def mistake() -> Response:
    """The answer when the controller itself is at fault."""
    return response(500, "The controller made a mistake; its log says more.")
