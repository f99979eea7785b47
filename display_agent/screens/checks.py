"""Whether a screen that was just opened may show x-rays."""

from __future__ import annotations

from typing import Any

import structlog

from display_agent.screens import Finding, Screen
from rig.errors import UserError

FATAL = frozenset({"window", "scaling", "pixels"})
"""Findings without which no photo is worth taking: pixels would not be what was composed."""
_log = structlog.get_logger()


async def take(screen: Screen) -> tuple[Finding, ...]:
    """Open *screen* and let it check itself; what is only risky is logged as a warning.

    Raises:
        UserError: there is no screen, or it would alter the pixels; says what to do.
    """
    await screen.open()
    try:
        findings = await screen.self_check()
        refuse(findings)
    except BaseException:
        await screen.close()
        raise
    for finding in findings:
        say = _log.info if finding.ok else _log.warning
        say(f"screen: {finding.text}", check=finding.name, ok=finding.ok)
    return findings


def refuse(findings: tuple[Finding, ...]) -> None:
    """Raise UserError when one of `FATAL` is not well."""
    wrong = [finding.text for finding in findings if not finding.ok and finding.name in FATAL]
    if wrong:
        raise UserError(
            f"this screen would alter the x-rays: {'; '.join(wrong)}. Mend it and start again; "
            "`display-agent check` shows all findings, docs/display.md what they mean"
        )


def as_json(screen: Screen, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Backend, size and findings, as the event `listening` tells them."""
    width, height = screen.size
    return {
        "backend": type(screen).__name__.removesuffix("Screen").lower(),
        "width": width,
        "height": height,
        "checks": [{"name": f.name, "ok": f.ok, "text": f.text} for f in findings],
    }
