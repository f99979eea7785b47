"""Everything around the protocol that an agent looks at or tells: nothing here decides a photo."""

from __future__ import annotations

from dataclasses import dataclass, field

from phone_agent.battery import BatteryWatch
from phone_agent.controller import Controller, ControllerError, Hello
from phone_agent.page import StatusPage
from phone_agent.reporter import Reporter
from phone_agent.tools import Tools, WakeLock
from phone_agent.view import View


@dataclass
class Surroundings:
    """What the command line has made ready.

    Attributes:
        view: what page, status line and controller show.
        tools: runs `termux-*` programs.
        controller: for the checks; None when the pairing names none.
        reporter: tells the controller how the phone is, or None.
        page: the status page, or None.
        checks: whether to look at everything before shooting.
    """

    view: View = field(default_factory=View)
    tools: Tools = field(default_factory=Tools)
    controller: Controller | None = None
    reporter: Reporter | None = None
    page: StatusPage | None = None
    checks: bool = True

    def __post_init__(self) -> None:
        self.battery = BatteryWatch(self.tools)
        self.wake = WakeLock(self.tools)

    def start(self) -> None:
        """Open the page and begin to report."""
        if self.page is not None:
            self.page.start()
        if self.reporter is not None:
            self.reporter.start()

    def hello(self) -> Hello | None:
        """What the controller says over HTTP right now; None: nothing."""
        if self.controller is None:
            return None
        try:
            return self.controller.hello()
        except ControllerError:
            return None
        finally:
            self.controller.close()

    def interrupt(self) -> None:
        """End whatever blocks: a program that runs, a question to the controller."""
        self.tools.close()
        if self.controller is not None:
            self.controller.stop()

    def close(self) -> None:
        """The last things: say good-bye, let go of the wake lock."""
        self.interrupt()
        self.view.update(state="stopped", link_ms=None)
        if self.reporter is not None:
            self.reporter.stop()
        if self.page is not None:
            self.page.close()
        self.wake.release()
