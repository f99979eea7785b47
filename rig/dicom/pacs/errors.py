"""What can go wrong between us and a PACS, as sentences without identifiers."""

from __future__ import annotations

from rig.errors import UserError


class PacsError(UserError):
    """The PACS, the network or our disk did not do what was asked.

    Attributes:
        again: whether the same request may succeed a little later.
        some: whether it is only about the images that were asked for; others may come.
    """

    def __init__(self, sentence: str, *, again: bool = False, some: bool = False) -> None:
        super().__init__(sentence)
        self.again = again
        self.some = some


class OutOfSpace(PacsError):
    """Our own disk, or the share of it that was allowed, is full."""


class BadInstance(PacsError):
    """Bytes that are not the instance they were sent as; the sentence says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, again=True, some=True)
