"""Secrets of the command line: other users of the machine see it, so files stand in for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from display_agent import cli
from display_agent.station import Station
from rig.errors import UserError


def station(tmp_path: Path, token: str) -> Station:
    words = ["run", "p.json", "--screen", "null", "--frames-token", token]
    made = cli._station(cli.build_parser().parse_args(words), tmp_path, None)
    assert isinstance(made, Station)
    return made


def test_the_frames_token_may_lie_in_a_file(tmp_path: Path) -> None:
    """As the station's may."""
    (tmp_path / "t").write_text("0123456789abcdef\n")
    assert station(tmp_path, f"@{tmp_path / 't'}")._config.frames_token == "0123456789abcdef"
    assert station(tmp_path, "word")._config.frames_token == "word"


def test_a_token_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """Not a frame server that asks for the file's name."""
    with pytest.raises(UserError, match="cannot be read"):
        station(tmp_path, f"@{tmp_path / 'none'}")
