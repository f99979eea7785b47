"""A user's own ONNX model: trained here on a few files, tiny, and taken through an import."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rig.cli import main
from rig.dicom.classifier import classifier, classifier_doubt, score
from rig.dicom.decoding import decode
from rig.dicom.doubts import Decision
from rig.dicom.reading import read
from rig.dicom.rendering import render
from rig.errors import UserError

SIDE = 16


def model(file, weights, bias, *, shape=(1, 1, SIDE, SIDE), kind=TensorProto.FLOAT, last="Sigmoid"):
    """A logistic regression as an ONNX file."""
    nodes = [
        helper.make_node("Flatten", ["picture"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["sum"]),
        helper.make_node(last, ["sum"], ["p"]),
    ]
    values = [
        numpy_helper.from_array(np.asarray(weights, np.float32).reshape(-1, 1), "w"),
        numpy_helper.from_array(np.array([bias], np.float32), "b"),
    ]
    graph = helper.make_graph(
        nodes, "outliers", [helper.make_tensor_value_info("picture", kind, shape)],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, (1, 1))], values,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, str(file))
    return file


def constant(file, bias, **more):
    """A model that says the same of everything."""
    return model(file, np.zeros(SIDE * SIDE), bias, **more)


@pytest.fixture(scope="module")
def pictures(request):
    """Chest x-rays and others, as they are shown."""
    data = request.path.with_name("data")

    def shown(file):
        dataset = read(file)
        return render(dataset, decode(dataset))

    chests = [*data.glob("vindr/train/*"), *data.glob("made_chest*MONOCHROME1*")]
    return [*map(shown, sorted(chests))], [*map(shown, sorted(data.glob("NEGATIVE*")))]


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """Logistic regression by gradient descent over thumbnails."""
    both = [*pictures[0], *pictures[1]]
    small = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in both]
    x = np.stack(small).reshape(len(both), -1) / 255
    y = np.array([0] * len(pictures[0]) + [1] * len(pictures[1]))
    weights, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(3000):
        error = 1 / (1 + np.exp(-(x @ weights + bias))) - y
        weights -= 0.1 * (x.T @ error / len(y) + 1e-3 * weights)
        bias -= 0.1 * error.mean()
    return model(tmp_path_factory.mktemp("model") / "mine.onnx", weights, bias)


def test_a_model_trained_on_a_few_files_tells_chests_from_others(pictures, trained):
    by = classifier(trained, 0.5, 0.9)
    assert max(score(one, by) for one in pictures[0]) < 0.5
    assert min(score(one, by) for one in pictures[1]) > 0.5


def test_a_picture_gets_the_same_score_every_time_in_any_process(pictures, trained):
    by = classifier(trained)
    again = pickle.loads(pickle.dumps(by))
    assert len({score(pictures[0][0], one) for one in (by, by, again)}) == 1


def test_the_limits_make_the_decision_and_the_score_is_always_told(tmp_path):
    shown = np.zeros((20, 30), np.uint8)
    by = classifier(constant(tmp_path / "half.onnx", 0.0))  # sigmoid(0) = 0.5
    for review, refuse, decision in (
        (0.6, 0.9, Decision.ACCEPT), (0.5, 0.9, Decision.REVIEW), (0.2, 0.5, Decision.REFUSE),
    ):  # fmt: skip
        doubt = classifier_doubt(shown, replace(by, review=review, refuse=refuse))
        assert (doubt.decision, doubt.score) == (decision, 0.5)
        assert "0.50" in doubt.sentence


def test_where_the_model_lies_makes_no_import_another_one_but_its_content_does(tmp_path):
    one = constant(tmp_path / "a.onnx", 0.5)
    copy = tmp_path / "b.onnx"
    copy.write_bytes(one.read_bytes())
    assert repr(classifier(one)) == repr(classifier(copy))
    assert repr(classifier(one)) != repr(classifier(constant(tmp_path / "c.onnx", 0.6)))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"shape": (1, 2, SIDE, SIDE // 2)}, "1 or 3"),
        ({"shape": (1, SIDE * SIDE)}, "1 or 3"),
        ({"last": "Exp"}, "probability"),
        ({"last": "Log"}, "probability"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_with_a_sentence(tmp_path, more, word):
    with pytest.raises(UserError, match=word):
        classifier(
            constant(tmp_path / "m.onnx", 3.0 if more.get("last") == "Exp" else -1.0, **more)
        )


@pytest.mark.parametrize("data", [b"", b"no model at all", b"\x08\x09\x12\x00"])
def test_a_file_that_is_no_model_is_refused_with_a_sentence(tmp_path, data):
    file = tmp_path / "broken.onnx"
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"broken\.onnx"):
        classifier(file)
    with pytest.raises(UserError, match="cannot be read"):
        classifier(tmp_path / "none.onnx")


@pytest.mark.parametrize(("review", "refuse"), [(0, 0.5), (0.6, 0.5), (0.5, 1.5), (np.nan, 0.5)])
def test_limits_out_of_order_are_refused(tmp_path, review, refuse):
    with pytest.raises(UserError, match="review <= refuse"):
        classifier(constant(tmp_path / "m.onnx", 0.0), review, refuse)


def test_a_picture_without_a_probability_waits_for_a_person(tmp_path):
    # Of black the logarithm of 1 is taken, which is 0; of anything bright, of a negative number.
    file = model(tmp_path / "nan.onnx", np.full(SIDE * SIDE, -1.0), 1.0, last="Log")
    doubt = classifier_doubt(np.full((30, 30), 200, np.uint8), classifier(file))
    assert doubt.decision is Decision.REVIEW
    assert doubt.score is None
    assert "no probability" in doubt.sentence


def test_a_model_that_changed_since_is_not_used(tmp_path):
    by = classifier(constant(tmp_path / "m.onnx", 0.0))
    constant(by.file, 1.0)
    stale = replace(by, file=tmp_path / "." / "gone.onnx")
    with pytest.raises(UserError, match="cannot be read"):
        score(np.zeros((9, 9), np.uint8), stale)
    other = tmp_path / "other.onnx"
    other.write_bytes(by.file.read_bytes())
    with pytest.raises(UserError, match="has changed"):
        score(np.zeros((9, 9), np.uint8), replace(by, file=other))


def test_an_import_by_command_uses_the_model_and_tells_scores_and_counts(
    kit, trained, tmp_path, capsys
):
    (negative,) = kit.data.glob("NEGATIVE_lowerleg*")
    dataset = read(negative)
    dataset.BodyPartExamined = "CHEST"  # so says the header: only the picture tells
    dataset.PatientAge = "050Y"
    scans = tmp_path / "scans"
    scans.mkdir()
    dataset.save_as(scans / "leg.dcm")
    (chest,) = kit.data.glob("made_chest*MONOCHROME1*")
    (scans / "chest.dcm").write_bytes(chest.read_bytes())
    home = ["--home", str(tmp_path / "home"), "--json"]
    words = ["catalog", "import-dicom", "ward", str(scans), "--workers", "1", "--no-text-search",
             "--classifier", str(trained), "--classifier-review", "0.4", "--classifier-refuse",
             "0.6", *home]  # fmt: skip
    assert main(words) == 1
    good, leg, told = map(json.loads, capsys.readouterr().out.splitlines())
    assert good["decision"] == "imported"
    assert leg["decision"] == "refused"
    assert "classifier" in leg["rules"]
    assert "classifier" not in good["rules"]
    scores = {
        one["file"]: {s["rule"]: s["score"] for s in one["scores"]}["classifier"]
        for one in (good, leg)
    }
    assert scores[1] < 0.4 < 0.6 <= scores[2]
    assert told["reasons"]["refused"]["classifier"] == 1
    assert main(words) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["earlier"]
    words[words.index("0.6")] = "0.7"  # other limits: another import
    assert main(words) == 2
    assert "other options" in capsys.readouterr().err


def test_limits_without_a_model_are_bad_usage(tmp_path, capsys):
    words = ["catalog", "import-dicom", "a", str(tmp_path), "--classifier-review", "0.3"]
    assert main([*words, "--home", str(tmp_path / "home")]) == 2
    assert "--classifier" in capsys.readouterr().err
