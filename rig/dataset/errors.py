"""What stops a dataset from being built or read."""

from __future__ import annotations

from rig.errors import UserError


class DatasetError(UserError):
    """The dataset cannot be built or read; the sentence says what is wrong and where."""


class BuildStopped(DatasetError):
    """The build cannot go on with any image: no single one is to blame."""
