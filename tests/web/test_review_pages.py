"""The review queue on the dashboard: pictures for the signed-in, decisions with a name."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from rig.dicom import reviews
from rig.dicom.doubts import Decision, Doubt, Verdict
from rig.dicom.header import Header
from rig.dicom.reviews import Held
from rig.dicom.screening import BURNED_IN

IDS = ["0" * 31 + "1", "0" * 31 + "2"]
SIZE = (300, 200)
PAGE = {"Accept": "text/html"}


def header():
    return Header(
        modality="DX", body_part="CHEST", view="PA", age="057Y", age_days=57 * 365, sex="F",
        rows=SIZE[1], columns=SIZE[0], bits_stored=12, photometric="MONOCHROME2", burned_in="YES",
        presentation="", syntax="1.2.840.10008.1.2.1", windowed=True, pixel_spacing_mm=None,
        lossy=False,
    )  # fmt: skip


@pytest.fixture
def queue(running):
    """A controller whose import `ward` holds two images."""
    folder = running.home / "catalogs" / "ward"
    doubts = (
        Doubt(BURNED_IN, "Text seems to be burned into one place of the picture.", Decision.REVIEW,
              1.0),
        Doubt("classifier", "The classifier gives 0.03.", Decision.ACCEPT, 0.03),
    )  # fmt: skip
    verdict = Verdict(Decision.REVIEW, doubts, ((10, 20, 110, 40),))
    for number, one in enumerate(IDS):
        picture = np.full(SIZE[::-1], 40 + number, np.uint8)
        png = cv2.imencode(".png", picture)[1].tobytes()
        reviews.hold(folder, Held(one, "patient1", "train", *SIZE, header(), verdict), png)
    return running


def put(queue, image, **body):
    with queue.operator() as client:
        return client.put(f"/api/catalogs/ward/review/{image}", json=body)


def test_the_queue_lists_doubts_scores_and_boxes(queue):
    told = queue.get("/api/catalogs/ward/review")
    assert [one["image_id"] for one in told["images"]] == IDS
    (first, _) = told["images"]
    assert first["state"] == "waits"
    assert first["boxes"] == [[10, 20, 110, 40]]
    assert [(one["rule"], one["score"]) for one in first["doubts"]] == [(BURNED_IN, 1.0)]
    assert told["counts"] == {"waits": 2, "accepted": 0, "refused": 0}
    assert told["rules"] == {BURNED_IN: 2}
    assert "import-dicom ward PATH" in told["again"]


def test_a_held_picture_goes_to_the_signed_in_only_and_into_no_cache(queue):
    path = f"/api/catalogs/ward/review/{IDS[1]}/picture"
    with queue.client() as nobody:
        assert nobody.get(path).status_code == 401
        assert nobody.get("/api/catalogs/ward/review").status_code == 401
    with queue.operator() as client:
        for answer in (client.get(path), client.get(path, params={"width": 100})):
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "private, no-store"
            shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
            assert abs(int(shown[5, 5]) - 41) <= 1


def test_a_decision_is_kept_with_name_and_time(queue):
    box = [1, 2, 30, 20]
    answer = put(queue, IDS[0], decision="accept", boxes=[box], by="Dr Ng", note="name blanked")
    assert answer.json()["state"] == "accepted"
    kept = reviews.load(queue.home, IDS[0])
    assert (kept.decision, kept.boxes, kept.by) == ("accept", (tuple(box),), "Dr Ng")
    assert kept.time_ns > 10**18
    assert put(queue, IDS[0], decision="refuse", by="Dr Ng").json()["state"] == "refused"
    assert reviews.load(queue.home, IDS[0]).decision == "refuse"
    assert queue.get("/api/catalogs/ward/review")["counts"]["waits"] == 1


@pytest.mark.parametrize(
    ("image", "body", "status", "word"),
    [
        (IDS[0], {"decision": "accept", "by": ""}, 422, "who decides"),
        (IDS[0], {"decision": "maybe", "by": "x"}, 422, "decision"),
        (IDS[0], {"decision": "accept", "by": "x", "boxes": [[5, 5, 5, 9]]}, 422, "Box 1"),
        (IDS[0], {"decision": "accept", "by": "x", "boxes": [[0, 0, 301, 9]]}, 422, "300 x 200"),
        (IDS[0], {"decision": "accept", "by": "x", "boxes": [[-1, 0, 3, 9]]}, 422, "boxes"),
        (IDS[0], {"decision": "refuse", "by": "x", "boxes": [[0, 0, 3, 9]]}, 422, "boxes"),
        ("f" * 32, {"decision": "accept", "by": "x"}, 404, "holds no image"),
        ("..%2F" + "f" * 20, {"decision": "accept", "by": "x"}, 404, ""),
    ],
)
def test_what_is_no_decision_is_refused_and_nothing_is_kept(queue, image, body, status, word):
    answer = put(queue, image, **body)
    assert answer.status_code in {status, 422}
    assert word in answer.text
    assert not (queue.home / "dicom" / "reviews").exists()


def test_an_unknown_import_is_not_found(queue):
    with queue.operator() as client:
        assert client.get("/api/catalogs/nobody/review").status_code == 404
        assert client.get("/catalogs/nobody/review", headers=PAGE).status_code == 404
        assert client.get("/api/catalogs/..%2Fx/review").status_code in {404, 422}


def test_a_browser_of_another_site_decides_nothing(queue):
    with queue.client() as client:
        client.get("/sign-in", params={"token": queue.rig.auth.new_link()})
        assert client.get("/api/catalogs/ward/review").status_code == 200
        answer = client.put(
            f"/api/catalogs/ward/review/{IDS[0]}", json={"decision": "accept", "by": "x"},
            headers={"Origin": "http://elsewhere.example"},
        )  # fmt: skip
    assert answer.status_code == 403


def test_the_pages_show_the_queue_and_the_boxes_without_inline_style_or_script(queue):
    with queue.operator() as client:
        listed = client.get("/catalogs/ward/review", headers=PAGE).text
        one = client.get(f"/catalogs/ward/review/{IDS[0]}", headers=PAGE).text
    for image in IDS:
        assert f"/catalogs/ward/review/{image}" in listed
    assert "2 wait" in listed
    assert "rig catalog import-dicom ward PATH" in listed
    assert 'data-suspected="[[10, 20, 110, 40]]"' in one
    assert f'data-then="/catalogs/ward/review/{IDS[1]}"' in one
    for page in (listed, one):
        assert "style=" not in page
        assert "onclick" not in page
        assert "<script>" not in page


def test_a_note_with_markup_stays_text(queue):
    put(queue, IDS[0], decision="accept", by="<b>x</b>", note="<script>alert(1)</script>")
    with queue.operator() as client:
        page = client.get(f"/catalogs/ward/review/{IDS[0]}", headers=PAGE).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert json.loads(
        (queue.home / "dicom" / "reviews" / f"{IDS[0]}.json").read_bytes()
    )["note"].startswith("<script>")  # fmt: skip


def test_the_list_of_catalogs_says_what_waits(queue):
    with queue.operator() as client:
        assert "2 images of the DICOM import ward" in client.get("/catalogs", headers=PAGE).text
    for image in IDS:
        put(queue, image, decision="refuse", by="Dr Test")
    with queue.operator() as client:
        page = client.get("/catalogs", headers=PAGE).text
    assert "DICOM import ward" not in page
