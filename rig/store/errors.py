"""Errors of the store, told to people."""

from __future__ import annotations

from rig.errors import UserError


class StoreError(UserError):
    """The database or the home folder cannot be used as asked."""


class NotFoundError(UserError):
    """Nothing by that name or number is known."""


class ConflictError(UserError):
    """What is asked does not fit the present state."""
