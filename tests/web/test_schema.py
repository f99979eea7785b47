"""Whatever the OpenAPI allows or forbids to send: no crash, no status or body it does not declare.

Schemathesis makes the requests from the description alone: valid ones, ones that are wrong in one
place, and methods that no address takes. The same ones at every run.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from PIL import Image
from schemathesis.checks import CHECKS as KNOWN
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.testclient import TestClient

from rig.catalog.model import COLUMNS
from rig.web.app import create_app
from rig.web.controller import Controller

load_all_checks()
CHECKS = [
    KNOWN.get_one("not_a_server_error"),
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
]
"""Left out: positive_data_acceptance. Names of campaigns and states of sessions are no part of a
schema, so what is well formed may well be answered 409 or 422; that it is *declared* is checked.
"""
ENDLESS = "stream_events"
"""The live stream has its own tests: it does not end."""
PARTS = 4
"""So many tests share the operations, so that several processes can share the tests."""
EXAMPLES = 4
"""Random requests to each operation, besides those that its limits suggest."""


@schemathesis.serializer("application/partial-upload", "application/octet-stream")
def _bytes(_context: Any, value: Any) -> dict[str, Any]:
    data = getattr(value, "data", value)
    return {"data": data if isinstance(data, bytes) else str(data).encode()}


class Quiet:
    """The app without its lifespan: nothing runs beside the requests.

    Args:
        rig: the controller.
    """

    def __init__(self, rig: Controller) -> None:
        self.rig = rig
        self.inner = create_app(rig, trusted_hosts=[asgi.HOST])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        if scope["type"] != "lifespan":
            await self.inner(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quiet]:
    """An app with something of everything in it."""
    folder = tmp_path_factory.mktemp("schema")
    rig = Controller.open(folder / "home")
    app = Quiet(rig)
    _fill(app, folder)
    yield app
    rig.jobs.close()
    rig.database.close()


def _fill(app: Quiet, folder: Path) -> None:
    data = folder / "data" / "Tiny/train/patient00001/study1"
    data.mkdir(parents=True)
    Image.effect_noise((48, 40), 11).save(data / "view1_frontal.png")
    row = ["Tiny/train/patient00001/study1/view1_frontal.png", "Female", "60", "Frontal", "AP"]
    (folder / "a.csv").write_text(",".join(COLUMNS) + "\n" + ",".join([*row, *[""] * 14]) + "\n")
    client = TestClient(app, headers={"Authorization": f"Bearer {app.rig.auth.token}"})
    for path, body in (
        ("catalogs", {"name": "tiny", "csv": f"{folder}/a.csv", "data_dir": f"{folder}/data"}),
        ("campaigns", {"name": "nokia-1", "catalog": "tiny", "device": "n", "size_min": 1}),
        ("stations", {"name": "room-1"}),
        ("sessions", {"campaign": "nokia-1", "subset": 1, "station": "room-1"}),
    ):
        assert client.post(f"/api/{path}", json=body).is_success


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_one_that_the_description_declares(quiet: Quiet, part: int) -> None:
    """Valid requests, wrong ones, and foreign methods, to each operation."""
    wrong: dict[str, str] = {}
    asked = 0
    headers = {"Authorization": f"Bearer {quiet.rig.auth.token}"}

    def check(case: schemathesis.Case) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(headers=headers)
        try:
            case.validate_response(answer, checks=CHECKS, headers=headers)
        except FailureGroup as failures:
            for one in failures.exceptions:
                name = f"{case.operation.label}: {type(one).__name__}, {answer.status_code}"
                wrong.setdefault(name, f"{one}\n{answer.text[:500]}")

    schema = schemathesis.openapi.from_dict(
        quiet.inner.openapi(), config=SchemathesisConfig.from_dict({"seed": 8})
    )
    schema.app = quiet
    for operation in (one.ok() for one in schema.get_all_operations()):
        ident = operation.definition.raw["operationId"]
        if ident != ENDLESS and zlib.crc32(ident.encode()) % PARTS == part:
            create_test(operation=operation, test_func=check, config=_config(schema))()
    assert asked > 500
    assert wrong == {}


def _config(schema: Any) -> HypothesisTestConfig:
    modes = (HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING)
    settings = hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    return HypothesisTestConfig(project=schema.config, modes=list(modes), settings=settings)
