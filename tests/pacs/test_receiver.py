"""Our C-STORE receiver on loopback: who may send, and what."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from rig.dicom.pacs.association import Caller, echo
from rig.dicom.pacs.errors import OutOfSpace, PacsError
from rig.dicom.pacs.extras import quiet
from rig.dicom.pacs.model import Peer
from rig.dicom.pacs.pace import Pace
from rig.dicom.pacs.receiver import Receiver
from rig.dicom.pacs.storing import Storing

CR = "1.2.840.10008.5.1.4.1.1.1"
PEM = Path(__file__).parents[1] / "phone_agent" / "localhost.pem"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


@pytest.fixture
def kept() -> dict[str, bytes]:
    return {}


@pytest.fixture
def receive(kept: dict[str, bytes]) -> Iterator[Callable[..., Receiver]]:
    """Starts receivers called RIG on free ports of loopback."""
    running: list[Receiver] = []

    def start(
        *,
        keep: Callable[[str, bytes], object] = kept.__setitem__,
        most: int = 1 << 24,
        **options: Any,
    ) -> Receiver:
        storing = Storing(
            keep, Pace(0, time.monotonic, time.sleep), most=most, wanted=options.pop("wanted", None)
        )
        one = Receiver("RIG", ("127.0.0.1", 0), ["SCANNER"], storing, **options)
        running.append(one.__enter__())
        return one

    yield start
    for one in running:
        one.__exit__(None, None, None)


def call(port: int, *, calling: str = "SCANNER", called: str = "RIG") -> Association:
    entity = AE(ae_title=calling)
    entity.add_requested_context(CR)
    return entity.associate("127.0.0.1", port, ae_title=called)


def send(port: int, dataset: Any) -> int:
    """Status of the answer; -1 without one."""
    association = call(port)
    assert association.is_established
    status = association.send_c_store(dataset)
    if association.is_established:
        association.release()
    return int(status.Status) if "Status" in status else -1


def test_an_allowed_caller_is_taken_from_and_bytes_are_kept(
    receive: Callable[..., Receiver], kept: dict[str, bytes], dicoms: dict[str, Any]
) -> None:
    one = dicoms["made"](1)
    assert send(receive().port, one) == 0
    assert list(kept) == [one.SOPInstanceUID]
    assert one.PixelData in kept[one.SOPInstanceUID]
    assert kept[one.SOPInstanceUID][128:132] == b"DICM"


@pytest.mark.parametrize(
    ("calling", "called"), [("STRANGER", "RIG"), ("SCANNER", "OTHER"), ("scanner", "RIG")]
)
def test_everybody_else_is_turned_away(
    receive: Callable[..., Receiver], calling: str, called: str
) -> None:
    seen: list[str] = []
    receiver = receive(on_refusal=seen.append)
    association = call(receiver.port, calling=calling, called=called)
    assert association.is_rejected
    assert seen == [calling]
    assert receiver.turned_away == 1


def test_who_may_send_must_be_said() -> None:
    storing = Storing(lambda _sop, _data: None, Pace(0, time.monotonic, time.sleep), most=1)
    with pytest.raises(PacsError, match="name at least one AE title"):
        Receiver("RIG", ("127.0.0.1", 0), [], storing)


def test_what_was_not_asked_for_is_refused(
    receive: Callable[..., Receiver], kept: dict[str, bytes], dicoms: dict[str, Any]
) -> None:
    one, other = dicoms["made"](1), dicoms["made"](2)
    receiver = receive(wanted={str(one.SOPInstanceUID)})
    assert send(receiver.port, other) == 0xC001
    assert send(receiver.port, one) == 0
    assert list(kept) == [one.SOPInstanceUID]


def test_a_full_disk_is_told_to_the_sender_and_stays_full(
    receive: Callable[..., Receiver], dicoms: dict[str, Any]
) -> None:
    def keep(_sop: str, _data: bytes) -> None:
        raise OutOfSpace("The disk is full.")

    receiver = receive(keep=keep)
    assert send(receiver.port, dicoms["made"](1)) == 0xA700
    assert send(receiver.port, dicoms["made"](2)) == 0xA700


def test_an_endless_image_is_cut_off(
    receive: Callable[..., Receiver], kept: dict[str, bytes], dicoms: dict[str, Any]
) -> None:
    """Before it is whole, so that memory does not fill; the receiver lives on."""
    receiver = receive(most=1 << 20)
    assert send(receiver.port, dicoms["made"](1, size=1500)) == -1
    assert kept == {}
    assert send(receiver.port, dicoms["made"](2)) == 0
    assert len(kept) == 1


def test_an_address_that_is_taken_is_told(receive: Callable[..., Receiver]) -> None:
    storing = Storing(lambda _sop, _data: None, Pace(0, time.monotonic, time.sleep), most=1)
    port = receive().port
    second = Receiver("RIG", ("127.0.0.1", port), ["A"], storing)
    with pytest.raises(PacsError, match=f"127.0.0.1:{port} cannot be listened on"):
        second.__enter__()


def test_over_tls_with_an_authority_that_is_known_and_not_without(
    receive: Callable[..., Receiver],
) -> None:
    """A caller who connects and says nothing keeps nobody out."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(PEM)
    port = receive(tls=server).port
    peer = Peer("RIG", "127.0.0.1", port)
    client = ssl.create_default_context(cafile=PEM)
    silent = socket.create_connection(("127.0.0.1", port))
    echo(peer, Caller("SCANNER", 20.0, client))
    with pytest.raises(PacsError, match="may not speak DICOM"):
        echo(peer, Caller("SCANNER", 5.0, None))
    with pytest.raises(PacsError, match="is not signed by an authority that we trust"):
        echo(peer, Caller("SCANNER", 5.0, ssl.create_default_context()))
    silent.close()


def test_the_command_takes_images_until_it_is_ended(dicoms: dict[str, Any], tmp_path: Path) -> None:
    """It says where it listens; SIGTERM ends it with the sum."""
    quarantine = tmp_path / "q"
    words = ["receive", "--to", str(quarantine), "--allow", "SCANNER", "--listen", "127.0.0.1:0"]
    child = subprocess.Popen(
        [sys.executable, "-m", "rig.cli", "pacs", *words, "--json", "--spare-gb", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        port = int(json.loads(child.stdout.readline())["listening"].rpartition(":")[2])
        first = dicoms["made"](1)
        assert [send(port, first), send(port, first), send(port, dicoms["made"](2))] == [0, 0, 0]
        assert call(port, calling="STRANGER").is_rejected
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=120)
    finally:
        child.kill()
        child.wait()
    told = json.loads(out)
    assert (child.returncode, told["got"], told["turned_away"]) == (0, 2, 1)
    assert "AE title 'STRANGER' may not send" in err
    assert dicoms["canary"] not in out + err
    assert len(dicoms["stored"](quarantine)) == 2
