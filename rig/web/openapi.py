"""The description of the API: stable operation ids, declared errors, examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from rig.web.openapi_words import (
    ABOUT,
    BINARY,
    BUSY,
    CONFLICTS_ON_GET,
    FINDS,
    FULL,
    HEADERS,
    LIMITED,
    LINKED,
    NO_CONFLICT,
    PARAMETERS,
    PUBLIC,
    SLOW,
    TAGS,
)  # fmt: skip

Json = dict[str, Any]
PROBLEM: Final = "application/problem+json"
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head"})
_UNSAFE = frozenset({"put", "post", "delete", "patch"})
_RENAMED = {"stream": "stream_events"}

WHY = {
    400: "The Host header, or a name or number in a header, makes no sense.",
    401: "Not signed in: no token, or one that is void.",
    403: "Signed in, but not for this; or a page of another site asks.",
    404: "Nothing by that name or number is known.",
    405: "The address does not take this method; `Allow` says which it takes.",
    408: "The body did not arrive whole.",
    409: "It does not fit the present state, or somebody else has it in hand (`holder`).",
    413: "The body is too large.",
    422: "A field makes no sense; `errors` says where and why.",
    429: "Too many wrong tries: wait as long as `Retry-After` says.",
    500: "The controller made a mistake; its log says more.",
    503: "What this needs is not installed beside this controller.",
    507: "The controller's disk is nearly full.",
}


def operation_id(route: APIRoute) -> str:
    """The name of the function: it stays when a path moves."""
    return _RENAMED.get(route.name, route.name)


def install(app: FastAPI) -> None:
    """Complete what FastAPI derives from the code."""
    plain = app.openapi

    def described() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = complete(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def complete(api: Json) -> Json:
    """*api* with summaries, errors, headers and examples."""
    api["info"] |= {"description": ABOUT, "license": {"name": "Apache-2.0"}}
    api["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    parts = api.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    schemas["Problem"] = _PROBLEM
    parts["responses"] = {str(status): _problem(status) for status in WHY}
    schemes = parts.setdefault("securitySchemes", {})
    schemes["Cookie"] = {
        "type": "apiKey", "in": "cookie", "name": "rig",
        "description": "of a signed-in browser: HttpOnly, SameSite=Strict; its name differs from "
        "controller to controller",
    }  # fmt: skip
    parts["parameters"] = {"IdempotencyKey": _IDEMPOTENCY}
    told = _examples()
    for path, method, operation in operations(api):
        _describe(operation)
        _errors(path, method, operation)
        _body(operation)
        _headers(operation)
        _exemplify(operation, told.get(operation["operationId"], {}))
        if method in _UNSAFE - {"patch"} and operation["operationId"] not in PUBLIC:
            operation.setdefault("parameters", []).append(
                {"$ref": "#/components/parameters/IdempotencyKey"}
            )
        if operation.get("security") and "phone" not in operation["tags"]:
            operation["security"] = [*operation["security"], {"Cookie": []}]
    return api


def operations(api: Json) -> Iterator[tuple[str, str, Json]]:
    """(path, method, operation) of everything that *api* describes."""
    for path, item in api["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation


def _describe(operation: Json) -> None:
    """The first sentence of what the function says is the summary."""
    words = " ".join(operation.get("description", "").split("\n\n")[0].split())
    operation["summary"] = words.rstrip(".") or operation.get("summary", "")


def errors_of(path: str, method: str, operation: Json) -> list[int]:
    """Statuses of problems that an operation may answer."""
    ident = operation["operationId"]
    found = {400, 500} if ident in PUBLIC else {400, 401, 403, 500}
    if "{" in path or ident in FINDS:
        found.add(404)
    if (method in _UNSAFE and ident not in NO_CONFLICT) or ident in CONFLICTS_ON_GET:
        found.add(409)
    if operation.get("parameters") or "requestBody" in operation or "{" in path:
        found.add(422)
    if method in _UNSAFE:
        found |= {413, 422}
    found |= {403, 429} if ident in LIMITED else set()
    found |= {408} if ident in SLOW else set()
    found |= {503} if ident in BUSY else set()
    found |= {507} if ident in FULL else set()
    return sorted(found)


def _errors(path: str, method: str, operation: Json) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in errors_of(path, method, operation):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}


def _body(operation: Json) -> None:
    """What an answer holds that is no JSON."""
    media = BINARY.get(operation["operationId"])
    if media is None:
        return
    schema = {"type": "string", "format": "binary"}
    if "text/event-stream" in media:
        schema = {"type": "string"}
    responses = operation["responses"]
    responses["200"]["content"] = {one: {"schema": dict(schema)} for one in media}
    if any("image" in one for one in media):
        responses["304"] = {"description": "It is the one that `If-None-Match` names."}


def _headers(operation: Json) -> None:
    ident = operation["operationId"]
    good = [one for status, one in operation["responses"].items() if status.startswith("2")]
    for answer in good:
        if ident in LINKED:
            answer.setdefault("headers", {})["Link"] = _LINK
        for name, text in HEADERS.get(ident, {}).items():
            told = {"description": text, "schema": {"type": "string"}}
            answer.setdefault("headers", {})[name] = told


def _exemplify(operation: Json, told: Json) -> None:
    for one in operation.get("parameters", ()):
        if one.get("name") in PARAMETERS and one.get("in") in {"path", "query", "header"}:
            one.setdefault("example", PARAMETERS[one["name"]])
    wanted = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if wanted is not None and "request" in told:
        wanted["example"] = told["request"]
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if content is not None and status in told:
            content["example"] = told[status]


def _examples() -> dict[str, Json]:
    """Operation id -> `request` and the answers by status; taken from a rig at work.

    `"=show_session"` stands for the good answer of that operation.
    """
    text = files("rig.web").joinpath("openapi_examples.json").read_text(encoding="utf-8")
    found: dict[str, Json] = json.loads(text)
    for one in found.values():
        for status, told in one.items():
            if isinstance(told, str) and told.startswith("="):
                one[status] = found[told[1:]]["200"]
    return found


def _problem(status: int) -> Json:
    from http import HTTPStatus

    example = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": WHY[status],
    }  # fmt: skip
    schema = {"$ref": "#/components/schemas/Problem"}
    answer: Json = {
        "description": WHY[status],
        "content": {PROBLEM: {"schema": schema, "example": example}},
    }
    if status == 429:
        answer["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    if status == 401:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return answer


_PROBLEM: Json = {
    "title": "Problem",
    "type": "object",
    "description": "Problem details (RFC 9457). `detail` is a sentence for people.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "what"],
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
        "holder": {"type": "string", "description": "of a 409: who has it in hand"},
        "silent_s": {"type": "number", "description": "for so long nothing was heard of them"},
        "may_take_over": {"type": "boolean"},
    },
}
_LINK: Json = {
    "description": '`<address>; rel="next"`: where the list goes on; absent on its last page',
    "schema": {"type": "string"},
}
_IDEMPOTENCY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of your choice, one for each command. Sent again with the same key, a command "
    "is not carried out again but answered the same, for seven days, also after a restart; "
    "with another body it is refused with 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "example": "1f0b7a52-start",
}
