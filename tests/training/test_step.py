import pytest
import torch

from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.step import random_batch, training_step
from lits_toolkit.training.task import SegmentationTask


@pytest.mark.parametrize(
    ("dimensions", "images", "targets"),
    [(2, (3, 9, 32, 32), (3, 32, 32)), (3, (3, 1, 8, 32, 32), (3, 4, 32, 32))],
)
def test_a_batch_has_the_shapes_of_training(dimensions, images, targets):
    found = random_batch(dimensions, 3, 32)
    assert [tuple(tensor.shape) for tensor in found] == [images, targets]


@pytest.mark.parametrize("name", ["2d-shufflenet_v2-default", "3d-dsts-default"])
def test_a_step_is_a_whole_one(name):
    """Every weight has moved."""
    torch.manual_seed(0)
    task = SegmentationTask(TrainSettings(model=name, warm_up=0), steps_per_epoch=10)
    before = [parameter.detach().clone() for parameter in task.parameters()]
    step, precision = training_step(task, 2, 64, "fp32")
    step()
    assert precision == "fp32"
    moved = [not torch.equal(old, new) for old, new in zip(before, task.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)
