"""C-GET: the images come back over the association that asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from rig.dicom.pacs.association import STUDY_ROOT_GET, Caller, answers, associated
from rig.dicom.pacs.contexts import CLASSES, IMAGES, roles, storage
from rig.dicom.pacs.extras import package
from rig.dicom.pacs.find import Told, finder
from rig.dicom.pacs.model import Instance, Peer, Wanted
from rig.dicom.pacs.pace import Pace
from rig.dicom.pacs.storing import Keep, Storing


class GetSource:
    """Pulls from *peer* by C-FIND and C-GET."""

    def __init__(self, peer: Peer, caller: Caller, pace: Pace, *, most: int) -> None:
        """*most*: bytes of one instance."""
        self._peer = peer
        self._caller = caller
        self._pace = pace
        self._most = most

    def find(self, wanted: Wanted, told: Told | None = None) -> Iterator[list[Instance]]:
        """The images that pass *wanted*, series by series.

        Raises:
            PacsError: the PACS refuses, or is gone.
        """
        yield from find_images(self._peer, self._caller, wanted, told)

    def fetch(self, wanted: Sequence[Instance], keep: Keep) -> None:
        """Ask for *wanted*; what comes goes to *keep*, and nobody says that all of it comes.

        Raises:
            PacsError: the PACS refuses or is gone, or *keep* cannot.
        """
        kinds = list(dict.fromkeys(one.sop_class for one in wanted))
        for some in _batched(kinds, CLASSES):
            part = [one for one in wanted if one.sop_class in some]
            classes = IMAGES if "" in some else some
            self._fetch(part, list(classes), keep)

    def close(self) -> None:
        """Nothing is held open between requests."""

    def _fetch(self, wanted: Sequence[Instance], classes: Sequence[str], keep: Keep) -> None:
        contexts = [package("pynetdicom").build_context(STUDY_ROOT_GET), *storage(classes)]
        storing = Storing(keep, self._pace, most=self._most, wanted={one.sop for one in wanted})
        with associated(
            self._peer,
            self._caller,
            contexts,
            roles=roles(classes),
            handlers=storing.handlers(),
        ) as association:
            for query in queries(wanted):
                send = partial(association.send_c_get, query, STUDY_ROOT_GET)
                storing.watch(answers(self._peer, self._caller, "C-GET", send))


def find_images(
    peer: Peer, caller: Caller, wanted: Wanted, told: Told | None
) -> Iterator[list[Instance]]:
    """The images that pass *wanted*, series by series; raises PacsError."""
    with finder(peer, caller) as asker:
        # All series first: one association takes one question at a time.
        for series in list(asker.series(wanted, told)):
            yield asker.instances(series)


def queries(wanted: Iterable[Instance]) -> Iterator[Any]:
    """An identifier for each series (PS3.4 C.4.3.1.3: a list of UIDs at the lowest level)."""
    for (study, series), group in groupby(
        sorted(wanted, key=lambda one: (one.study, one.series, one.sop)),
        key=lambda one: (one.study, one.series),
    ):
        query = package("pydicom").Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = study
        query.SeriesInstanceUID = series
        query.SOPInstanceUID = [one.sop for one in group]
        yield query


def _batched(things: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (things[start : start + size] for start in range(0, len(things), size))
