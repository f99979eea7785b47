"""`rig align --photo` and `display-agent card`: the alignment shot without a controller."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from display_agent import cli as display
from rig import cli
from rig.simulation.optics import shoot

SCREEN = "1280x720"


@pytest.fixture
def card(tmp_path: Path) -> Image.Image:
    """The card as the display agent saves it."""
    file = tmp_path / "card.png"
    assert display.main(["card", "--save", str(file), "--size", SCREEN]) == 0
    with Image.open(file) as picture:
        picture.load()
        return picture


@pytest.fixture
def photo(tmp_path: Path, card: Image.Image) -> Path:
    """A simulated photo of it, whose EXIF says 24 mm."""
    file = tmp_path / "photo.jpg"
    made = shoot(card, "easy", np.random.default_rng(5)).photo
    exif = made.getexif()
    exif.get_ifd(ExifTags.IFD.Exif)[0xA405] = 24
    made.save(file, "JPEG", quality=92, exif=exif)
    return file


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out))


def test_a_good_photo_is_good(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words first, then every measure; the drawing on request."""
    drawn = tmp_path / "drawn.jpg"
    words = ["align", "--photo", str(photo), "--screen", SCREEN, "--drawn", str(drawn)]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith(("Good", "Perfect"))
    assert "sharpness" in said
    with Image.open(drawn) as picture:
        assert picture.width == 1280
        assert picture.height > 960  # the words stand below the photo


def test_everything_measured_is_json(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the focal length that the photo brought, and centimetres for a known monitor."""
    words = ["align", "--photo", str(photo), "--screen", SCREEN, "--width-mm", "300", "--json"]
    assert cli.main(words) == 0
    found = _json(capsys)
    assert (found["focal_35"], found["focal_known"]) == (24.0, True)
    assert found["pose"]["unit"] == "cm"
    assert found["screen"] == [1280, 720]
    assert {one["name"] for one in found["items"]} >= {"framing", "centre", "sharpness", "glare"}
    assert len(found["homography"]) == 3


def test_a_rotated_photo_is_turned_as_its_camera_says(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A phone held upright stores its pixels lying and says so in EXIF."""
    with Image.open(photo) as picture:
        turned = picture.transpose(Image.Transpose.ROTATE_90)
        exif = picture.getexif()
        exif[0x0112] = 6
        turned.save(photo, "JPEG", quality=92, exif=exif)
    assert cli.main(["align", "--photo", str(photo), "--screen", SCREEN, "--json"]) == 0
    assert _json(capsys)["pose"]["quarter"] == 0


def test_a_bad_photo_says_what_to_do(
    card: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, and the first sentence is what matters most."""
    file = tmp_path / "cut.jpg"
    made = shoot(card, "easy", np.random.default_rng(5)).photo
    made.crop((made.width // 3, 0, made.width, made.height)).save(file, "JPEG", quality=92)
    assert cli.main(["align", "--photo", str(file), "--screen", SCREEN]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "The top left and bottom left corners are out of the picture."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "either a session or --photo"),
        (["--photo", "x.jpg"], "--screen"),
        (["--photo", "nowhere.jpg", "--screen", SCREEN], "cannot be read"),
        (["s12"], "no session"),
        (["s0123456789abcdef"], "No controller runs"),
    ],
)
def test_nonsense_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2."""
    assert cli.main(["align", *words, "--home", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_damaged_photo_is_a_sentence(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cut in the middle, as by a full disk."""
    photo.write_bytes(photo.read_bytes()[:5000])
    assert cli.main(["align", "--photo", str(photo), "--screen", SCREEN]) == 2
    assert "damaged or cut short" in capsys.readouterr().err


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Also those of the card."""
    with pytest.raises(SystemExit):
        cli.main(["align", "--help"])
    assert "rig align --photo card.jpg --screen 1920x1080" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        display.main(["card", "--help"])
    assert "display-agent card --seconds" in capsys.readouterr().out


def test_the_card_is_shown_by_itself(tmp_path: Path) -> None:
    """On a screen, photographed by its frame server, measured: everything is there."""
    words = ["card", "--screen", "null", "--size", SCREEN, "--frames", "127.0.0.1:0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "display_agent.cli", *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            import httpx

            frame = httpx.get(told["frames"], trust_env=False, timeout=20).content
        finally:
            process.terminate()
        assert process.wait(30) == 0
    file = tmp_path / "frame.jpg"
    file.write_bytes(frame)
    assert cli.main(["align", "--photo", str(file), "--screen", SCREEN, "--json"]) == 1
    assert (told["width"], told["height"]) == (1280, 720)
