"""Logs say where something failed and never what it held."""

import io
import json
import logging

import pytest
import structlog

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


@pytest.mark.usefixtures("restored")
def test_what_a_peer_says_forges_no_line_on_a_terminal():
    """Neither as the event nor as a value; what is readable stays as it is."""
    stream = Terminal()
    configure(stream)
    evil = "gone\n2026 [info] all is well \x1b[2J\x9b1m\u202eabc\u2028"
    structlog.get_logger("rig.test").warning(evil, why=evil)
    logging.getLogger("elsewhere").warning("%s: Müller", evil)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    text = stream.getvalue()
    assert "\x1b[2J" not in text
    assert not any(c in text for c in "\x9b\u202e\u2028")
    assert "Müller" in text
