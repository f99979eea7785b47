"""A restart of the controller loses nothing and leaves no busy flag."""

import stat

from rig.web.controller import read_secret


async def test_a_restart_interrupts_and_the_agent_goes_on(tmp_path, ready, agent, serve):
    """Events that were shot meanwhile arrive, and the session runs again without a click."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        await one.acked(sid, 1)
    ready.running.stop()
    again = serve(ready.running.home)
    assert again.get(f"/api/sessions/{sid}")["state"] == "interrupted"
    ready.running = again
    async with agent(ready, sessions={sid: 2}) as one:
        assert one.acks == {sid: 1}
        await one.event(sid, 2, "painted", index=1, attempt=1)
        await one.acked(sid, 2)
    assert again.get(f"/api/sessions/{sid}")["state"] == "running"


def test_the_secret_is_made_once_and_private(tmp_path):
    """32 bytes, mode 0600, the same at every reading."""
    first = read_secret(tmp_path)
    assert (len(first), read_secret(tmp_path)) == (32, first)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]
