"""The dashboard in a real browser: every form works, and nothing breaks the pages' own policy.

A policy that forbids what a page needs (a Referrer-Policy that makes a form's origin `null`, a
content policy that stops a script) is seen by no test that only speaks HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.system
WORDS = "document.getElementById('words').textContent"


async def confirm_the_room(tab: Any) -> None:
    """Tick the whole checklist, sign it, send it: shooting starts only then."""
    boxes = "document.querySelectorAll('#conditions input[name=factor]')"
    await tab.value(f"{boxes}.forEach((box) => {{ box.checked = true; }})")
    await tab.write("#condition-name", "Anna")
    await tab.click("#do-confirm")
    await tab.until("document.querySelector('#conditions .state-completed') !== null")
    await fresh(tab)


async def waive_the_alignment(tab: Any, room: Any) -> None:
    """Nobody holds a phone here: the alignment's page takes a name and a reason instead."""
    await tab.go(f"{room.url}/sessions/{room.session}/alignment")
    await fresh(tab)
    assert await tab.value("document.getElementById('do-start').disabled")
    assert await tab.value("document.getElementById('operator') === null")
    await tab.click("#who")
    await tab.write("#operator-name", "Anna")
    await tab.click("#name-keep")
    await tab.until("document.getElementById('who-text').textContent === 'Anna'")
    await tab.click("#ask-waive")
    await tab.write("#waive-why", "no phone here")
    await tab.click("#do-waive")
    await tab.until(f"{WORDS} === 'Ready to start'")
    await tab.go(f"{room.url}/sessions/{room.session}")
    await fresh(tab)


async def test_a_visit_from_sign_in_to_sign_out(browser: Any, room: Any) -> None:
    """Sign in by the form, start, pause, resume, pair, unpair, look at every page, sign out."""
    tab = await browser.tab()
    await tab.go(f"{room.url}/sessions/{room.session}")
    assert await tab.value("location.pathname") == "/sign-in"
    await tab.write("#token", room.token)
    await tab.click("form button")
    await tab.until("location.pathname === '/' && document.readyState === 'complete'")
    await fresh(tab)

    await tab.go(f"{room.url}/campaigns/c")
    await fresh(tab)
    await tab.go(f"{room.url}/sessions/{room.session}")
    await fresh(tab)
    await confirm_the_room(tab)
    await waive_the_alignment(tab, room)
    await tab.click("#do-start")
    await tab.until(f"{WORDS}.startsWith('Getting ready')")
    await tab.click("#do-pause")
    await tab.until(f"{WORDS}.startsWith('Paused')")
    await tab.click("#do-resume")
    await tab.until(f"!{WORDS}.startsWith('Paused')")

    await tab.go(f"{room.url}/phone/live")
    await fresh(tab)
    await tab.go(f"{room.url}/phone/live?station=s")
    await fresh(tab)
    code = await pair(tab, room)
    await phone_sees(await browser.tab(), room, code)

    # The session pauses when its phone is unpaired, and the page says why without being asked.
    await tab.go(f"{room.url}/stations/s/pair")
    await fresh(tab)
    await tab.click("details summary")
    await tab.click("#do-unpair")
    await asyncio.to_thread(room.await_event, "unpaired")
    await tab.go(f"{room.url}/sessions/{room.session}")
    await tab.until(f"{WORDS}.startsWith('Paused')")
    assert "unpaired" in await tab.until("document.querySelector('.next').textContent")

    await tab.click("#theme")
    await tab.until("document.documentElement.dataset.theme === 'room'")
    await tab.click("header form button")
    await tab.until("location.pathname === '/sign-in'")
    assert tab.trouble == []
    await tab.go(f"{room.url}/")
    assert await tab.value("location.pathname") == "/sign-in"


async def test_the_link_of_the_terminal_signs_in_once(browser: Any, room: Any) -> None:
    """And leaves its token nowhere: not in the address, not for the next page."""
    tab, link = await browser.tab(), room.link()
    await tab.go(link)
    assert await tab.value("location.href") == f"{room.url}/"
    assert await tab.value("document.referrer") == ""
    await fresh(tab)
    assert tab.trouble == []
    other = await browser.tab()
    await other.go(link)
    assert await other.value("location.pathname") == "/sign-in"
    assert "used before" in await other.value("document.body.innerText")


async def test_a_foreign_page_can_do_nothing(browser: Any, room: Any) -> None:
    """A form of another site, sent by a browser that is signed in here, is refused."""
    tab = await browser.tab()
    await tab.go(room.link())
    await tab.go("data:text/html,<form method=post></form>")
    await tab.value(
        f"document.forms[0].action = '{room.url}/stations/s/pair', document.forms[0].submit()"
    )
    await tab.until("location.protocol === 'http:' && document.readyState === 'complete'")
    text = await tab.value("document.body.innerText")
    assert "another site" in text or "Sign in" in text
    assert any(one.startswith(("401", "403")) for one in tab.trouble)


async def test_the_policy_stops_what_is_not_ours(browser: Any, room: Any) -> None:
    """And this file would see it: each of three smuggled things is stopped and told."""
    tab = await browser.tab()
    await tab.go(f"{room.url}/sign-in")
    assert tab.trouble == []
    await tab.value("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    await tab.value(
        "document.head.append(Object.assign(document.createElement('script'), {text: 'bad = 1'}))"
    )
    await tab.value("fetch('http://127.0.0.2:9/').catch(() => 0), 0")
    async with asyncio.timeout(20):
        while len([one for one in tab.trouble if "Content Security Policy" in one]) < 3:
            await asyncio.sleep(0.05)
    assert await tab.value("typeof bad") == "undefined"


async def fresh(tab: Any) -> None:
    """Its event stream speaks: the scripts run, and the worker is allowed."""
    await tab.until("document.getElementById('freshness').dataset.link === 'fresh'")


async def pair(tab: Any, room: Any) -> str:
    """Make a code by the form; its QR code is drawn."""
    await tab.go(f"{room.url}/stations/s/pair")
    await tab.click("main form[action='/stations/s/pair'] button")
    shown = "document.querySelector('#code-title .code')?.textContent"
    code = str(await tab.until(f"document.readyState === 'complete' && {shown}"))
    assert len(code) == 8
    assert await tab.value("document.querySelector('svg.qr').getBoundingClientRect().width") > 100
    await tab.click("[data-copy]")
    await tab.until("/Copied|Selected/.test(document.querySelector('[data-copy]').textContent)")
    return code


async def phone_sees(tab: Any, room: Any, code: str) -> None:
    """The phone's own page, without sign-in."""
    await tab.go(f"{room.url}/phone?c={code}")
    assert code in await tab.until("document.querySelector('code.line')?.textContent")
    assert await tab.value("document.querySelector('header form') === null")
    assert tab.trouble == []
