"""The serial ports of this machine, as the configuration names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from serial.tools import list_ports

BY_ID = Path("/dev/serial/by-id")


def list_all(
    ports: Callable[[], Iterable[Any]] = list_ports.comports, by_id: Path = BY_ID
) -> list[dict[str, Any]]:
    """Each port: `device`, `usb` (as `port` takes it, None without USB), `description`, `by_id`."""
    names = _names(by_id)
    rows = [
        {
            "device": port.device,
            "usb": _usb(port),
            "description": port.description or "",
            "by_id": names.get(Path(port.device).resolve(), []),
        }
        for port in ports()
    ]
    return sorted(rows, key=lambda row: str(row["device"]))


def _usb(port: Any) -> str | None:
    if port.vid is None or port.pid is None:
        return None
    number = f":{port.serial_number}" if port.serial_number else ""
    return f"usb:{port.vid:04X}:{port.pid:04X}{number}"


def _names(by_id: Path) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    if by_id.is_dir():
        for name in sorted(by_id.iterdir()):
            found.setdefault(name.resolve(), []).append(str(name))
    return found
