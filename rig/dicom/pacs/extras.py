"""Packages of the extra `pacs`, which the rig itself runs without; their logs are kept quiet."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rig.errors import UserError

_LOUD = ("pynetdicom", "pydicom", "httpx", "httpcore")


def package(name: str) -> Any:
    """The module *name*.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"rig pacs needs the Python package {name.partition('.')[0]}, which is not installed: "
            "pip install 'capture-rig[pacs,dicom]'."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that the libraries log or warn of gets out: it quotes headers, and those are people.

    pynetdicom logs data sets, pydicom quotes values that break its rules, httpx logs addresses with
    UIDs in them.
    """
    loggers = [logging.getLogger(name) for name in _LOUD]
    before = [(one.level, one.propagate, one.disabled) for one in loggers]
    silence = logging.NullHandler()
    for one in loggers:
        one.propagate = False
        one.setLevel(logging.CRITICAL + 1)
        one.addHandler(silence)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, (level, propagate, disabled) in zip(loggers, before, strict=True):
            one.setLevel(level)
            one.propagate, one.disabled = propagate, disabled
            one.removeHandler(silence)
