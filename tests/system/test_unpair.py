"""A phone that was unpaired is let in no more; the next one, with its folder, goes on."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from rig.protocol.codes import MessageType
from rig.protocol.datagram import BadDatagram, Datagram, canonical, decode, encode
from rig.protocol.keys import Pairing, boot_key, parse_pairing

pytestmark = pytest.mark.system
MakeRig = Callable[..., Any]


def heard(told: Pairing, *, later: Pairing) -> list[str]:
    """Which of two knocks, *told*'s and then *later*'s, the display answers."""
    answered = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocker:
        knocker.settimeout(20)
        for pairing in (told, later):
            body = {"boot_id": os.urandom(8).hex(), "aborted": False}
            knock = Datagram(MessageType.KNOCK, pn=1, payload=canonical(body))
            knocker.sendto(encode(knock, boot_key(pairing.psk)), pairing.hosts[0])
        while "later" not in answered:
            data = knocker.recv(2000)
            for name, pairing in (("told", told), ("later", later)):
                try:
                    hello = decode(data, boot_key(pairing.psk))
                except BadDatagram:
                    continue
                assert hello.type == MessageType.HELLO
                answered.append(name)
    return answered


def next_phone(rig: Any, tools: dict[str, Any], folder: Path) -> None:
    """Pair another phone by code, with *folder* as its photo folder."""
    rig.phone_dir = folder
    code = rig.post("/api/stations/s/codes")["code"]
    words = [f"127.0.0.1:{rig.port}", code, "--dir", str(folder),
             "--camera", f"loopback:{rig.frames}", "--upload", "--json"]  # fmt: skip
    rig.phone = tools["Process"](f"phone-{folder.name}", "phone_agent.cli", words, rig.folder)
    rig.processes.append(rig.phone)
    rig.phone.start()


def test_the_next_phone_goes_on_with_the_folder_of_the_one_before(
    make_rig: MakeRig, tools: dict[str, Any]
) -> None:
    """Cut off at once by key and token, over a restart, too; the pause says what to do."""
    rig = make_rig(5, settle_ms=600)
    rig.bring_up()
    old = parse_pairing(rig.pairing.read_text())
    rig.await_committed(2)
    told = rig.post("/api/stations/s/unpair")
    assert (told["generation"], told["connected"]) == (1, True)
    paused = rig.await_state("paused")
    assert "unpaired" in paused["paused"]["why"]
    assert "folder" in paused["paused"]["why"]
    count = paused["committed"]
    assert 2 <= count < 5

    # The old phone still runs and knocks: nobody answers its key, and its token is void.
    new = tools["until"](
        lambda: (p := parse_pairing(rig.pairing.read_text())).psk != old.psk and p, "no new key"
    )
    rig.display.restart()
    tools["until"](lambda: rig.get("/api/stations")[0]["connected"], "the station is away")
    assert heard(old, later=new) == ["later"]
    for token, status in ((old.upload_token, 401), (new.upload_token, 200)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{rig.url}/api/phone/hello", headers=headers, trust_env=False)
        assert answer.status_code == status
    assert rig.show()["committed"] == count
    rig.phone.end()

    shutil.copytree(rig.phone_dir, rig.folder / "next")
    next_phone(rig, tools, rig.folder / "next")
    rig.phone.said("kind")
    if rig.show()["state"] in ("paused", "interrupted"):
        rig.post(f"/api/sessions/{rig.session}/resume")
    rig.await_state("completed")
    rig.await_verdicts()
    rig.audit()


def test_a_next_phone_without_the_folder_stops_the_session_and_is_told_why(
    make_rig: MakeRig, tools: dict[str, Any]
) -> None:
    """What was decided must not be shot into a second history: DIVERGED, and how to go on."""
    rig = make_rig(4, settle_ms=600)
    rig.bring_up()
    rig.await_committed(1)
    rig.post("/api/stations/s/unpair")
    rig.await_state("paused")
    rig.phone.end()
    first = rig.phone_dir
    next_phone(rig, tools, rig.folder / "empty")
    aborted = rig.await_state("aborted")
    assert "Copy the photo folder" in aborted["abort"]["why"]
    rig.phone.end()

    # As the sentence says: the folder of the phone before, then re-arm.
    shutil.copytree(first, rig.folder / "copied")
    next_phone(rig, tools, rig.folder / "copied")
    rig.post(f"/api/sessions/{rig.session}/rearm", abort_id=aborted["abort"]["abort_id"])
    rig.await_state("completed")
    rig.await_verdicts()
    rig.audit()
