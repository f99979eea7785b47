"""What a phone remembers between two starts: DIR/pairing.json, readable by its owner only.

`phone-agent HOST:PORT CODE` exchanges the code and remembers; `phone-agent` alone starts from it.
"""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from phone_agent.controller import Controller, ControllerError
from phone_agent.files import sync_folder
from phone_agent.link import parse_url
from rig.protocol.keys import BadPairing, Pairing, parse_pairing

FILE = "pairing.json"
DEFAULT_DIR = Path("~/rig")
DEFAULT_PORT = 8000
_CODE = re.compile(r"[A-Z2-7]{8}", re.ASCII)


class ConfigError(Exception):
    """Pairing or remembered settings cannot be used; one sentence that says what to do."""


@dataclass(frozen=True)
class Saved:
    """What is remembered: how to reach the display and the controller, and which camera."""

    pairing: Pairing
    camera: str = ""


def controller_url(text: str) -> str:
    """The controller's address as a person types it: HOST, HOST:PORT or a whole http(s) URL.

    Raises:
        ConfigError: it is none.
    """
    url = text.strip().rstrip("/")
    if "://" not in url:
        # A bare IPv6 address has more colons than one.
        tail = url.rpartition("]")[2] if url.startswith("[") else url
        url = f"http://{url}" if ":" in tail else f"http://{url}:{DEFAULT_PORT}"
    try:
        parse_url(url)
    except ValueError as error:
        raise ConfigError(f"the controller's address cannot be used: {error}") from error
    return url


def pairing_code(text: str) -> str:
    """The code as the controller wants it: eight of A-Z and 2-7.

    Raises:
        ConfigError: it is none; it is not repeated, since it is a secret for ten minutes.
    """
    code = re.sub(r"[\s-]", "", text).upper().replace("0", "O").replace("1", "I")
    if not _CODE.fullmatch(code):
        raise ConfigError(
            "the code is not one: it has 8 letters and digits (A to Z, 2 to 7); read it again "
            "from the controller's page"
        )
    return code


def exchange(address: str, code: str) -> Pairing:
    """Exchange a code for the pairing at the controller.

    Raises:
        ConfigError: with the one sentence that says why not and what to do.
    """
    url, code = controller_url(address), pairing_code(code)
    controller = Controller(url, timeout_s=10.0)
    try:
        pairing = parse_pairing(controller.pair(code, device_name()))
    except ControllerError as error:
        raise ConfigError(str(error)) from error
    except BadPairing as error:
        raise ConfigError(f"the controller sent a pairing that cannot be used: {error}") from error
    finally:
        controller.close()
    return pairing


def device_name() -> str:
    """What this phone calls itself, at most 80 characters."""
    android = getattr(platform, "android_ver", None)  # Python 3.13 and later
    if android is not None:
        told = android()
        named = f"{told.manufacturer} {told.model}, Android {told.release}".strip()
        if told.model:
            return named[:80]
    return f"{platform.system()} {platform.machine()}"[:80]


def save(folder: Path, saved: Saved) -> None:
    """Remember *saved* durably: temporary name, fsync, rename, fsync of the folder.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = folder / f"{FILE}.part"
    data = json.dumps({"pairing": saved.pairing.url(), "camera": saved.camera}).encode()
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(folder / FILE)
    sync_folder(folder)


def load(folder: Path) -> Saved:
    """What `save` has remembered.

    Raises:
        ConfigError: nothing is remembered, or the file is damaged.
        OSError: it cannot be read.
    """
    path = folder / FILE
    try:
        said = json.loads(path.read_bytes())
        return Saved(parse_pairing(said["pairing"]), str(said.get("camera", "")))
    except FileNotFoundError:
        raise ConfigError(
            "this phone is not paired yet: start phone-agent HOST:PORT CODE with address and code "
            "from the controller's phone page; without a controller --pair URL is needed"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f" ({error})" if isinstance(error, BadPairing) else ""
        raise ConfigError(
            f"{path} is damaged{why}; pair the phone again with phone-agent HOST:PORT CODE"
        ) from error
