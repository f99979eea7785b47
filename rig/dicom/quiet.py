"""Silence: what the DICOM libraries warn of quotes the header, so none of it is let out."""

from __future__ import annotations

import logging
import multiprocessing
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("pydicom", "pylibjpeg", "openjpeg", "jpeg_ls", "gdcm")
for _name in _LOGGERS:
    # A malformed value is logged together with the value: a patient's name in the wrong element.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of the block instead of showing them; the list is for counting only."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def quiet_gdcm() -> None:
    """Keep GDCM, when it is there, from writing to standard error."""
    try:
        import gdcm
    except ImportError:
        return
    gdcm.Trace.DebugOff()
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()


_muted = False


def mute_worker() -> None:
    """In a worker process, send what native code prints to nowhere; elsewhere do nothing."""
    global _muted  # noqa: PLW0603 - once per process
    if _muted or multiprocessing.parent_process() is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    _muted = True
