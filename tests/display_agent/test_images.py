"""The bytes of the x-rays, and that they are the planned ones."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import httpx
import pytest

from display_agent import images
from display_agent.images import ControllerImages, ImageProblem, LocalImages
from rig.planning.plan import PlanItem

TOKEN = "station-token"


class Controller:
    """A controller behind a mock transport."""

    def __init__(self, held: dict[str, bytes], cache: Path) -> None:
        self.held = held
        self.cache = cache
        self.asked: list[str] = []
        self.naps: list[float] = []
        self.failures = 0
        self.opened: list[ControllerImages] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.failures:
            self.failures -= 1
            raise httpx.ConnectError("nobody there")
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return httpx.Response(403)
        data = self.held.get(request.url.path.removeprefix("/api/images/"))
        return httpx.Response(404) if data is None else httpx.Response(200, content=data)

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    def images(self, token: str = TOKEN) -> ControllerImages:
        transport = httpx.MockTransport(self.answer)
        made = ControllerImages(
            "http://rig.test:8000", token, self.cache, transport=transport, sleep=self.nap
        )
        self.opened.append(made)
        return made


@pytest.fixture
async def controller(tmp_path, xray_bytes):
    """Holds x-rays 1..3."""
    held = {hashlib.sha256(xray_bytes(i)).hexdigest(): xray_bytes(i) for i in (1, 2, 3)}
    made = Controller(held, tmp_path / "cache")
    yield made
    for images_ in made.opened:
        await images_.close()


def _overwrite(item: PlanItem, data: bytes) -> None:
    assert item.file is not None
    Path(item.file).write_bytes(data)


async def test_a_local_file_is_given_when_it_is_the_planned_one(make_item, make_plan, xray_bytes):
    """The plan's own file, byte by byte."""
    item = make_item(1)
    assert await LocalImages(make_plan(item)).fetch(item) == xray_bytes(1)


async def test_a_changed_local_file_is_refused_by_its_index_with_a_remedy(
    make_item, make_plan, xray_bytes
):
    """One flipped byte is another x-ray."""
    item = make_item(1)
    _overwrite(item, xray_bytes(1)[:-1] + b"?")
    with pytest.raises(ImageProblem, match=r"x-ray 1: .*other bytes than planned.*restore"):
        await LocalImages(make_plan(item)).fetch(item)


async def test_a_missing_local_file_is_named(make_item, make_plan):
    """The sentence says which file to put back."""
    item = dataclasses.replace(make_item(1), file="/nowhere/1.png")
    with pytest.raises(ImageProblem, match=r"x-ray 1: .*1\.png.*put the file back"):
        await LocalImages(make_plan(item)).fetch(item)


async def test_a_plan_without_files_or_an_unplanned_item_is_refused(make_item, make_plan):
    """Only what the plan names is ever read."""
    bare = make_item(1, on_disk=False)
    with pytest.raises(ImageProblem, match="names no file"):
        await LocalImages(make_plan(bare)).fetch(bare)
    with pytest.raises(ImageProblem, match="x-ray 2 is not in the plan"):
        await LocalImages(make_plan(bare)).fetch(make_item(2))


async def test_the_planned_file_on_this_disk_is_preferred(controller, make_item, xray_bytes):
    """No network is used for what is here."""
    assert await controller.images().fetch(make_item(1)) == xray_bytes(1)
    assert controller.asked == []


async def test_another_file_under_the_planned_path_falls_back_to_the_controller(
    controller, make_item, xray_bytes
):
    """The path is the controller's; on this machine it may hold anything."""
    item = make_item(1)
    _overwrite(item, b"something else")
    assert await controller.images().fetch(item) == xray_bytes(1)
    assert controller.asked == [f"/api/images/{item.sha256}"]


async def test_an_xray_is_fetched_once_and_then_comes_from_the_cache(
    controller, make_item, xray_bytes, tmp_path
):
    """The cache outlives the process and leaves no temporary files."""
    item = make_item(2, on_disk=False)
    await controller.images().fetch(item)
    assert await controller.images().fetch(item) == xray_bytes(2)
    assert len(controller.asked) == 1
    files = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert [p.name for p in files] == [item.sha256]


async def test_a_spoilt_cache_entry_is_replaced(controller, make_item, xray_bytes, tmp_path):
    """The cache is verified at each use."""
    item = make_item(2, on_disk=False)
    await controller.images().fetch(item)
    cached = tmp_path / "cache" / item.sha256[:2] / item.sha256
    cached.write_bytes(b"rot")
    assert await controller.images().fetch(item) == xray_bytes(2)
    assert cached.read_bytes() == xray_bytes(2)


async def test_wrong_bytes_from_the_controller_are_neither_given_nor_kept(
    controller, make_item, tmp_path
):
    """What does not hash to its name is refused by its index."""
    item = make_item(3, on_disk=False)
    controller.held = {item.sha256: b"another file"}
    with pytest.raises(ImageProblem, match=r"x-ray 3: the controller holds other bytes"):
        await controller.images().fetch(item)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


async def test_a_controller_that_answers_late_is_asked_again(controller, make_item, xray_bytes):
    """Two pauses, then the x-ray."""
    controller.failures = 2
    item = make_item(1, on_disk=False)
    assert await controller.images().fetch(item) == xray_bytes(1)
    assert controller.naps == [0.5, 2.0]


async def test_a_controller_that_stays_away_is_said_so(controller, make_item):
    """Three tries, then a sentence with the address."""
    controller.failures = 99
    with pytest.raises(ImageProblem, match=r"x-ray 1: the controller at http://rig\.test:8000"):
        await controller.images().fetch(make_item(1, on_disk=False))
    assert len(controller.asked) == 3


async def test_refusals_of_the_controller_say_what_to_do(controller, make_item):
    """Token and unknown file have different remedies; the token is not repeated."""
    with pytest.raises(ImageProblem, match="pair the station again") as refused:
        await controller.images("stolen").fetch(make_item(1, on_disk=False))
    assert "stolen" not in str(refused.value)
    with pytest.raises(ImageProblem, match=r"x-ray 9: .*no such file"):
        await controller.images().fetch(make_item(9, on_disk=False))


async def test_an_endless_answer_is_cut_off(controller, make_item, monkeypatch):
    """No answer fills the memory."""
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    with pytest.raises(ImageProblem, match="more than 10 bytes"):
        await controller.images().fetch(make_item(1, on_disk=False))


async def test_a_malformed_hash_never_becomes_a_path(controller, make_item):
    """Plans come over the network."""
    item = dataclasses.replace(make_item(1, on_disk=False), sha256="../../etc/passwd")
    with pytest.raises(ImageProblem, match="malformed"):
        await controller.images().fetch(item)
    assert controller.asked == []


async def test_an_unwritable_cache_only_costs_time(controller, make_item, xray_bytes, tmp_path):
    """The run goes on without it."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    item = make_item(1, on_disk=False)
    assert await controller.images().fetch(item) == xray_bytes(1)
