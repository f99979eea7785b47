"""A browser in kiosk mode on this machine, with a profile of its own that is thrown away."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from display_agent.screens import x11
from display_agent.screens.window import WindowOptions
from rig.errors import UserError

_KNOWN = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge", "brave-browser")
_OPTIONS = (
    "--kiosk", "--start-fullscreen", "--no-first-run", "--no-default-browser-check",
    "--disable-session-crashed-bubble", "--disable-infobars", "--disable-translate",
    "--disable-features=Translate,GlobalMediaControls", "--disable-pinch", "--hide-scrollbars",
    "--overscroll-history-navigation=0", "--password-store=basic", "--use-mock-keychain",
    "--disable-sync", "--disable-component-update", "--disable-background-networking",
    # Pixels and colours as they are.
    "--force-device-scale-factor=1", "--force-color-profile=srgb",
)  # fmt: skip
_CLOSE_WITHIN = 5.0


class Kiosk:
    """One browser process group.

    Args:
        command: program and options, as in a shell; empty for any Chromium on the PATH.
        options: which monitor.
    """

    def __init__(self, command: str, options: WindowOptions) -> None:
        self._words = shlex.split(command) or _found()
        self._options = options
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self, url: str) -> None:
        """Open *url*; raises UserError when the browser cannot be started."""
        self._folder = tempfile.TemporaryDirectory(prefix="rig-kiosk-", ignore_cleanup_errors=True)
        # The address holds the token and other users see the command line: a file leads to it.
        start = Path(self._folder.name) / "start.html"
        start.touch(mode=0o600)
        start.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0;url={url}">', encoding="utf-8"
        )
        words = [
            *self._words, *_OPTIONS, *self._geometry(), f"--user-data-dir={self._folder.name}",
            start.as_uri(),
        ]  # fmt: skip
        try:
            self._child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise UserError(
                f"the browser {self._words[0]!r} cannot be started ({error.strerror}); name "
                "another by --browser-command, or open the page yourself"
            ) from error

    @property
    def ended(self) -> int | None:
        """Exit status of a browser that has ended by itself, else None."""
        return None if self._child is None else self._child.poll()

    def close(self) -> None:
        """End the browser and throw its profile away."""
        if self._child is not None:
            for signum in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._child.pid, signum)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(_CLOSE_WITHIN)
            self._child = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _geometry(self) -> list[str]:
        number, found = self._options.monitor, x11.monitors()
        if not found and number == 0:
            return []
        if number >= len(found):
            raise UserError(f"there is no monitor {number} here, RandR knows {len(found)}")
        at = found[number]
        width, height = self._options.windowed or (at.width, at.height)
        return [f"--window-position={at.x},{at.y}", f"--window-size={width},{height}"]


def _found() -> list[str]:
    for name in _KNOWN:
        if (path := shutil.which(name)) is not None:
            return [path]
    raise UserError(
        "no Chromium is installed here; name a browser by --browser-command, or leave --open out "
        "and open the page yourself"
    )
