"""PACS that refuse, fall silent, hang up, ignore what they are asked, or lie."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from rig.dicom.pacs.association import STUDY_ROOT_FIND, STUDY_ROOT_GET, Caller, echo
from rig.dicom.pacs.contexts import CLASSES, MOST, SYNTAXES
from rig.dicom.pacs.errors import PacsError
from rig.dicom.pacs.extras import quiet
from rig.dicom.pacs.find import finder
from rig.dicom.pacs.get import GetSource
from rig.dicom.pacs.model import Instance, Peer, Series, Wanted
from rig.dicom.pacs.pace import Pace

CR = "1.2.840.10008.5.1.4.1.1.1"
ASKED = Instance("1.1", "1.1.1", "1.1.1.1", CR)
Handler = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@pytest.fixture
def serve() -> Iterator[Callable[..., Peer]]:
    """Starts a PACS with the given handlers; only what has one is offered."""
    entities: list[AE] = []

    def start(*, find: Handler | None = None, get: Handler | None = None) -> Peer:
        entity = AE(ae_title="PACS")
        handlers: list[Any] = []
        for handler, event, model in (
            (find, evt.EVT_C_FIND, STUDY_ROOT_FIND),
            (get, evt.EVT_C_GET, STUDY_ROOT_GET),
        ):
            if handler is not None:
                entity.add_supported_context(model)
                handlers.append((event, handler))
        entity.add_supported_context("1.2.840.10008.1.1")
        entity.add_supported_context(CR, list(SYNTAXES), scu_role=True, scp_role=True)
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        entities.append(entity)
        assert server is not None
        return Peer("PACS", "127.0.0.1", server.server_address[1])

    yield start
    for entity in entities:
        entity.shutdown()


def series_of(peer: Peer, wanted: Wanted) -> list[Series]:
    with finder(peer, Caller(timeout=20)) as asker:
        return list(asker.series(wanted))


def fetch(peer: Peer, keep: Callable[[str, bytes], object] = lambda _s, _d: None) -> None:
    pace = Pace(0, time.monotonic, time.sleep)
    GetSource(peer, Caller(timeout=20), pace, most=1 << 20).fetch([ASKED], keep)


def answer(**values: Any) -> Dataset:
    row = Dataset()
    for name, value in values.items():
        setattr(row, name, value)
    return row


def test_a_pacs_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        peer = Peer("PACS", "127.0.0.1", silent.getsockname()[1])
        with pytest.raises(PacsError, match="did not answer for 1 s") as caught:
            echo(peer, Caller(timeout=1))
    assert caught.value.again


def test_a_pacs_that_hangs_up_in_the_middle_of_an_answer_may_be_asked_again(
    serve: Callable[..., Peer],
) -> None:
    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, answer(StudyInstanceUID="1.1")
        event.assoc.abort()

    with pytest.raises(PacsError, match="ended the association, or did not answer") as caught:
        series_of(serve(find=find), Wanted())
    assert caught.value.again


@pytest.mark.parametrize(
    ("status", "sentence", "again"),
    [
        (0xA700, "is out of resources", True),
        (0xA900, "does not fit the kind of query", False),
        (0x0124, "does not allow us this request", False),
        (0xC001, "cannot do it", True),
    ],
)
def test_a_failed_query_is_explained(
    serve: Callable[..., Peer], status: int, sentence: str, again: bool
) -> None:
    def find(_event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield status, None

    with pytest.raises(PacsError, match=sentence) as caught:
        series_of(serve(find=find), Wanted())
    assert f"0x{status:04X}" in str(caught.value)
    assert caught.value.again is again


def test_a_service_that_is_not_offered_is_named(serve: Callable[..., Peer]) -> None:
    peer = serve()
    with pytest.raises(PacsError, match="does not offer C-FIND in the Study Root model"):
        series_of(peer, Wanted())
    with pytest.raises(PacsError, match=r"does not offer C-GET .*: try C-MOVE or DICOMweb"):
        fetch(peer)
    echo(peer, Caller(timeout=20))


def test_what_a_pacs_ignores_of_the_filter_is_sifted_here(serve: Callable[..., Peer]) -> None:
    """It answers every question with all it has, as some do with optional keys."""
    studies = [("1.1", "20210101", "THORAX", "CR"), ("1.2", "20200101", "THORAX", "CR"),
               ("1.3", "20210101", "KNEE", "CR"), ("1.4", "20210101", "THORAX", "CT")]  # fmt: skip

    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        assert "PatientName" not in query
        assert "PatientID" not in query
        if query.QueryRetrieveLevel == "STUDY":
            for uid, date, title, kind in studies:
                yield 0xFF00, answer(
                    StudyInstanceUID=uid, StudyDate=date, StudyDescription=title,
                    ModalitiesInStudy=kind,
                )  # fmt: skip
        else:
            for number, part in enumerate(("CHEST", "HIP", "")):
                yield 0xFF00, answer(
                    StudyInstanceUID=query.StudyInstanceUID,
                    SeriesInstanceUID=f"{query.StudyInstanceUID}.{number}",
                    Modality="CR", BodyPartExamined=part,
                )  # fmt: skip
        yield 0x0000, None

    wanted = Wanted(
        modalities=("CR", "DX"), body_parts=("CHEST",), since="20210101", description="THO*"
    )
    found = series_of(serve(find=find), wanted)
    assert [(one.study, one.uid, one.body_part) for one in found] == [("1.1", "1.1.0", "CHEST")]


def test_a_uid_that_is_a_path_is_not_believed(serve: Callable[..., Peer]) -> None:
    def find(_event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, answer(StudyInstanceUID="../../etc")
        yield 0x0000, None

    with pytest.raises(PacsError, match="with a UID that is none"):
        series_of(serve(find=find), Wanted())


def test_images_that_were_not_asked_for_are_not_taken(
    serve: Callable[..., Peer], dicoms: dict[str, Any]
) -> None:
    """A PACS that sends another patient's image instead."""

    def get(_event: Any) -> Iterator[Any]:
        yield 1
        yield 0xFF00, dicoms["made"](1)

    kept: list[str] = []
    with pytest.raises(PacsError, match="cannot send the images"):  # we refused it
        fetch(serve(get=get), lambda sop, _data: kept.append(sop))
    assert kept == []


def test_all_contexts_fit_into_one_association() -> None:
    assert 1 + CLASSES * len(SYNTAXES) <= MOST
    assert len(set(SYNTAXES)) == len(SYNTAXES)
