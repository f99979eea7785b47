"""Packages of the extras `export` and `dicom`, which the rig itself runs without."""

from __future__ import annotations

import importlib
from typing import Any

from rig.dataset.errors import DatasetError


def package(name: str, purpose: str, extra: str = "export") -> Any:
    """The module *name* of *extra*; *purpose* begins the sentence when it is not installed.

    Raises:
        DatasetError: it is missing.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DatasetError(
            f"{purpose} needs the Python package {name.partition('.')[0]}, which is not installed: "
            f"pip install 'capture-rig[{extra}]'."
        ) from error
