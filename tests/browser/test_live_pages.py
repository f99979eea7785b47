"""The shell of the dashboard and its own pages: keys, calls, jobs, settings, for everybody."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from typing import Any

import pytest

pytestmark = pytest.mark.system

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
FRESH = "document.getElementById('freshness').dataset.link === 'fresh'"
WORDS = "document.getElementById('words').textContent"
SHEET = """
window.asked = [];
const thumb = (n) => `<li><a class="thumb is-good" href="#p${n}"><span class="thumb-words">` +
  `<span>${n}</span><span class="thumb-mark">✓ right</span></span></a></li>`;
const sheet = (at) => {
  const items = Array.from({ length: 200 }, (_, n) => thumb(at + n)).join("");
  const next = at < 600 ? `<a rel="next" href="/sheet?after=${at + 200}">More</a>` : "";
  return `<rig-thumb-grid label="Photos"><ol class="sheet">${items}</ol>${next}</rig-thumb-grid>`;
};
const real = window.fetch;
window.fetch = (path, more) => {
  const at = /after=(\\d+)/.exec(String(path));
  if (!at) return real(path, more);
  window.asked.push(Number(at[1]));
  return Promise.resolve(new Response(sheet(Number(at[1]))));
};
document.getElementById("main").innerHTML = sheet(0);
0;
"""
WEIGHT = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter((one) => !one.name.includes("/api/"))
  .reduce(([count, sum], one) => [count + 1, sum + one.transferSize], [0, 0])
"""
PART = """
{
  // What the controller renders has these from now on, as a page with a form would.
  const picture = (name) => `<img src="/favicon.ico" alt="${name}">`;
  const html = `<input id="drafted" aria-label="draft">` +
    `<details><summary>More</summary>x</details>` +
    `<rig-compare label="Two">${picture("a")}${picture("b")}</rig-compare>`;
  const part = document.getElementById("ended");
  part.insertAdjacentHTML("afterbegin", html);
  part.insertAdjacentHTML("beforeend", `<p class="gone">old</p>`);
  const real = window.fetch;
  window.fetch = async (path, more) => {
    const answer = await real(path, more);
    if (String(path) !== location.href) return answer;
    const text = await answer.text();
    return new Response(text.replace(/(<section id="ended"[^>]*>)/, `$1${html}`));
  };
}
0;
"""
THEMES = ("dark", "light", "room")
SIZES = ((1280, 900), (768, 1024), (640, 450), (320, 640))
"""A desk, a tablet, a desk at 200 % zoom, a desk at 400 % (WCAG 2.2, 1.4.10)."""


async def signed_in(browser: Any, room: Any, path: str = "/", *, before: str = "") -> Any:
    tab = await browser.tab(before=before)
    await tab.go(room.link())
    await tab.go(room.url + path)
    await tab.until(FRESH)
    return tab


async def violations(tab: Any) -> list[str]:
    """What axe finds, as `rule: element`."""
    await tab.value(f"window.axe || (() => {{ {AXE} }})()")
    found = await tab.value(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => JSON.stringify("
        "r.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 120)} "
        "${n.any.map((a) => a.message).join(' ').slice(0, 160)}`))))"
    )
    return list(json.loads(found))


async def as_seen(tab: Any, width: int, height: int, theme: str) -> None:
    await tab.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
        mobile=False,
    )  # fmt: skip
    await tab.value(f"localStorage.setItem('theme', '{theme}')")
    # Colours on their way from one light to the other are nobody's.
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    await tab.call("Emulation.setEmulatedMedia", features=still)
    await tab.value("showTheme()")
    assert await tab.value("document.documentElement.dataset.theme") == theme


@pytest.mark.parametrize("path", ["/sign-in", "/nothing-is-here", "/jobs", "/settings"])
async def test_axe_finds_nothing_in_any_light_and_nothing_is_cut_off(
    browser: Any, room: Any, path: str
) -> None:
    """Labels, landmarks, contrast; and no page is wider than its window down to 320 px."""
    tab = await browser.tab()
    if path != "/sign-in":
        await tab.go(room.link())
    await tab.go(room.url + path)
    if path == "/settings":
        await tab.until("document.querySelectorAll('.findings li').length > 5")
    for theme in THEMES:
        for width, height in SIZES:
            await as_seen(tab, width, height, theme)
            wide = await tab.value("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (theme, width)
            if width in {1280, 320}:
                assert await violations(tab) == [], (theme, width)
    assert [one for one in tab.asked if not one.startswith(room.url)] == []


async def test_axe_would_say_so(browser: Any, room: Any) -> None:
    """A field without a label and words that cannot be read are found."""
    tab = await browser.tab()
    await tab.go(f"{room.url}/sign-in")
    await tab.value("document.querySelector('label').remove()")
    await tab.value("document.querySelector('h1').style.setProperty('color', '#333')")
    found = {one.split(":")[0] for one in await violations(tab)}
    assert {"label", "color-contrast"} <= found


async def test_keys_pause_resume_and_ask_before_they_abort(browser: Any, room: Any) -> None:
    """Never while somebody types, and only as long as they are wanted."""
    await asyncio.to_thread(room.prepare)
    await asyncio.to_thread(room.post, f"/api/sessions/{room.session}/start", confirm=True)
    tab = await signed_in(browser, room, f"/sessions/{room.session}")
    await tab.until("document.querySelector('#do-pause:enabled') !== null")
    await tab.value("document.getElementById('main').focus()")
    await tab.key(" ", code="Space")
    await tab.until(f"{WORDS}.startsWith('Paused')")
    await tab.until("document.querySelector('#do-resume:enabled') !== null")

    # Typed into a field they are letters.
    await tab.click("#who")
    await tab.value("document.getElementById('operator-name').focus()")
    for key in ("a", " ", "d"):
        await tab.key(key)
    assert await tab.value("document.getElementById('operator-name').value") == "a d"
    assert await tab.value("document.getElementById('abort-dialog').open") is False
    await tab.key("Escape")
    await tab.until("!document.getElementById('name-dialog').open")

    await tab.value("document.getElementById('main').focus()")
    await tab.key("a")
    await tab.until("document.getElementById('abort-dialog').open")
    # The way out has the focus: Enter does not abort.
    await tab.key("Enter")
    await tab.until("!document.getElementById('abort-dialog').open")
    assert (await asyncio.to_thread(room.get, f"/api/sessions/{room.session}"))["state"] == "paused"

    await tab.value("document.getElementById('main').focus()")
    await tab.key("?", shift=True)
    await tab.until("document.getElementById('keys-dialog').open")
    listed = await tab.value("document.getElementById('keys-list').innerText")
    assert "Pause after this image" in listed
    assert "Abort" in listed
    assert "Dark room" in listed
    await tab.click("#keys-on")
    await tab.key("Escape")
    await tab.until("!document.getElementById('keys-dialog').open")
    await tab.value("document.getElementById('main').focus()")
    await tab.key("d")
    await tab.key(" ", code="Space")
    assert await tab.value("document.documentElement.dataset.theme") == "dark"
    await tab.value("localStorage.setItem('keys', 'on')")
    await tab.key("d")
    assert await tab.value("document.documentElement.dataset.theme") == "room"
    await tab.key(" ", code="Space")
    await tab.until(f"!{WORDS}.startsWith('Paused')")
    await tab.key("g")
    await tab.key("j")
    await tab.until("location.pathname === '/jobs'")
    assert await tab.value("document.documentElement.dataset.theme") == "room"
    assert tab.trouble == []


async def test_what_a_person_does_survives_the_exchange_of_parts(browser: Any, room: Any) -> None:
    """Focus, typed text, open details and elements that filled themselves; old rows go."""
    tab = await signed_in(browser, room, "/jobs")
    await tab.value(PART)
    before = "document.querySelector('#ended input')"
    await tab.until(f"{before} !== null")
    await tab.value(f"{before}.focus()")
    await tab.write("#ended input", "half a wor")
    await tab.value("document.querySelector('#ended details').open = true")
    await tab.value("document.querySelector('#ended rig-compare input').value = 20")
    wanted = {"name": "none", "csv": str(room.folder / "none.csv"), "data_dir": str(room.folder)}
    job = await asyncio.to_thread(room.post, "/api/jobs", kind="import", wanted=wanted)
    await tab.until(f"document.querySelector('#ended #{job['id']}') !== null")
    assert await tab.value(f"document.activeElement === {before}")
    assert await tab.value(f"{before}.value") == "half a wor"
    assert await tab.value("document.querySelector('#ended details').open")
    assert await tab.value("document.querySelector('#ended rig-compare input').value") == "20"
    assert await tab.value("document.querySelector('#ended .gone') === null")
    assert tab.trouble == []


async def test_a_person_is_called_by_title_icon_word_and_sound(browser: Any, room: Any) -> None:
    """Once for each thing, and not by what was there when the page was opened."""
    heard = (
        "window.rang = 0; document.addEventListener('rig:rang', () => { window.rang += 1; });"
        "document.addEventListener('rig:numbers', ({ detail }) => "
        "{ window.calls = detail.attention.calls; });"
    )
    tab = await signed_in(browser, room, "/settings", before=heard)
    await tab.click("#sound")
    await tab.until("document.getElementById('sound').getAttribute('aria-pressed') === 'true'")
    wanted = {"name": "none", "csv": str(room.folder / "none.csv"), "data_dir": str(room.folder)}
    job = await asyncio.to_thread(room.post, "/api/jobs", kind="import", wanted=wanted)
    called = f"window.calls?.some((one) => one.startsWith('{job['id']}'))"
    titled = "Number(/^\\((\\d+)\\)/.exec(document.title)?.[1]) === window.calls?.length"
    await tab.until(f"{called} && {titled}")
    await tab.until("document.querySelector('link[rel=icon]').href.includes('needy')")
    assert await tab.value("document.getElementById('attention').checkVisibility()")
    assert "need" in await tab.value("document.getElementById('attention-text').textContent")
    await tab.until("window.rang > 0")
    await tab.go(f"{room.url}/jobs")
    await tab.until(f"{called} && {titled}")
    assert await tab.value("window.rang") == 0
    text = await tab.until("document.querySelector('#ended .bad')?.textContent")
    assert len(text.split()) > 4, "an error is a sentence"
    assert tab.trouble == []


async def test_a_job_is_watched_cancelled_and_resumed(browser: Any, room: Any) -> None:
    """Its bar moves without anybody asking, and what was made is not made again."""
    tab = await signed_in(browser, room, "/jobs")
    wanted = {"catalog": "sample", "recipe": "photographic", "level": 4}
    job = await asyncio.to_thread(room.post, "/api/jobs", kind="synthesis", wanted=wanted)
    bar = f"document.querySelector('#running #{job['id']} progress')"
    await tab.until(f"{bar}?.value > 0 && {bar}.value < {bar}.max")
    assert "sample" in await tab.value(f"document.querySelector('#{job['id']} h3').textContent")
    await tab.value(f"{bar}.dataset.same = ''")
    moved = await tab.value(f"{bar}.value")
    await tab.until(f"{bar}?.value > {moved} || document.querySelector('#ended #{job['id']}')")
    await tab.click(f"#{job['id']} form[data-json$='/cancel'] button")
    await tab.until(f"document.querySelector('#ended #{job['id']} .state-cancelled') !== null")
    done = (await asyncio.to_thread(room.get, f"/api/jobs/{job['id']}"))["done"]
    await tab.click(f"#{job['id']} form[data-json$='/resume'] button")
    await tab.until(
        f"document.querySelector('#running #{job['id']}, #ended #{job['id']} .state-done') !== null"
    )
    async with asyncio.timeout(120):
        while (now := await asyncio.to_thread(room.get, f"/api/jobs/{job['id']}"))[
            "state"
        ] == "running":
            await asyncio.sleep(0.2)
    assert now["state"] == "done"
    assert now["result"]["skipped"] >= min(done, 1)
    assert now["result"]["made"] + now["result"]["skipped"] == now["total"]
    await tab.until(f"document.querySelector('#ended #{job['id']} .state-done') !== null")
    assert tab.trouble == []


async def test_settings_show_the_check_up_and_keep_what_is_chosen(browser: Any, room: Any) -> None:
    """Findings with what to do; light, sound, keys and name are this browser's."""
    tab = await signed_in(browser, room, "/settings")
    await tab.until("document.querySelectorAll('.findings li').length > 8")
    text = await tab.value("document.getElementById('findings').innerText")
    assert "Python" in text
    assert "Database" in text
    first = await tab.value("document.getElementById('findings').querySelector('time').dateTime")
    await tab.click("[hx-get='/settings/doctor']:is(button)")
    await tab.until(
        f"document.getElementById('findings').querySelector('time').dateTime !== '{first}'"
    )
    await tab.click("#theme-light")
    await tab.until("document.documentElement.dataset.theme === 'light'")
    await tab.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}]
    )
    await tab.click("#theme-system")
    await tab.until("document.documentElement.dataset.theme === 'light'")
    await tab.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    await tab.until("document.documentElement.dataset.theme === 'dark'")
    await tab.write("#settings-operator", "Berta")
    await tab.click("#settings-name button")
    await tab.until("document.getElementById('settings-name-told').textContent.startsWith('Kept')")
    await tab.go(f"{room.url}/jobs")
    await tab.until("document.getElementById('who-text').textContent === 'Berta'")
    assert (
        await tab.value("fetch('/api/me').then((a) => a.json()).then((me) => me.name)") == "Berta"
    )
    # The same name in a browser that forgot it, but not its sign-in.
    await tab.value("localStorage.clear()")
    await tab.go(f"{room.url}/jobs")
    await tab.until("document.getElementById('who-text').textContent === 'Berta'")
    assert tab.trouble == []


async def test_a_session_is_watched_live(browser: Any, own_room: Any) -> None:
    """Numbers and plots follow a real display and phone; a lost display is seen at once."""
    room = own_room
    await asyncio.to_thread(room.phone)
    await asyncio.to_thread(room.prepare)
    told = (
        "window.numbers = []; document.addEventListener('rig:numbers', ({detail}) => "
        "window.numbers.push(...detail.sessions.map((one) => one.committed)));"
    )
    tab = await signed_in(browser, room, f"/sessions/{room.session}", before=told)
    await asyncio.to_thread(room.post, f"/api/sessions/{room.session}/start", confirm=True)
    number = "document.querySelector('rig-live[of=committed]')"
    await tab.until(f"Number({number}?.textContent) > 0")
    await tab.value("window.same = true")
    await tab.until(f"{number}?.textContent === '12'")
    await tab.until(f"{WORDS}.startsWith('Completed')")
    seen = await tab.value("window.numbers")
    assert seen == sorted(seen), "a number went back"
    await tab.until("document.querySelector('rig-plot canvas') !== null")
    await tab.until("Number(document.querySelector('rig-plot').dataset.points) > 0")
    label = await tab.value(
        "document.querySelector('rig-plot[kind=rtt]').getAttribute('aria-label')"
    )
    assert " ms" in label
    assert await tab.value("window.same"), "the page was not loaded again"
    room.end("display_agent.cli")
    await tab.until("document.body.hasAttribute('data-stale')")
    assert "not connected" in await tab.value("document.getElementById('freshness').textContent")
    assert tab.trouble == []


async def test_a_controller_that_was_never_heard_is_told_too(browser: Any, room: Any) -> None:
    """Not connecting for ever: the page says that it knows nothing new."""
    silent = "window.SharedWorker = class { port = { postMessage() {} }; };"
    tab = await browser.tab(before=silent)
    await tab.go(room.link())
    await tab.go(f"{room.url}/sessions/{room.session}")
    assert await tab.value("document.getElementById('freshness').dataset.link") == "unknown"
    assert not await tab.value("document.body.hasAttribute('data-stale')")
    await tab.until("document.getElementById('freshness').dataset.link === 'stale'")
    assert "No contact" in await tab.value("document.getElementById('freshness').textContent")


async def test_before_and_after_are_compared_by_keyboard(browser: Any, room: Any) -> None:
    """The line moves with the arrows and says where it is."""
    tab = await signed_in(browser, room, f"/sessions/{room.session}")
    images = "document.querySelector('img[src^=\"/api/images/\"]')"
    picture = (await tab.until(f"{images}?.getAttribute('src')")).split("?")[0]
    await tab.go(f"{room.url}/settings")
    await tab.value(
        "document.getElementById('main').innerHTML = `<h1>Compare</h1><rig-compare label='Two'>"
        f"<img src='{picture}?width=400' alt='natural' data-tag='Before'>"
        f"<img src='{picture}?width=400' alt='synthetic' data-tag='After'></rig-compare>`"
    )
    pictures = "[...document.querySelectorAll('rig-compare img')]"
    await tab.until(f"{pictures}.length === 2 && {pictures}.every((one) => one.naturalWidth)")
    await tab.value("document.querySelector('rig-compare input').focus()")
    for _ in range(3):
        await tab.key("ArrowLeft")
    line = "document.querySelector('rig-compare').style.getPropertyValue('--at')"
    assert await tab.value(line) == "47%"
    said = "document.querySelector('rig-compare input').getAttribute('aria-valuetext')"
    assert await tab.value(said) == "47 % Before, 53 % After"
    assert await violations(tab) == []
    assert tab.trouble == []


async def test_a_contact_sheet_grows_as_somebody_looks(browser: Any, room: Any) -> None:
    """Page by page, each once; arrow keys move over what is there."""
    tab = await signed_in(browser, room, "/settings")
    await tab.value(SHEET)
    for _ in range(4):
        await tab.value("scrollTo(0, document.documentElement.scrollHeight)")
        await asyncio.sleep(0.2)
    down = "scrollTo(0, document.documentElement.scrollHeight)"
    await tab.until(f"({down}, document.querySelectorAll('.thumb').length === 800)")
    assert await tab.value("window.asked") == [200, 400, 600]
    assert await tab.value("document.querySelector('rig-thumb-grid').hasAttribute('data-whole')")
    await tab.value("document.querySelector('.thumb').focus()")
    await tab.key("ArrowRight")
    assert await tab.value("document.activeElement.getAttribute('href')") == "#p1"
    await tab.key("End")
    assert await tab.value("document.activeElement.getAttribute('href')") == "#p799"
    assert tab.trouble == []


async def test_a_page_is_light_and_quick(browser: Any, room: Any) -> None:
    """Bytes of a first and a second visit, and how soon the first live number is there."""
    mark = (
        "document.addEventListener('rig:numbers', () => { window.first ??= performance.now(); });"
    )
    tab = await signed_in(browser, room, "/sign-in", before=mark)
    await tab.call("Network.clearBrowserCache")
    told = []
    for visit in ("first", "second"):
        await tab.go(f"{room.url}/sessions/{room.session}")
        await tab.until("window.first !== undefined")
        count, size = await tab.value(WEIGHT)
        told.append(size)
        took = await tab.value("window.first")
        print(f"{visit} visit: {count} files, {size / 1000:.0f} kB, first number at {took:.0f} ms")
    assert told[0] < 300_000
    assert told[1] < 80_000
