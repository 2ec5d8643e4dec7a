from dataclasses import replace

import numpy as np
import pytest
import torch

from lits_toolkit.errors import SettingError
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.inference.windows import probability_volume
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import Model


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return {name: build_model(name).eval() for name in ("2d-mobilenet_v2-top", "3d-mobilenet_v2-top")}


def literal(network, image):
    """The sampling of §3.1.2 word for word: one window at a time, zero where there is no slice."""
    result = np.zeros(image.shape, np.float32)
    step, before = (1, 4) if network.dimensions == 2 else (4, 2)
    for start in range(0, len(image), step):
        window = np.zeros((step + 2 * before, *image.shape[1:]), np.float32)
        for place in range(len(window)):
            index = start - before + place
            if 0 <= index < len(image):
                window[place] = image[index]
        x = torch.from_numpy(window)[None] if network.dimensions == 2 else torch.from_numpy(window)[None, None]
        with torch.inference_mode():
            found = torch.softmax(network(x), 1)[0, 1].numpy().reshape(step, *image.shape[1:])
        for place in range(step):
            if start + place < len(image):
                result[start + place] = found[place]
    return result


@pytest.mark.parametrize("name", ["2d-mobilenet_v2-top", "3d-mobilenet_v2-top"])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_the_same_as_a_literal_loop_whatever_the_batch(networks, name, batch_size):
    image = np.random.default_rng(0).random((10, 32, 32), np.float32)
    found = probability_volume(open_model(Model(networks[name], {})), image, np.arange(10), batch_size)
    np.testing.assert_allclose(found, literal(networks[name], image), atol=2e-5)


def test_only_the_slices_asked_for_are_computed(networks):
    image = np.random.default_rng(0).random((10, 32, 32), np.float32)
    done = []
    found = probability_volume(
        open_model(Model(networks["2d-mobilenet_v2-top"], {})), image, np.array([2, 7]), progress=done.append
    )
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [2, 7]
    assert sum(done) == 2


def test_the_first_batch_is_of_the_middle_where_there_is_something_to_choose_a_runtime_by(networks):
    image = np.zeros((40, 32, 32), np.float32)
    image[18:26] = 1
    runner, first = open_model(Model(networks["2d-mobilenet_v2-top"], {})), []

    def run(windows):
        first.append(windows[:, 4].any())
        return runner.run(windows)

    probability_volume(replace(runner, run=run), image, np.arange(40))
    assert first == [True, False, False, False, True]  # from slice 20 up, and from the feet to it


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("Exception from src/inference: [GPU] out of GPU resources: CL_OUT_OF_RESOURCES"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_a_batch_that_memory_does_not_hold_is_halved(networks, error):
    image = np.random.default_rng(0).random((20, 32, 32), np.float32)
    runner = open_model(Model(networks["2d-mobilenet_v2-top"], {}))
    tried = []

    def run(windows, most):
        tried.append(len(windows))
        if len(windows) > most:
            raise error
        return runner.run(windows)

    small = replace(runner, run=lambda windows: run(windows, 2))
    found = probability_volume(small, image, np.arange(20))
    np.testing.assert_allclose(found, probability_volume(runner, image, np.arange(20)), atol=2e-5)
    assert tried == [8, 4] + [2] * 10
    with pytest.raises(SettingError, match=r"memory does not hold the network on one sample of \(32, 32\)"):
        probability_volume(replace(runner, run=lambda windows: run(windows, 0)), image, np.arange(20))


def test_another_failure_of_a_runtime_is_not_taken_for_want_of_memory(networks):
    def run(windows):
        raise RuntimeError("expected 9 channels")

    runner = replace(open_model(Model(networks["2d-mobilenet_v2-top"], {})), run=run)
    with pytest.raises(RuntimeError, match="9 channels"):
        probability_volume(runner, np.zeros((4, 32, 32), np.float32), np.arange(4))
