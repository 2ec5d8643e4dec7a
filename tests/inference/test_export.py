import json

import numpy as np
import onnx
import openvino as ov
import pytest
import torch
from torch import nn

from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.inference import onnx_runtime
from lits_toolkit.inference.cascade import Thresholds, liver_probability, tumor_probability
from lits_toolkit.inference.export import export_model
from lits_toolkit.inference.int8 import FOLDER, RECORD, quantise, read_int8, store_int8
from lits_toolkit.inference.onnx_runtime import open_onnx, to_onnx
from lits_toolkit.inference.openvino_runtime import to_openvino
from lits_toolkit.inference.resume import describe_method
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.inference.settings import PredictSettings
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.network import Network
from lits_toolkit.models.storage import WEIGHTS, Model, weights_fingerprint

SIZE = 32


class Small(Network):
    """Three convolutions: a network that is written in no time."""

    dimensions = 2

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(9, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1)
        )

    def forward(self, x):
        return self.layers(x)


def model(stage="tumor", network=None, folder=None):
    torch.manual_seed(0)
    description = {
        "name": "small",
        "stage": stage,
        "window": [-200, 200],
        "size": SIZE,
        "settings": {"combine": "centre"},
    }
    return Model((network or Small()).eval(), description, folder)


@pytest.fixture
def ct():
    """(z, y, x) HU of twice the network's size, noisy and beyond the window, and a liver whose edge crosses pixels."""
    random = np.random.default_rng(0)
    volume = random.integers(-400, 400, (6, 2 * SIZE, 2 * SIZE)).astype(np.int16)
    liver = np.zeros(volume.shape, bool)
    liver[1:5, 11:40, 8:45] = True
    return volume, liver


def as_documented(document, volume, liver, run):
    """What the JSON says, in plain NumPy, one window at a time; the CT is twice as large, so that areas are 2 × 2."""
    steps = document["preprocessing"]
    low, high = steps["window_hu"]
    size = steps["size"]
    clamped = np.clip(volume, low, high).astype(np.float64)
    means = clamped.reshape(len(volume), size, 2, size, 2).mean((2, 4))
    image = (np.rint(means) - low) / (high - low)
    if document["stage"] == "tumor":
        assert steps["combination"] == "centre"
        inside = liver.reshape(len(volume), size, 2, size, 2).mean((2, 4)) >= 0.5
        image = np.where(inside, image - np.median(image[inside]), 0)
    before, step = steps["context"], steps["slices_segmented"]
    found = np.zeros(image.shape)
    for start in range(0, len(image), step):
        window = np.zeros((steps["slices_seen"], size, size), np.float32)
        for place in range(len(window)):
            if 0 <= start - before + place < len(image):
                window[place] = image[start - before + place]
        shaped = window.reshape([1, *document["input"]["shape"][1:]])
        block = run(shaped)[0][: len(image) - start]
        found[start : start + len(block)] = block
    return found


def run_onnx_file(path):
    session = open_onnx(path.read_bytes())
    return lambda image: session.run(["probability"], {"image": image})[0]


def run_openvino_file(path):
    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: compiled([image])["probability"]


@pytest.mark.parametrize(("to", "read"), [("onnx", run_onnx_file), ("openvino", run_openvino_file)])
def test_by_its_documentation_alone_a_file_gives_the_toolkits_probabilities(to, read, ct, tmp_path):
    volume, liver = ct
    path = export_model(model(), to, tmp_path)
    document = json.loads(path.with_name(path.name + ".json").read_text())
    found = as_documented(document, volume, liver, read(path))
    expected = tumor_probability(volume, liver, open_model(model()))
    wanted = liver.any((1, 2))  # the cascade leaves slices without liver at 0
    np.testing.assert_allclose(found[wanted], expected[wanted], atol=1e-5)
    assert not [place for place in tmp_path.iterdir() if "partial" in place.name]


def test_a_3d_network_too(ct, tmp_path):
    volume, liver = ct
    network = build_model("3d-dsts-top")
    path = export_model(model("liver", network), "openvino", tmp_path)
    document = json.loads(path.with_name(path.name + ".json").read_text())
    found = as_documented(document, volume, liver, run_openvino_file(path))
    expected = liver_probability(volume, open_model(model("liver", network)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_same_documentation_is_inside(tmp_path):
    in_onnx, in_openvino = (export_model(model(), to, tmp_path) for to in ("onnx", "openvino"))
    beside = json.loads(in_onnx.with_name(in_onnx.name + ".json").read_text())
    (entry,) = [each for each in onnx.load(in_onnx).metadata_props if each.key == "lits_toolkit"]
    assert json.loads(entry.value) == beside
    assert json.loads(ov.Core().read_model(in_openvino).get_rt_info("lits_toolkit").value) == beside


def test_nothing_is_overwritten_silently(tmp_path):
    path = export_model(model(), "openvino", tmp_path)
    path.unlink()  # the other two are there still
    with pytest.raises(OutputError, match=r"already has tumor-small.xml.json, tumor-small.bin"):
        export_model(model(), "openvino", tmp_path)
    assert not path.exists()
    export_model(model(), "openvino", tmp_path, overwrite=True)
    assert path.exists()


def test_onnx_runtime_takes_the_exported_file_of_the_very_weights(tmp_path, monkeypatch):
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    found = model(folder=tmp_path)
    images = np.random.default_rng(0).random((2, 9, SIZE, SIZE), np.float32)
    export_model(found, "onnx", tmp_path / "export")
    translated = []
    monkeypatch.setattr(onnx_runtime, "to_onnx", lambda *given: translated.append(given) or to_onnx(*given))
    expected = open_model(found).run(images)
    np.testing.assert_allclose(open_model(found, "onnxruntime").run(images), expected, atol=1e-6)
    assert not translated
    with torch.no_grad():
        for parameter in found.network.parameters():
            parameter += 0.1
    (tmp_path / WEIGHTS).write_bytes(b"others")
    other = open_model(found).run(images)
    assert np.abs(other - expected).max() > 0.01
    np.testing.assert_allclose(open_model(found, "onnxruntime").run(images), other, atol=1e-6)
    assert len(translated) == 1


@pytest.fixture
def quantised(tmp_path):
    """A model in a folder with int8 weights."""
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    found = model(folder=tmp_path)
    windows = [np.random.default_rng(seed).random((1, 9, SIZE, SIZE), np.float32) for seed in range(4)]
    record = {"weights": weights_fingerprint(tmp_path), "thresholds": vars(Thresholds())}
    record |= {"accepted": True, "verdict": "Dice 0.5 and 0.5"}
    store_int8(tmp_path, quantise(to_openvino(found.network), windows), record)
    return found


def test_int8_is_near_fp32_and_exported(quantised, tmp_path):
    images = np.random.default_rng(9).random((3, 9, SIZE, SIZE), np.float32)
    found = open_model(quantised, "openvino-int8").run(images)
    expected = open_model(quantised).run(images)
    assert 0 < np.abs(found - expected).max() < 0.05
    path = export_model(quantised, "int8", tmp_path / "out")
    np.testing.assert_allclose(run_openvino_file(path)(images), found, atol=1e-6)


@pytest.mark.parametrize(("runtime", "another"), [("auto", True), ("openvino-int8", True), ("openvino", False)])
def test_a_prediction_by_other_int8_weights_is_another_method_where_they_may_be_taken(quantised, runtime, another):
    settings = PredictSettings(runtime=runtime)
    before = describe_method(quantised, None, Thresholds(), settings)
    assert before == describe_method(quantised, None, Thresholds(), settings)
    windows = [np.full((1, 9, SIZE, SIZE), 0.1, np.float32)]
    store_int8(
        quantised.folder,
        quantise(to_openvino(quantised.network), windows),
        json.loads((quantised.folder / FOLDER / RECORD).read_text()),
    )
    assert (describe_method(quantised, None, Thresholds(), settings) != before) == another


@pytest.mark.parametrize("damage", ["retrained", "tuned", "refused", "json", "xml", "bin"])
def test_int8_weights_that_cannot_be_used_are_named_and_auto_goes_on_without(quantised, damage):
    folder = quantised.folder / FOLDER
    record = json.loads((folder / RECORD).read_text())
    match damage:
        case "retrained":
            (quantised.folder / WEIGHTS).write_bytes(b"others")
        case "tuned":
            quantised.description["thresholds"] = {"tumor": 0.25}
        case "refused":
            (folder / RECORD).write_text(json.dumps(record | {"accepted": False}))
        case "json":
            (folder / RECORD).write_text("{")
        case "xml":
            (folder / "model.xml").write_text("<net")
        case "bin":
            (folder / "model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="int8"):
        open_model(quantised, "openvino-int8")
    runner = open_model(quantised, "auto")
    runner.run(np.zeros((1, 9, SIZE, SIZE), np.float32))
    assert runner.runtime in ("torch", "openvino")
    assert any(note.startswith("openvino-int8: ") for note in runner.notes)


def test_a_model_without_int8_weights_is_not_exported_to_int8(tmp_path):
    with pytest.raises(InputError, match="no int8 weights"):
        export_model(model(), "int8", tmp_path)
    with pytest.raises(InputError, match="no int8 weights"):
        read_int8(model())
