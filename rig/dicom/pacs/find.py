"""C-FIND in the Study Root model: studies, their series, their images.

Three levels, because relational queries are optional (PS3.4 C.3.2.2.2). Only UIDs and what the
filter needs are asked for: what is not asked for is not sent, so no name of a patient comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rig.dicom.pacs.association import STUDY_ROOT_FIND, Caller, answers, associated
from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.extras import package
from rig.dicom.pacs.model import Instance, Peer, Series, Wanted, is_uid
from rig.dicom.pacs.status import PENDING

if TYPE_CHECKING:
    from pynetdicom.association import Association

Told = Callable[[int, int], None]
"""Called as (studies looked through, studies in all)."""


class Finder:
    """Asks one PACS over one association."""

    def __init__(self, association: Association, peer: Peer, caller: Caller) -> None:
        """*association* must have the Study Root FIND context."""
        self._association = association
        self._peer = peer
        self._caller = caller

    def series(self, wanted: Wanted, told: Told | None = None) -> Iterator[Series]:
        """The series that pass *wanted*, study by study.

        Raises:
            PacsError: the PACS refuses, or is gone.
        """
        studies = self._studies(wanted)
        for done, (uid, study) in enumerate(sorted(studies.items()), 1):
            for key in wanted.modalities or ("",):
                for series, row in self._series(uid, key, wanted).items():
                    yield Series(
                        study=uid,
                        uid=series,
                        modality=_text(row, "Modality") or "",
                        body_part=_text(row, "BodyPartExamined") or "",
                        date=_text(study, "StudyDate") or "",
                        description=_text(study, "StudyDescription") or "",
                        images=_count(row),
                    )
            if told is not None:
                told(done, len(studies))

    def instances(self, series: Series) -> list[Instance]:
        """The images of *series*; raises as `series`."""
        rows = self._ask(
            QueryRetrieveLevel="IMAGE",
            StudyInstanceUID=series.study,
            SeriesInstanceUID=series.uid,
            SOPInstanceUID="",
            SOPClassUID="",
        )
        found = []
        for row in rows:
            sop, kind = _text(row, "SOPInstanceUID") or "", _text(row, "SOPClassUID") or ""
            self._check(sop)
            found.append(Instance(series.study, series.uid, sop, kind if is_uid(kind) else ""))
        return found

    def _studies(self, wanted: Wanted) -> dict[str, Any]:
        found: dict[str, Any] = {}
        # One question for each value: lists are allowed for UIDs only (PS3.4 C.2.2.2.2).
        for modality in wanted.modalities or ("",):
            for uid in wanted.studies or ("",):
                rows = self._ask(
                    QueryRetrieveLevel="STUDY",
                    StudyInstanceUID=uid,
                    StudyDate=wanted.dates,
                    StudyDescription=wanted.description,
                    ModalitiesInStudy=modality,
                )
                for row in rows:
                    study = _text(row, "StudyInstanceUID") or ""
                    self._check(study)
                    kinds = _list(row, "ModalitiesInStudy")
                    date, title = _text(row, "StudyDate"), _text(row, "StudyDescription")
                    listed = not wanted.studies or study in wanted.studies
                    if listed and wanted.takes_study(date, title, kinds):
                        found[study] = row
        return found

    def _series(self, study: str, modality: str, wanted: Wanted) -> dict[str, Any]:
        # One body part can be asked for; several, or series that say none, are sifted here.
        one = wanted.body_parts if len(wanted.body_parts) == 1 else ()
        rows = self._ask(
            QueryRetrieveLevel="SERIES",
            StudyInstanceUID=study,
            SeriesInstanceUID="",
            Modality=modality,
            BodyPartExamined="" if wanted.unknown_parts or not one else one[0],
            NumberOfSeriesRelatedInstances="",
        )
        found = {}
        for row in rows:
            uid, kind = _text(row, "SeriesInstanceUID") or "", _text(row, "Modality")
            self._check(uid)
            right = not modality or kind in {None, modality}
            if right and wanted.takes_series(kind, _text(row, "BodyPartExamined")):
                found[uid] = row
        return found

    def _ask(self, **keys: str) -> list[Any]:
        """All answers; an association takes one question at a time, so they are read to the end."""
        query = package("pydicom").Dataset()
        for name, value in keys.items():
            setattr(query, name, value)
        if not all(value.isascii() for value in keys.values()):
            query.SpecificCharacterSet = "ISO_IR 192"
        told = answers(
            self._peer,
            self._caller,
            "C-FIND",
            lambda: self._association.send_c_find(query, STUDY_ROOT_FIND),
        )
        return [row for status, row in told if status in PENDING and row is not None]

    def _check(self, uid: str) -> None:
        if not is_uid(uid):
            raise PacsError(f"{self._peer} answered the query with a UID that is none.")


@contextmanager
def finder(peer: Peer, caller: Caller) -> Iterator[Finder]:
    """A `Finder` on an association of its own; raises PacsError as `associated`."""
    contexts = [package("pynetdicom").build_context(STUDY_ROOT_FIND)]
    with associated(peer, caller, contexts) as association:
        yield Finder(association, peer, caller)


def _text(row: Any, name: str) -> str | None:
    """The value, stripped; None: the PACS did not send the element."""
    element = row.get(name)
    if name not in row:
        return None
    return "" if element is None else str(element).strip("\0 ")


def _list(row: Any, name: str) -> list[str]:
    value = row.get(name)
    if not value:
        return []
    return [str(one) for one in ([value] if isinstance(value, str) else value)]


def _count(row: Any) -> int | None:
    text = _text(row, "NumberOfSeriesRelatedInstances") or ""
    return int(text) if text.isascii() and text.isdigit() else None
