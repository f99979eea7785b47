"""The bundled sample: 48 real, free chest x-rays in CheXpert's layout. Not for diagnosis."""

from __future__ import annotations

from pathlib import Path


def data_dir() -> Path:
    """The folder that the `Path` column of the sample's CSV is relative to."""
    return Path(__file__).resolve().parent


def csv_path() -> Path:
    """The sample's CSV: CheXpert's 19 columns, 48 rows, every `Path` under `CheXpert-sample/`."""
    return data_dir() / "CheXpert-sample" / "train.csv"
