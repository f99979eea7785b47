"""Where things are in a dataset: CheXphoto's folders, named after the catalog, never the phone.

``<NAME>-v<VERSION>/<split>/natural/<device>/<patient>/<study>/<view>.jpg`` and
``<NAME>-v<VERSION>/<split>/synthetic/<kind>/<patient>/<study>/<view>.jpg``; photos of films lie in
``<split>/film/<patient>/...``, and rectified copies of photos below ``rectified/`` in the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rig.catalog.model import SPLITS, Xray
from rig.dataset.errors import DatasetError

CAPTURES = "captures.parquet"
ENVIRONMENTS = "environments.csv"
MANIFEST = "manifest.jsonl"
CARD = "README.md"
CROISSANT = "croissant.json"
BOXES = "boxes.parquet"
BOXES_CSV = "boxes.csv"
RECTIFIED = "rectified"
FILM = "film"

KINDS: dict[str, str] = {
    "digital": "digital",
    "photographic": "photographic",
    "spatial": "photographic",
}
"""Name of a synthetic set as asked -> its folder; CheXphoto released the spatial set under the
name photographic."""

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def kind_of(text: str) -> str:
    """The folder of a synthetic set; raises DatasetError for an unknown one."""
    if text not in KINDS:
        raise DatasetError(f"No synthetic set {text!r}; choose digital or photographic.")
    return KINDS[text]


def part(text: str, what: str) -> str:
    """*text* when it can be one part of a path on every system, else DatasetError."""
    if not _PART.fullmatch(text) or len(text) > 100 or text.endswith("."):
        raise DatasetError(
            f"The {what} {text!r} cannot name a folder: letters, digits, '.', '_' and '-' only, "
            "beginning with a letter or digit."
        )
    return text


def root_name(name: str, version: str) -> str:
    """`<NAME>-v<VERSION>`, the dataset's folder and the first part of every `Path`."""
    return f"{part(name, 'dataset name')}-v{part(version, 'version')}"


def _under(xray: Xray, *folders: str) -> PurePosixPath:
    if xray.split not in SPLITS:
        raise DatasetError(f"Index {xray.index}: no split {xray.split!r}.")
    parts = xray.key.split("/")
    if len(parts) != 3:
        raise DatasetError(f"Index {xray.index}: the key {xray.key!r} is not patient/study/view.")
    for each in parts:
        part(each, f"key of index {xray.index},")
    # One text for the path to parse: parts apart take it several times as long.
    return PurePosixPath("/".join((xray.split, *folders, *parts)) + ".jpg")


def film(xray: Xray) -> PurePosixPath:
    """Path of the photo of a film, relative to the dataset."""
    return _under(xray, FILM)


def rectified(path: str) -> str:
    """Path of the rectified copy of the photo at *path*, both relative to the dataset."""
    return f"{RECTIFIED}/{path}"


def natural(xray: Xray, device: str) -> PurePosixPath:
    """Path of the photo of *xray* by *device*, relative to the dataset."""
    return _under(xray, "natural", part(device, "device"))


def synthetic(xray: Xray, kind: str) -> PurePosixPath:
    """Path of the twin of *xray*, relative to the dataset."""
    return _under(xray, "synthetic", kind_of(kind))


@dataclass(frozen=True, slots=True)
class Place:
    """What a `Path` says: split, `natural` or `synthetic` (or `film`), its set, and the x-ray."""

    split: str
    origin: str
    group: str
    patient: str
    study: str
    view: str

    @property
    def xray(self) -> tuple[str, str, str]:
        """Identifies the x-ray, whatever shows it."""
        return self.patient, self.study, self.view

    @property
    def source(self) -> str:
        """`natural/nokia`, `synthetic/digital`, `film`, ..."""
        return f"{self.origin}/{self.group}" if self.group else self.origin


def place_of(path: str) -> Place:
    """Parse the `Path` cell of a dataset CSV.

    Raises:
        DatasetError: it is not a path of this layout.
    """
    parts = path.split("/")
    if len(parts) not in {6, 7} or "\\" in path or any(p in {"", ".", ".."} for p in parts):
        raise DatasetError(f"The Path {path!r} is not of the CheXphoto layout.")
    _, split, origin, *group, patient, study, file = parts
    if (origin == "film") != (not group):
        raise DatasetError(f"The Path {path!r} is not of the CheXphoto layout.")
    return Place(split, origin, "".join(group), patient, study, file.rpartition(".")[0])


def find(folder: Path) -> Path:
    """The dataset at *folder*, or the only one inside it.

    Raises:
        DatasetError: there is none, or more than one.
    """
    if any((folder / f"{split}.csv").is_file() for split in SPLITS):
        return folder
    inside = []
    if folder.is_dir():
        names = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        inside = [p for p in names if any((p / f"{s}.csv").is_file() for s in SPLITS)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise DatasetError(
            f"{folder} holds several datasets; name one: {', '.join(p.name for p in inside)}."
        )
    raise DatasetError(f"{folder} is no dataset: it has no train.csv, valid.csv or test.csv.")
