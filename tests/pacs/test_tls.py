"""DICOM over TLS with a real Orthanc that wants a certificate of us, too."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.dicom.pacs.encryption import trouble
from rig.dicom.pacs.model import Peer

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, text=True)


def authority(folder: Path, name: str) -> None:
    """NAME.pem and NAME.key of an authority of our own."""
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
        f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", f"{name}.key", "-out", f"{name}.pem",
    )  # fmt: skip


def certificate(folder: Path, name: str, by: str, *, days: str = "2") -> None:
    """NAME.pem and NAME.key for 127.0.0.1, signed by the authority *by*."""
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
        "-keyout", f"{name}.key", "-out", f"{name}.csr",
    )  # fmt: skip
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
        "-CAcreateserial", "-days", days, "-extfile", "ext", "-out", f"{name}.pem",
    )  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital's authority with a PACS and a rig of its own, and a stranger's with a rig."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("hospital", "stranger"):
        authority(folder, name)
    for name, by in (("pacs", "hospital"), ("ours", "hospital"), ("theirs", "stranger")):
        certificate(folder, name, by)
    return folder


@pytest.fixture
def secure(orthanc: Any, keys: Path) -> Any:
    """Orthanc that speaks nothing but TLS, to those with a certificate of its authority."""
    orthanc.kill()
    orthanc.configure(
        DicomTlsEnabled=True,
        DicomTlsCertificate=str(keys / "pacs.pem"),
        DicomTlsPrivateKey=str(keys / "pacs.key"),
        DicomTlsTrustedCertificates=str(keys / "hospital.pem"),
        DicomTlsRemoteCertificateRequired=True,
    )
    orthanc.start()
    return orthanc


def words(keys: Path, *, ca: str = "hospital", mine: str | None = "ours") -> list[str]:
    given = ["--tls", "--ca", str(keys / f"{ca}.pem"), "--timeout", "20"]
    if mine is not None:
        given += ["--cert", str(keys / f"{mine}.pem"), "--key", str(keys / f"{mine}.key")]
    return given


def test_images_come_over_tls_and_nobody_else_gets_in(
    secure: Any, keys: Path, write_made: Callable[..., list[Path]], tmp_path: Path,
    dicoms: dict[str, Any],
) -> None:  # fmt: skip
    """Echo, find and get; then each kind of wrong certificate, with a sentence of its own."""
    secure.take(write_made(4))
    done = secure.rig("echo", secure.peer, *words(keys))
    assert (done.returncode, done.stdout) == (0, "ORTHANC at 127.0.0.1:4242 answers.\n"), (
        done.stderr
    )
    found = json.loads(secure.rig("find", secure.peer, *words(keys), "--json").stdout)
    assert len(found["series"]) == 2
    quarantine = tmp_path / "quarantine"
    pull = ("get", secure.peer, "--to", str(quarantine), "--json")
    done = secure.rig(*pull, *words(keys))
    assert (done.returncode, json.loads(done.stdout)["got"]) == (0, 4), done.stderr
    assert len(dicoms["stored"](quarantine)) == 4

    refused = {
        "is not signed by an authority that we trust": words(keys, ca="stranger"),
        "does not accept our certificate, or wants one": words(keys, mine=None),
        "does not accept our certificate": words(keys, mine="theirs"),
        "broke off before the association was made": ["--timeout", "20"],  # no --tls
    }
    for sentence, given in refused.items():
        done = secure.rig("echo", secure.peer, *given)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    done = secure.rig("echo", secure.peer.replace("127.0.0.1", "localhost"), *words(keys))
    assert done.returncode == 2
    assert "is not for localhost" in done.stderr


def test_a_pacs_that_speaks_no_tls_is_told(orthanc: Any, keys: Path) -> None:
    done = orthanc.rig("echo", orthanc.peer, *words(keys), "--timeout", "5")
    assert done.returncode == 2
    assert done.stderr.startswith("rig pacs: ")
    assert "TLS" in done.stderr


@pytest.fixture
def listen(keys: Path) -> Iterator[Callable[..., Peer]]:
    """A TLS server of one connection, which then says nothing."""
    threads: list[threading.Thread] = []

    def start(name: str) -> Peer:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
        server = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with server:
                one, _ = server.accept()
                try:
                    with context.wrap_socket(one, server_side=True) as secure:
                        secure.recv(1)
                except OSError:
                    one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        threads.append(thread)
        return Peer("PACS", "127.0.0.1", server.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_a_sound_handshake_is_no_trouble(keys: Path, listen: Callable[..., Peer]) -> None:
    context = ssl.create_default_context(cafile=keys / "hospital.pem")
    assert trouble(listen("pacs"), context, 20) is None


def test_a_certificate_out_of_date_is_told(keys: Path, listen: Callable[..., Peer]) -> None:
    certificate(keys, "old", "hospital", days="0")
    context = ssl.create_default_context(cafile=keys / "hospital.pem")
    assert "is not valid today" in str(trouble(listen("old"), context, 20))


def test_nobody_there_is_no_matter_of_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert trouble(Peer("PACS", "127.0.0.1", port), ssl.create_default_context(), 5) is None
