"""Nobody sees or changes anything without a token, nor from a foreign page."""

import re
from contextlib import closing

import pytest

PAGE = {"Accept": "text/html"}
PUBLIC = {"/api/phone/pair"}
"""What a phone needs before it has a token; see test_phone_pages.py for the pages."""


def every_route(running):
    """(method, path with its parameters filled in) of the API and the pages."""
    routes = []
    for path, verbs in running.get("/api/openapi.json")["paths"].items():
        routes += [(verb.upper(), path) for verb in verbs]
    routes += [("GET", "/"), ("GET", "/campaigns/{name}"), ("GET", "/sessions/{session}")]
    routes += [("GET", "/phone/live"), ("GET", "/phone/live?station=room-1"), ("GET", "/phone/x")]
    routes += [("GET", "/stations/room-1/pair"), ("POST", "/stations/room-1/pair")]
    routes += [("GET", "/api/openapi.json"), ("GET", "/docs"), ("GET", "/nothing")]
    fill = {"session": "s" + "0" * 16, "sha256": "0" * 64}
    return [
        (verb, re.sub(r"\{(\w+)\}", lambda m: fill.get(m[1], "first"), path))
        for verb, path in routes
        if path not in PUBLIC
    ]


def test_no_route_answers_without_a_token(ready):
    """401 problem details for each of them, with a wrong token too; no data in it."""
    routes = every_route(ready.running)
    assert len(routes) > 25
    for token in (None, "wrong", ready.running.rig.auth.token[:-1]):
        with ready.running.client(token) as client:
            for verb, path in routes:
                answer = client.request(verb, path, json={})
                assert answer.status_code == 401, (verb, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                if verb != "HEAD":
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert "tiny" not in answer.text


def test_agents_tokens_open_only_what_agents_need(ready):
    """A station reads images; its phone sends photos; neither sees or commands a session."""
    session = ready.new_session()["id"]
    open_to = {
        ready.token: {("GET", "/api/images/" + "0" * 64)},
        ready.phone_token: {
            ("GET", "/api/phone/hello"),
            ("POST", "/api/phone/status"),
            ("GET", "/api/sessions/s" + "0" * 16 + "/release"),
        },
    }
    for token, allowed in open_to.items():
        with ready.running.client(token) as client:
            for verb, path in every_route(ready.running):
                if (verb, path) in allowed or "/photos" in path or path.endswith("/manifest"):
                    continue
                if path in {"/docs", "/phone/x", "/nothing", "/api/openapi.json"}:
                    continue  # nothing there, or only the description of the API
                answer = client.request(verb, path, json={})
                assert answer.status_code == 403, (verb, path, answer.status_code)
            assert client.post(f"/api/sessions/{session}/abort").status_code == 403


def browser(running):
    """A signed-in browser: a cookie and no token."""
    client = running.client()
    link = running.rig.auth.new_link()
    answer = client.get("/sign-in", params={"token": link})
    assert answer.status_code == 303
    return client


def test_a_sign_in_link_works_once(running):
    """It leaves a cookie out of reach of scripts and foreign pages, and no token in the URL."""
    link = running.rig.auth.new_link()
    with running.client() as first, running.client() as second:
        answer = first.get("/sign-in", params={"token": link})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert first.get("/", headers=PAGE).status_code == 200
        assert second.get("/sign-in", params={"token": link}).status_code == 403
        assert second.get("/", headers=PAGE).headers["location"] == "/sign-in"


def test_a_link_to_the_root_signs_in_too(running):
    """`/?token=` is what people paste."""
    link = running.rig.auth.new_link()
    with running.client(follow_redirects=True) as client:
        answer = client.get("/", params={"token": link}, headers=PAGE)
        assert answer.status_code == 200
        assert answer.url.path == "/"
        assert "token" not in str(answer.url)


def test_the_form_takes_the_access_token(running):
    """A wrong one stays on the form, in words."""
    with running.client() as client:
        assert client.get("/sign-in").status_code == 200
        origin = {"Origin": running.url}
        wrong = client.post("/sign-in", data={"token": "x"}, headers=origin)
        assert (wrong.status_code, "not the token" in wrong.text) == (403, True)
        right = client.post("/sign-in", data={"token": running.rig.auth.token}, headers=origin)
        assert right.status_code == 303
        assert client.get("/api/campaigns").status_code == 200
        assert client.post("/sign-out", headers=origin).status_code == 303
        assert client.get("/api/campaigns").status_code == 401


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_page_cannot_use_the_cookie(ready, origin):
    """Unsafe methods need an Origin that is this host; reading needs none."""
    session = ready.new_session()["id"]
    headers = {} if origin is None else {"Origin": origin}
    with closing(browser(ready.running)) as client:
        assert client.get(f"/api/sessions/{session}").status_code == 200
        for path in (f"/api/sessions/{session}/start", "/api/stations", "/sign-out"):
            answer = client.post(path, json={"name": "x"}, headers=headers)
            assert answer.status_code == 403, path
        own = {"Origin": ready.running.url}
        assert client.post("/api/stations", json={"name": "x"}, headers=own).status_code == 201


def test_no_get_changes_state(ready):
    """Commands are POSTs: asking for their address does nothing."""
    session = ready.new_session()["id"]
    with ready.running.operator() as client:
        for verb in ("start", "pause", "resume", "abort", "rearm"):
            answer = client.get(f"/api/sessions/{session}/{verb}")
            assert answer.status_code == 405
            assert answer.headers["content-type"] == "application/problem+json"
    assert ready.running.get(f"/api/sessions/{session}")["requested"] is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "", "[::1", "a b"])
def test_foreign_host_names_are_refused(running, host):
    """DNS rebinding ends here."""
    with running.operator() as client:
        answer = client.get("/api/campaigns", headers={"Host": host})
        assert answer.status_code == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "192.168.1.5:80", "[::1]:8000"])
def test_addresses_and_own_names_are_served(running, host):
    """A tablet calls by address."""
    with running.operator() as client:
        assert client.get("/api/campaigns", headers={"Host": host}).status_code == 200


def test_pages_are_locked_down(running):
    """No foreign or inline script, no frame, no cache, no referrer to other sites."""
    with closing(browser(running)) as client:
        answer = client.get("/", headers=PAGE)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    # With "no-referrer" a real browser's forms (sign in, sign out, pair) send `Origin: null`.
    assert answer.headers["referrer-policy"] == "same-origin"


def test_bodies_are_limited(running):
    """Announced or not."""
    with running.operator() as client:
        big = b"x" * (8 * 2**20 + 1)
        assert client.post("/api/campaigns", content=big).status_code == 413
        chunks = (b"x" * 2**20 for _ in range(9))
        assert 400 <= client.post("/api/campaigns", content=chunks).status_code < 500


def test_errors_are_problem_details_with_a_sentence(ready):
    """Not found, conflict, bad input: status, title, detail."""
    cases = [
        ("GET", "/api/campaigns/none", None, 404),
        ("GET", "/api/nothing", None, 404),
        ("POST", "/api/stations", {"name": "room-1"}, 409),
        ("POST", "/api/stations", {"name": "../x"}, 422),
        ("POST", "/api/stations", {}, 422),
        ("POST", "/api/sessions", {"campaign": "first", "subset": 9, "station": "room-1"}, 404),
        ("POST", "/api/catalogs", {"name": "x", "csv": "/none.csv", "data_dir": "/"}, 422),
        ("GET", "/api/jobs/none", None, 404),
        ("POST", f"/api/sessions/{ready.new_session()['id']}/start", None, 409),
    ]
    with ready.running.operator() as client:
        for verb, path, body, status in cases:
            answer = client.request(verb, path, json=body)
            problem = answer.json()
            assert (answer.status_code, problem["status"]) == (status, status), path
            assert answer.headers["content-type"] == "application/problem+json"
            assert len(problem["detail"]) > 10
            assert problem["title"]


def test_a_cookie_survives_a_restart_but_not_another_token(tmp_path, serve):
    """A restart loses nothing; a new --token signs everybody out."""
    home = tmp_path / "home"
    first = serve(home)
    client = browser(first)
    cookies = dict(client.cookies)
    client.close()
    first.stop()
    second = serve(home)
    with second.client(cookies=cookies) as client:
        assert client.get("/api/campaigns").status_code == 200
    second.stop()
    third = serve(home, token="another-token-of-some-length")
    with third.client(cookies=cookies) as client:
        assert client.get("/api/campaigns").status_code == 401


@pytest.mark.parametrize("value", ["", "x", "99999999999.x", "1.", "999999999999999999.a", "ä.b"])
def test_made_up_cookies_are_worthless(running, value):
    """Neither does an expiry alone help."""
    cookie = f"{running.rig.auth.cookie_name}={value}".encode()
    with running.client() as client:
        assert client.get("/api/campaigns", headers={"Cookie": cookie}).status_code == 401


def test_an_old_cookie_and_an_old_link_expire(running):
    """Time is the auth's clock."""
    auth = running.rig.auth
    link, client = auth.new_link(), browser(running)
    now = auth._clock()
    auth._clock = lambda: now + 8 * 24 * 3600
    assert client.get("/api/campaigns").status_code == 401
    assert not auth.redeem_link(link)
    client.close()


def test_another_browser_can_be_signed_in_by_a_script(running):
    """An operator's token makes further one-time links."""
    path = running.post("/api/sign-in-links")["path"]
    with running.client() as client:
        assert client.get(path).headers["location"] == "/"
