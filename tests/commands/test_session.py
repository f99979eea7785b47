"""`rig session`: what it asks a running controller for, and what it refuses itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rig.cli import main
from rig.commands import running

SESSION = "s" + "1" * 16


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Paths and bodies that were posted; the controller says yes to all."""
    told: list[tuple[str, dict[str, Any]]] = []

    def post(_home: Any, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        told.append((path, body or {}))
        made = [{"id": SESSION, "first": 1, "last": 2}]
        return {"id": SESSION, "words": "Pausing", "asked": "not confirmed yet", "sessions": made}

    monkeypatch.setattr(running, "post", post)
    return told


def test_the_words_of_the_control_strip(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is a POST with the name."""
    for verb in ("start", "pause", "pause-now", "resume", "stop", "abort", "unqueue"):
        assert main(["session", verb, SESSION, "--name", "anna"]) == 0
    assert asked == [
        (f"/api/sessions/{SESSION}/{verb}", {"name": "anna"})
        for verb in ("start", "pause", "pause-now", "resume", "stop", "abort", "unqueue")
    ]
    assert "Pausing (not confirmed yet)" in capsys.readouterr().out


def test_shooting_again(asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """By list or by number, queued or not."""
    words = ["session", "reshoot", SESSION, "--indices", "317, 320", "--start", "--confirm"]
    assert main([*words, "--name", "anna"]) == 0
    assert main(["session", "reshoot", SESSION, "--last", "3", "--json"]) == 0
    body = {"name": "anna", "confirm": True, "start": True, "indices": [317, 320]}
    assert [one for _, one in asked] == [body, {"last": 3}]
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{SESSION}: 1-2, starts by itself"
    assert json.loads(second)["id"] == SESSION


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["pause", "../stations"], "is no session"),
        (["reshoot", SESSION, "--indices", "a"], "numbers with commas"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    asked: Any, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 2 and a sentence."""
    assert main(["session", *words]) == 2
    assert why in capsys.readouterr().err
    assert asked == []
