"""COCO: the annotations load with pycocotools and are sound by rules of our own."""

from __future__ import annotations

import pytest
from pycocotools.coco import COCO

from rig.dataset.box_table import iter_boxes
from rig.dataset.errors import DatasetError
from rig.dataset.export import export


@pytest.fixture
def coco(boxed, tmp_path):
    export(boxed.root, "coco", tmp_path / "coco")
    return {s: COCO(str(tmp_path / f"coco/instances_{s}.json")) for s in ("train", "valid")}


def test_every_image_and_box_loads(coco, boxed):
    """Images without a box, too; categories are the same in both splits."""
    train = coco["train"]
    assert len(train.getImgIds()) == 11
    kept = [row for row in iter_boxes(boxed.root) if row["x_min"] is not None]
    assert sum(len(one.getAnnIds()) for one in coco.values()) == len(kept) > 10
    names = [category["name"] for category in train.loadCats(train.getCatIds())]
    assert names == ["Cardiomegaly", "Nodule/Mass"]
    assert coco["valid"].dataset["categories"] == train.dataset["categories"]
    first = train.loadImgs(1)[0]
    assert (first["width"], first["height"]) == (64, 48)
    assert (boxed.root / first["file_name"]).is_file()
    (box,) = train.loadAnns(train.getAnnIds(imgIds=[1]))
    assert box["bbox"] == [14, 26, 9, 12]
    assert box["segmentation"] == [[14, 26, 23, 26, 23, 38, 14, 38]]


def test_boxes_are_inside_their_images_and_ids_are_unique(coco):
    """pycocotools does not look; we do."""
    for one in coco.values():
        numbers = [a["id"] for a in one.dataset["annotations"]]
        assert len(numbers) == len(set(numbers))
        images = {image["id"]: image for image in one.dataset["images"]}
        assert len(images) == len(one.dataset["images"])
        for annotation in one.dataset["annotations"]:
            image = images[annotation["image_id"]]
            x, y, width, height = annotation["bbox"]
            assert 0 <= x < x + width <= image["width"]
            assert 0 <= y < y + height <= image["height"]


# Of pycocotools: its compiled masks convert to numpy in a way that numpy 2 has replaced.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_the_quadrilateral_becomes_a_mask_of_its_area(coco):
    """Drawn by pycocotools; the hull of a tilted twin is larger."""
    train, smaller = coco["train"], 0
    for annotation in train.dataset["annotations"]:
        mask = train.annToMask(annotation)
        outline = 2 * sum(annotation["bbox"][2:])
        assert mask.sum() == pytest.approx(annotation["area"], abs=outline)
        _, _, width, height = annotation["bbox"]
        assert annotation["area"] <= width * height * (1 + 1e-9)
        smaller += annotation["area"] < 0.97 * width * height
    assert smaller


def test_a_dataset_without_boxes_is_a_sentence(built):
    """With what to do."""
    with pytest.raises(DatasetError, match=r"has no boxes\.parquet: build it with --boxes"):
        export(built.root, "coco")
