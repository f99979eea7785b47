"""Doubt, decision, blanking: with real files, by command."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from rig.cli import main
from rig.dicom import deciding, reviews
from rig.dicom.decoding import decode
from rig.dicom.pseudonyms import load_key
from rig.dicom.reading import read
from rig.dicom.reviews import Review
from rig.dicom.text import find_text

BURNED = "made_chest_dx_MONOCHROME2_8bit_jpeg2000_BURNED_IN_FAKE_TEXT.dcm"
INVERTED = "made_chest_dx_MONOCHROME1_12bit_jpeglossless_FAKE_PHI.dcm"
DEEP = "chest_cr_pa_MONOCHROME1_15bit_jpeg2000.dcm"


class Desk:
    """A home, and the commands as they are typed."""

    def __init__(self, home, capsys):
        self.home, self._capsys = home, capsys

    def run(self, *words):
        """Exit status, JSON lines, what was said to the person."""
        status = main(["catalog", *map(str, words), "--home", str(self.home), "--json"])
        said = self._capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    def take(self, name, *paths):
        return self.run("import-dicom", name, *paths, "--workers", "1")

    def folder(self, name):
        return self.home / "catalogs" / name

    def in_use(self, name, image):
        """The picture and the DICOM file of an image of a catalog."""
        (shown,) = self.folder(name).glob(f"images/**/{image}.png")
        picture = cv2.imread(str(shown), cv2.IMREAD_UNCHANGED)
        return picture, read(self.folder(name) / "dicom" / f"{image}.dicom")


@pytest.fixture
def desk(tmp_path, capsys):
    return Desk(tmp_path / "home", capsys)


def test_text_is_found_held_blanked_after_a_decision_and_only_then_marked(kit, desk):
    file = kit.data / BURNED
    status, (row, told), said = desk.take("ward", file)
    assert (status, row["decision"]) == (1, "held")
    assert told["reasons"]["held"] == {"burned-in text": 1}
    assert told["count"] == 0
    assert (told["held"], said) == (1, "")
    image = row["image_id"]
    # Nothing of it lies where it could be planned, photographed or released.
    released = [desk.folder("ward") / part for part in ("images", "dicom", "catalog.csv")]
    assert not any(image in str(one) for part in released for one in part.rglob("*"))
    status, (entry,), _ = desk.run("review", "ward")
    assert (status, entry["state"], entry["image_id"]) == (1, "waits", image)
    assert len(entry["boxes"]) == 5
    status, _, said = desk.run("review", "ward", image, "accept")
    assert status == 2
    assert "--suspected" in said
    status, (entry,), _ = desk.run("review", "ward", image, "accept", "--suspected", "--by", "Ng")
    assert (status, entry["state"], entry["review"]["by"]) == (0, "accepted", "Ng")
    assert desk.run("review", "ward")[0] == 0
    status, (row, told), _ = desk.take("ward", file)
    assert (status, row["decision"], told["count"]) == (0, "imported", 1)
    picture, clean = desk.in_use("ward", image)
    stored = decode(clean)
    for left, top, right, bottom in entry["boxes"]:
        assert (picture[top:bottom, left:right] == picture.min()).all()
        assert (stored[top:bottom, left:right] == stored.min()).all()
    assert find_text(picture) == ()
    assert clean.BurnedInAnnotation == "NO"
    codes = {one.CodeValue for one in clean.DeidentificationMethodCodeSequence}
    assert "113101" in codes


def test_without_a_decision_a_text_goes_in_only_when_the_operator_says_so_and_unmarked(kit, desk):
    words = ("import-dicom", "risky", kit.data / BURNED, "--workers", "1", "--accept-unreviewed")
    status, (row, _), _ = desk.run(*words)
    assert status == 0
    _, clean = desk.in_use("risky", row["image_id"])
    assert "BurnedInAnnotation" not in clean
    codes = {one.CodeValue for one in clean.DeidentificationMethodCodeSequence}
    assert "113101" not in codes


@pytest.mark.parametrize("name", [INVERTED, DEEP])
def test_boxes_are_dark_in_compressed_images_whose_small_values_are_bright(kit, desk, name):
    source = read(kit.data / name)
    assert source.PhotometricInterpretation == "MONOCHROME1"
    image = load_key(desk.home, create=True).image_id(str(source.SOPInstanceUID))
    box = (30, 40, 330, 140)
    review = Review(image_id=image, decision="accept", boxes=(box,), by="Ng", time_ns=1)
    reviews.save(desk.home, review)
    status, (row, _), _ = desk.take("ward", kit.data / name)
    assert (status, row["image_id"]) == (0, image)
    picture, clean = desk.in_use("ward", image)
    before, stored = decode(source), decode(clean)
    left, top, right, bottom = box
    assert (picture[top:bottom, left:right] == picture.min()).all()
    assert picture.max() > 200
    # Dark are large values here; of what is outside nothing changed.
    assert len(np.unique(stored[top:bottom, left:right])) == 1
    assert stored[top, left] >= np.percentile(before, 95)
    outside = np.ones(before.shape, bool)
    outside[top:bottom, left:right] = False
    assert (stored[outside] == before[outside]).all()
    assert clean.BurnedInAnnotation == "NO"


def test_a_refused_image_stays_out_and_the_reason_is_told(kit, desk):
    _, (row, _), _ = desk.take("ward", kit.data / BURNED)
    status, _, _ = desk.run("review", "ward", row["image_id"], "refuse", "--note", "whose is it?")
    assert status == 0
    status, (row, told), _ = desk.take("ward", kit.data / BURNED)
    assert (status, row["decision"]) == (1, "refused")
    assert "A person" in row["reason"]
    assert told["count"] == 0
    assert not list((desk.folder("ward") / "held").iterdir())


def test_decisions_that_make_no_sense_are_refused(kit, desk):
    _, (row, _), _ = desk.take("ward", kit.data / BURNED)
    image = row["image_id"]
    for words, word in (
        (("ward", image, "accept", "--box", "5,5,2000,9"), "not inside"),
        (("ward", image, "accept", "--box", "9,5,5,9"), "is empty"),
        (("ward", image, "refuse", "--box", "1,1,5,9"), "nothing to blank"),
        (("ward", "f" * 32, "accept", "--none"), "holds no image"),
        (("ward", "../../etc", "accept", "--none"), "32 hex"),
        (("nobody",), "no import"),
        (("../home",), "cannot name"),
    ):
        status, _, said = desk.run("review", *words)
        assert status == 2, words
        assert word in said, words
    with pytest.raises(SystemExit):
        desk.run("review", "ward", image, "accept", "--box", "here")
    assert not (desk.home / "dicom" / "reviews").exists()


def test_what_waits_comes_first(kit, desk):
    scans = [kit.data / BURNED, *sorted((kit.data / "vindr" / "train").iterdir())]
    desk.take("ward", *scans)
    first, *rest = deciding.queue(desk.home, desk.folder("ward"))
    assert len(rest) >= 2
    decided = {"by": "Ng", "time_ns": 5}
    deciding.decide(
        desk.home, desk.folder("ward"), first.held.image_id, "accept", boxes=(), **decided
    )
    again = deciding.queue(desk.home, desk.folder("ward"))
    assert again[-1].held.image_id == first.held.image_id
    assert [one.state for one in again[:-1]] == [deciding.State.WAITS] * len(rest)
