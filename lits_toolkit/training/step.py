"""One training step on one random batch, as `lits train` takes it, to be timed."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.profiler import record_function

from lits_toolkit.data.sampling import REACH
from lits_toolkit.models.cost import input_shape
from lits_toolkit.models.machine import network_device, wait_for
from lits_toolkit.training.estimate import estimate
from lits_toolkit.training.settings import Precision
from lits_toolkit.training.task import SegmentationTask


def training_step(
    task: SegmentationTask, batch: int, size: int, precision: Precision = "auto"
) -> tuple[Callable[[], None], str]:
    """Forward, loss, backward and optimiser of a task, and the precision they run in; the augmentation is left out.

    On the GPU where there is one, channels last, the gradient clipped; with "auto" in the faster of fp32 and bf16.
    """
    device = task.to(network_device()).device
    images, targets = (part.to(device) for part in random_batch(task.network.dimensions, batch, size))
    optimizer = task.configure_optimizers()["optimizer"]
    if precision == "auto":
        chosen = estimate(task, 3 * [(images, targets)], samples=batch, case_bytes=0).precision
    else:
        chosen = precision

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=chosen == "bf16"):
            logits = task(images)
            with record_function("loss"):
                loss = task.loss(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        with record_function("optimiser"):
            torch.nn.utils.clip_grad_norm_(task.parameters(), task.settings.gradient_clip)
            optimizer.step()
        wait_for(device)

    return step, chosen


def random_batch(dimensions: int, batch: int, size: int) -> tuple[Tensor, Tensor]:
    """Images (b, 9, y, x) float32 in [0, 1], or (b, 1, 8, y, x), and their targets (b, [4,] y, x) uint8."""
    images = torch.rand(batch, *input_shape(dimensions, size)[1:])
    depth = () if dimensions == 2 else (REACH[dimensions].slices,)
    return images, torch.randint(0, 2, (batch, *depth, size, size), dtype=torch.uint8)
