import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.inference import choosing, runtimes
from lits_toolkit.inference.choosing import disagreement
from lits_toolkit.inference.openvino_runtime import has_bf16, to_openvino
from lits_toolkit.inference.runtimes import one_thread_aside, open_model
from lits_toolkit.models.catalogue import build_model, model_names
from lits_toolkit.models.network import Network
from lits_toolkit.models.storage import Model


class Small(Network):
    """Two convolutions: a network that is recorded in no time."""

    dimensions = 2

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(9, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.layers(x)


class Cosine(Small):
    def forward(self, x):
        return torch.cos(super().forward(x))


def windows(dimensions=2, batch=3, size=64):
    shape = (batch, 9, size, size) if dimensions == 2 else (batch, 1, 8, size, size)
    return np.random.default_rng(0).random(shape, np.float32)


def lively(name):
    """A network whose batch normalisations do something, as after training."""
    torch.manual_seed(0)
    network = build_model(name).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return network


def literal(network, images):
    with torch.no_grad():
        found = torch.softmax(network(torch.from_numpy(images)), 1)[:, 1].numpy()
    return found[:, None] if found.ndim == 3 else found


@pytest.mark.parametrize("name", ["2d-mobilenet_v3-top", "2d-shufflenet_v2-top", "3d-mobilenet_v2-top", "3d-dsts-top"])
def test_openvino_finds_what_torch_finds_whatever_the_batch_and_the_size(name):
    network = lively(name)
    runner = open_model(Model(network, {}), "openvino")
    for images in (windows(network.dimensions), windows(network.dimensions, batch=1, size=32)):
        found = runner.run(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, literal(network, images), atol=1e-5)


@pytest.mark.parametrize("name", model_names())
def test_every_network_has_a_graph(name):
    assert to_openvino(build_model(name).eval()).outputs[0].get_any_name() == "probability"


def test_an_unknown_runtime_is_told_with_the_nearest():
    with pytest.raises(SettingError, match="'opnvino'; the nearest is 'openvino'"):
        open_model(Model(Small(), {}), "opnvino")


def test_an_operation_that_the_graph_lacks_is_named_and_auto_takes_torch():
    network = Cosine().eval()
    with pytest.raises(SettingError, match="operation cos"):
        open_model(Model(network, {}), "openvino")
    runner = open_model(Model(network, {}), "auto")
    assert runner.runtime == "auto"
    np.testing.assert_allclose(runner.run(windows()), literal(network, windows()), atol=1e-6)
    assert runner.runtime == "torch"
    assert any("operation cos" in note for note in runner.notes)


def test_bf16_is_refused_where_the_processor_has_none():
    if has_bf16():
        pytest.skip("this processor has bfloat16 instructions")
    with pytest.raises(SettingError, match="no bfloat16 instructions"):
        open_model(Model(Small(), {}), "openvino-bf16")


def test_torch_in_bf16_is_near_fp32():
    network = Small().eval()
    found = open_model(Model(network, {}), "torch-bf16").run(windows())
    assert 0 < np.abs(found - literal(network, windows())).max() < 0.02


def test_a_model_without_int8_weights_says_so():
    with pytest.raises(InputError, match="no int8 weights"):
        open_model(Model(Small(), {}), "openvino-int8")


def test_auto_takes_the_fastest_that_agrees(monkeypatch):
    network = Small().eval()
    expected = literal(network, windows())
    speeds = {"torch": 9.0, "openvino": 2.0, "openvino-int8": 1.0, "openvino-bf16": 3.0}

    runs = {runtime: lambda images: expected for runtime in speeds}
    runs["openvino-int8"] = lambda images: 1 - expected
    of_run = {id(run): speeds[runtime] for runtime, run in runs.items()}
    monkeypatch.setattr(choosing, "_timed", lambda run, images: (run(images), of_run[id(run)]))
    candidates = choosing.Candidates({runtime: lambda run=run: run for runtime, run in runs.items()}, [])
    choice = choosing.choose(Model(network, {}), windows(), candidates)
    assert choice.runtime == "openvino"
    assert any(note.startswith("openvino-int8: ") and "voxels change" in note for note in choice.notes)


@pytest.mark.parametrize("runtime", ["torch", "openvino", "auto"])
def test_what_got_ready_aside_finds_the_same(runtime):
    network = Small().eval()
    with one_thread_aside() as aside:
        runner = open_model(Model(network, {"size": 64}), runtime, aside)
        np.testing.assert_allclose(runner.run(windows()), literal(network, windows()), atol=1e-6)
    assert runner.runtime != "auto"


def test_the_first_run_waits_for_the_one_aside_whose_failure_does_no_harm(monkeypatch):
    expected, go_on, calls = literal(Small().eval(), windows()), threading.Event(), []

    def run(images):
        calls.append(images.shape)
        if len(calls) == 1:
            threading.Timer(0.1, go_on.set).start()
            go_on.wait()
            calls.append("failed")
            raise RuntimeError("bad allocation")
        return expected

    monkeypatch.setattr(runtimes, "open_runtime", lambda model, runtime: run)
    with one_thread_aside() as aside:
        runner = open_model(Model(Small(), {"size": 64}), "openvino", aside)
        np.testing.assert_array_equal(runner.run(windows()), expected)
    assert calls == [(1, 9, 64, 64), "failed", (3, 9, 64, 64)]


def test_auto_passes_over_what_could_not_be_opened_aside(monkeypatch):
    expected = literal(Small().eval(), windows())
    opened = []

    def open_one(model, runtime):
        opened.append(runtime)
        if runtime == "openvino":
            raise RuntimeError("not today\nand much more")
        return lambda images: expected

    monkeypatch.setattr(runtimes, "open_runtime", open_one)
    with one_thread_aside() as aside:
        runner = open_model(Model(Small(), {"size": 64}), "auto", aside)
        runner.run(windows())
    assert (runner.runtime, opened) == ("torch", ["torch", "openvino"])
    assert "openvino: not today" in runner.notes


def test_who_is_interrupted_does_not_wait_for_what_has_not_begun():
    begun, go_on, done = threading.Event(), threading.Event(), []
    with pytest.raises(KeyboardInterrupt), one_thread_aside() as aside:
        first = aside.submit(lambda: (begun.set(), go_on.wait()))
        second = aside.submit(done.append, "second")
        begun.wait()
        raise KeyboardInterrupt
    go_on.set()
    first.result()
    assert second.cancelled()
    assert not done


@pytest.mark.parametrize(("runtime", "agrees"), [("openvino", False), ("openvino-bf16", True)])
def test_a_probability_that_changes_no_mask_is_a_fault_in_fp32_alone(runtime, agrees):
    expected = np.full((1, 1, 10, 10), 0.9, np.float32)
    assert (disagreement(runtime, expected, expected - np.float32(0.1)) == "") == agrees


def test_bf16_may_change_a_hundredth_of_the_object():
    expected = np.zeros((1, 1, 100, 100), np.float32)
    expected[..., :50, :] = 1
    found = expected.copy()
    found[..., 0, :100] = 0  # 100 of 9900 voxels in both masks together; 99 and 10 may change
    assert not disagreement("openvino-bf16", expected, found)
    found[..., 1, :20] = 0
    assert disagreement("openvino-bf16", expected, found)


DISCARDED_AND_INTERRUPTED = """
import gc, signal, sys
import numpy as np
from lits_toolkit.inference.runtimes import one_thread_aside, open_model
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import Model

models = [Model(build_model("2d-shufflenet_v2-default").eval(), {}) for _ in range(2)]
opened = [open_model(model, "openvino") for model in models]
for index in range(2):
    opened[index].run(np.zeros((1, 9, 64, 64), np.float32))
while opened:
    del opened[0]
    gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    sys.exit(3)
"""


def test_ctrl_c_is_heard_after_models_are_discarded_in_the_order_they_were_opened():
    """OpenVINO's CPU plugin moves the stack that signals are handled on, with a plugin for each it would be gone."""
    assert subprocess.run([sys.executable, "-c", DISCARDED_AND_INTERRUPTED], check=False).returncode == 3


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["2d-mobilenet_v2-default", "3d-dsts-bottom"])
def test_a_gpu_finds_what_the_processor_finds_and_is_what_auto_takes(name):
    network = lively(name)
    images = windows(network.dimensions)
    expected = literal(network, images)
    model = Model(network, {})
    np.testing.assert_allclose(open_model(model, "torch").run(images), expected, atol=5e-3)  # cuDNN multiplies in TF32
    assert np.abs(open_model(model, "torch-bf16").run(images) - expected).mean() < 0.02
    runner = open_model(model, "auto")
    np.testing.assert_allclose(runner.run(images), expected, atol=5e-3)
    assert runner.runtime == "torch"
    assert runner.notes == ["openvino: there is a GPU, which torch runs on"]
    assert next(network.parameters()).device.type == "cpu"
    np.testing.assert_allclose(open_model(model, "openvino").run(images), expected, atol=1e-5)
