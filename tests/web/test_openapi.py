"""The description of the API is complete: summaries, examples that fit, errors, stable ids."""

from __future__ import annotations

import re

import jsonschema_rs
import pytest

from rig.web import openapi
from rig.web.app import create_app
from rig.web.controller import Controller


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The description, as it is served."""
    rig = Controller.open(tmp_path_factory.mktemp("openapi") / "home")
    yield create_app(rig).openapi()
    rig.jobs.close()
    rig.database.close()


@pytest.fixture
def operations(api):
    """(path, method, operation) of all of them."""
    return list(openapi.operations(api))


def test_every_operation_says_what_it_does(operations, api):
    """A sentence, one tag that is explained, and an id of its own that is a name."""
    tags = {one["name"] for one in api["tags"] if one["description"]}
    ids = [one["operationId"] for _, _, one in operations]
    assert len(ids) == len(set(ids)) > 80
    for path, method, one in operations:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", one["operationId"]), path
        assert len(one["summary"]) >= 10, (method, path)
        assert len(one["tags"]) == 1, (method, path)
        assert set(one["tags"]) <= tags, (method, path)
        told = {field["name"] for field in one.get("parameters", ()) if field.get("in") == "path"}
        assert told == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_body_and_answer_has_an_example_that_fits(operations, api):
    """Of each request and each good answer that is JSON; it is valid by its own schema."""
    checked = 0
    for path, method, one in operations:
        places = [("request", one.get("requestBody", {}))]
        places += [(s, a) for s, a in one["responses"].items() if s.startswith("2")]
        for name, place in places:
            content = place.get("content", {}).get("application/json")
            if content is None or content["schema"].get("format") == "binary":
                continue
            assert "example" in content, (one["operationId"], name)
            schema = {**content["schema"], "components": api["components"]}
            errors = [str(e) for e in jsonschema_rs.iter_errors(schema, content["example"])]
            assert errors == [], (method, path, name)
            checked += 1
    assert checked > 100


def test_examples_hold_no_place_and_no_secret(api):
    """They are from a rig at work, made neutral."""
    text = str([one for _, _, one in openapi.operations(api)])
    for word in ("/tmp", "/root", "pytest", "127.0.0.1:"):
        assert word not in text


def test_every_error_is_problem_details(operations, api):
    """Each operation declares them, and what they look like."""
    for path, method, one in operations:
        failures = {s: a for s, a in one["responses"].items() if s >= "400"}
        assert {"400", "500"} <= set(failures), path
        if one["operationId"] != "pair_phone":
            assert {"401", "403"} <= set(failures), path
        for status, answer in failures.items():
            told = api["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert openapi.PROBLEM in told["content"], (method, path, status)
    assert "HTTPValidationError" not in api["components"]["schemas"]


def test_commands_take_a_key_and_lists_lead_on(operations):
    """Where docs/api.md says so."""
    keyed = {
        one["operationId"] for _, method, one in operations
        if any("IdempotencyKey" in str(field.get("$ref")) for field in one.get("parameters", ()))
    }  # fmt: skip
    assert {"start_session", "create_session", "add_station", "keep_evidence"} <= keyed
    assert not {"append_photo", "list_sessions", "show_session", "pair_phone"} & keyed
    for _, _, one in operations:
        fields = {field.get("name") for field in one.get("parameters", ())}
        if "cursor" in fields:
            assert "Link" in one["responses"]["200"]["headers"], one["operationId"]
