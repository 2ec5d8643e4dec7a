import numpy as np
import pytest
import torch

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
