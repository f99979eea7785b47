"""WebDataset: the shards load with `webdataset.WebDataset`."""

from __future__ import annotations

import gc
import tarfile

import pytest
import webdataset

from rig.dataset.export import export
from rig.dataset.export import webdataset as writer

# The library leaves each shard to the garbage collector instead of closing it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO name='.*tar':pytest.PytestUnraisableExceptionWarning"
)


def samples(folder, split):
    shards = sorted(str(file) for file in folder.glob(f"{split}-*.tar"))
    data = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    found = list(data.decode("pil"))
    del data
    gc.collect()  # here, where the warning is expected, not in some later test
    return found


def test_every_image_is_a_sample_with_its_labels(boxed, tmp_path):
    """Key, picture, labels with nulls, the way it was taken, boxes."""
    export(boxed.root, "webdataset", tmp_path / "wds")
    train = samples(tmp_path / "wds", "train")
    assert len(train) == 11
    assert len(samples(tmp_path / "wds", "valid")) == 6
    first = train[0]
    assert first["__key__"] == "train/natural/nokia/patient00001/study1/view1_frontal"
    assert first["jpg"].size == (64, 48)
    told = first["json"]
    assert told["Path"] == "Test-v1.0/train/natural/nokia/patient00001/study1/view1_frontal.jpg"
    assert told["labels"]["No Finding"] == 1.0
    assert told["labels"]["Edema"] is None
    assert (told["environment"], told["factor_light"]) == ("e01-dark", "off")
    assert [box["class_name"] for box in told["boxes"]] == ["Nodule/Mass"]
    assert len({sample["__key__"] for sample in train}) == 11


def test_pictures_are_the_datasets_own_bytes(boxed, tmp_path):
    """Not encoded again."""
    export(boxed.root, "webdataset", tmp_path / "wds")
    with tarfile.open(tmp_path / "wds/train-000000.tar") as tar:
        member = "train/natural/nokia/patient00001/study1/view1_frontal.jpg"
        assert tar.extractfile(member).read() == (boxed.root / member).read_bytes()


def test_shards_are_the_same_every_time_and_end_in_time(boxed, tmp_path, monkeypatch):
    """No times, no owners; a shard has at most so many images."""
    monkeypatch.setattr(writer, "SHARD_IMAGES", 4)
    export(boxed.root, "webdataset", tmp_path / "a")
    export(boxed.root, "webdataset", tmp_path / "b")
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / n).glob("*.tar")} for n in ("a", "b"))
    assert one == two
    assert sorted(one) == [
        "train-000000.tar", "train-000001.tar", "train-000002.tar",
        "valid-000000.tar", "valid-000001.tar",
    ]  # fmt: skip
    assert len(samples(tmp_path / "a", "train")) == 11


def test_a_dot_in_a_name_does_not_cut_the_key(kit, tmp_path):
    """WebDataset ends a key at the first dot of the last name."""
    from dataclasses import replace

    keys = {"patient00001/study1/view1.a", "patient00001/study1/view1.b"}
    kit.xrays = [replace(kit.xrays[0], index=i, key=key) for i, key in enumerate(sorted(keys), 1)]
    kit.photos = [kit.photo(1), kit.photo(2)]
    kit.build(gaps=[], synthetic=())
    export(kit.root, "webdataset", tmp_path / "wds")
    found = samples(tmp_path / "wds", "train")
    assert [s["__key__"].rpartition("/")[2] for s in found] == ["view1%2Ea", "view1%2Eb"]
    assert all(s["json"]["Path"].endswith(".jpg") for s in found)
