"""What the rig knows about one x-ray, in CheXpert's words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OBSERVATIONS: tuple[str, ...] = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The 14 observations in CheXpert's order (Irvin et al. 2019)."""

COLUMNS: tuple[str, ...] = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS)
"""The 19 columns of a CheXpert CSV in their order."""

SPLITS: tuple[str, ...] = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Xray:
    """One x-ray of a catalog.

    Attributes:
        index: 1..N, fixed by the catalog's order.
        key: `patient/study/view`, the tail of the path without its extension; pseudonymous.
        path: the `Path` cell as the source CSV writes it.
        file: absolute path of the image file.
        sha256: hex digest of the file's bytes.
        width: pixels.
        height: pixels.
        split: one of `SPLITS`.
        row: the 19 values in the order of `COLUMNS`; labels are in the form `1.0`, `0.0`, `-1.0` or
            empty, everything else is as the source writes it.
    """

    index: int
    key: str
    path: str
    file: Path
    sha256: str
    width: int
    height: int
    split: str
    row: tuple[str, ...]

    @property
    def patient(self) -> str:
        """First part of the key, e.g. `patient00001`."""
        return self.key.split("/")[0]

    @property
    def study(self) -> str:
        """Second part of the key, e.g. `study1`."""
        return self.key.split("/")[1]

    @property
    def view(self) -> str:
        """Third part of the key, e.g. `view1_frontal`."""
        return self.key.split("/")[2]

    @property
    def sex(self) -> str:
        """`Male`, `Female`, `Unknown` or empty."""
        return self.row[1]

    @property
    def age(self) -> str:
        """Years as the source writes them (`57`), or empty."""
        return self.row[2]

    @property
    def frontal_lateral(self) -> str:
        """`Frontal`, `Lateral` or empty."""
        return self.row[3]

    @property
    def ap_pa(self) -> str:
        """`AP`, `PA`, `LL`, `RL` or empty."""
        return self.row[4]

    @property
    def labels(self) -> dict[str, str]:
        """Observation -> `1.0` positive, `0.0` negative, `-1.0` uncertain, empty unmentioned."""
        return dict(zip(OBSERVATIONS, self.row[5:], strict=True))
