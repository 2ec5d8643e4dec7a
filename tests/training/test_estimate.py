import gc
import weakref

import pytest
import torch
from torch import nn

from lits_toolkit.training.estimate import activation_bytes, estimate
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.task import SegmentationTask


class Stub(nn.Module):
    """A convolution and a sigmoid, both of which keep what they are given or give."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(9, 2, 1)

    def forward(self, x):
        return torch.sigmoid(self.convolution(x))


def task(**settings):
    found = SegmentationTask(TrainSettings(**settings), steps_per_epoch=20)
    found.network = Stub()
    found.loss = lambda logits, targets: logits.sum()
    return found


def test_the_bytes_kept_for_the_backward_pass_are_those_of_each_layer():
    images = torch.rand(4, 9, 32, 32).contiguous(memory_format=torch.channels_last)
    kept = activation_bytes(task(), images, torch.zeros(4, 32, 32))
    assert kept == images.nbytes + 4 * 2 * 32 * 32 * 4  # the convolution's input, the sigmoid's output


def test_the_graph_is_freed_once_it_is_counted():
    """A layer's output that is kept for the layer's own backward pass must not keep the graph that keeps it."""

    class Mark:
        def __call__(self, gradient):
            return gradient

    marks = []

    def mark(layer, inputs, output):
        held = Mark()
        output.register_hook(held)
        marks.append(weakref.ref(held))

    learner = task()
    learner.network.register_forward_hook(mark)
    activation_bytes(learner, torch.rand(4, 9, 32, 32), torch.zeros(4, 32, 32))
    gc.collect()
    assert [held() for held in marks] == [None]


def test_parameters_steps_and_memory_are_counted_and_nothing_is_learnt_meanwhile():
    found, random = task(precision="fp32"), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in found.network.state_dict().items()}
    batches = [(torch.rand(4, 9, 32, 32), torch.zeros(4, 32, 32)) for _ in range(3)]
    random = torch.get_rng_state()
    told = estimate(found, batches, samples=83, case_bytes=5e8)
    assert (told.parameters, told.samples, told.steps_per_epoch, told.precision) == (20, 83, 20, "fp32")
    assert told.seconds_per_epoch > 0
    assert told.memory_bytes - estimate(found, batches, 83, case_bytes=0).memory_bytes == pytest.approx(5e8)
    assert all(torch.equal(before[name], tensor) for name, tensor in found.network.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    for part in ("0.00 million parameters", "83 samples", "20 steps per epoch", "GB of memory", "in fp32"):
        assert part in str(told)
