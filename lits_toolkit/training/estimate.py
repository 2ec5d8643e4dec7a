"""What a run will take, told before it starts: parameters, memory, and the time per epoch from three batches."""

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import default_collate

from lits_toolkit.words import duration

if TYPE_CHECKING:
    from lits_toolkit.training.samples import CaseDataset, EpochSampler
    from lits_toolkit.training.settings import Precision
    from lits_toolkit.training.task import SegmentationTask

BATCHES = 3
_PROCESS_BYTES = 0.75e9
"""Python, torch and Lightning (0.5e9), and what a step holds besides, whatever the network: measured, not derived."""


@dataclass(frozen=True)
class Estimate:
    """Of one training run."""

    parameters: int
    samples: int
    steps_per_epoch: int
    memory_bytes: float
    """About: activations kept for the backward pass, weights with the optimiser's, decoded cases, the process."""
    seconds_per_epoch: float
    """Of the steps alone: validation comes on top."""
    precision: str
    """ "fp32" or "bf16"."""

    def __str__(self) -> str:
        return (
            f"{self.parameters / 1e6:.2f} million parameters; {self.samples} samples, {self.steps_per_epoch} steps per "
            f"epoch; about {self.memory_bytes / 1e9:.1f} GB of memory, and {duration(self.seconds_per_epoch)} per "
            f"epoch in {self.precision} (from {BATCHES} batches, without validation)"
        )


def estimate_run(
    task: "SegmentationTask", samples: "CaseDataset", sampler: "EpochSampler", precision: "Precision"
) -> Estimate:
    """Estimate a run from the first three batches of its first epoch; no case stays decoded for that."""
    size = task.settings.batch_size
    taken = [samples[index] for index in islice(sampler, BATCHES * size)]
    collated = (default_collate(taken[start : start + size]) for start in range(0, len(taken), size))
    batches = [(images.to(task.device), targets.to(task.device)) for images, targets, _ in collated]
    decoded = sum(case.nbytes for case in samples.decoded.values()) / len(samples.decoded)
    samples.decoded.clear()
    held = min(samples.cases_in_memory, len(samples.cases)) * max(task.settings.workers, 1)
    return estimate(task, batches, len(samples), decoded * held, precision)


def estimate(
    task: "SegmentationTask",
    batches: Sequence[tuple[Tensor, Tensor]],
    samples: int,
    case_bytes: float,
    precision: "Precision" = "auto",
) -> Estimate:
    """Train a copy of the task's network on three batches of its images and targets; the task itself is left as it is.

    Precision "auto" takes the faster of fp32 and bf16, trying bf16 only where the processor has instructions for it.
    """
    choices = ["fp32", *(["bf16"] if _has_bf16(task.device) else [])] if precision == "auto" else [precision]
    seconds = {choice: _seconds_per_step(task, batches, choice) for choice in choices}
    fastest = min(seconds, key=lambda choice: seconds[choice])
    parameters = sum(parameter.numel() for parameter in task.network.parameters())
    copies = 4 + task.settings.lookahead  # weights, gradients, the optimiser's two moments, the slow weights
    memory = _PROCESS_BYTES + 4 * parameters * copies + case_bytes + activation_bytes(task, *batches[0])
    steps = task.steps_per_epoch
    return Estimate(parameters, samples, steps, memory, seconds[fastest] * steps, fastest)


def activation_bytes(task: "SegmentationTask", images: Tensor, targets: Tensor) -> int:
    """Bytes that a step on one batch keeps from the forward for the backward pass."""
    network = copy.deepcopy(task.network).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        # held, so that no later one gets its address; without its graph, which holds this and would never be freed
        alone = tensor.detach()
        kept[alone.untyped_storage().data_ptr()] = alone
        return alone

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        task.loss(network(images.contiguous(memory_format=task.memory_format)), targets)
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)


def _seconds_per_step(task: "SegmentationTask", batches: Sequence[tuple[Tensor, Tensor]], precision: str) -> float:
    network = copy.deepcopy(task.network).train()
    optimizer = torch.optim.AdamW(network.parameters(), 0.0)
    taken = []
    for images, targets in batches:
        started = time.perf_counter()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = network(images.contiguous(memory_format=task.memory_format))
        loss = task.loss(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss.detach())  # waits for a GPU
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    known = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return known and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
