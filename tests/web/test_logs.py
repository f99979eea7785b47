"""Logs say where something failed and never what it held."""

import io
import json
import logging

import pytest

from rig.web.logs import configure


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def restored():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], _ = before
    root.setLevel(before[1])


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_traceback_shows_no_local_variable(stream):
    """A crashed request has the browser's cookie among its variables."""
    configure(stream)
    cookie = "rig-abc=" + "s3cret" * 3
    try:
        raise LookupError("the page broke")
    except LookupError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    told = stream.getvalue()
    assert "LookupError" in told
    assert "test_a_traceback_shows_no_local_variable" in told
    assert cookie not in told
    if not stream.isatty():
        assert json.loads(told)["level"] == "error"
