"""Milliseconds per sample of one network, training and inference, in fp32 and in bf16 autocast, in the same run."""

import argparse

import torch
from smoke import SMALL_MODEL, parse_arguments
from torch import Tensor

from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.timing import seconds
from lits_toolkit.training.losses import build_loss


def main() -> None:
    """Print one line per size and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="2d-mobilenet_v2-default")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parse_arguments(parser, model=SMALL_MODEL, batch=2, sizes=[32], repeat=1)
    keep_large_allocations()
    network = build_model(arguments.model)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.RAdam(network.parameters(), 1e-4)
    for size in arguments.sizes:
        images = torch.rand(arguments.batch, 9, size, size).contiguous(memory_format=torch.channels_last)
        targets = torch.randint(0, 2, (arguments.batch, size, size))
        for bf16 in (False, True):
            training = seconds(lambda: step(network, optimizer, images, targets, bf16), arguments.repeat, True)  # noqa: B023
            network.eval()
            inference = seconds(lambda: infer(network, images, bf16), arguments.repeat, True)  # noqa: B023
            network.train()
            per_sample = [1000 * value / arguments.batch for value in (training, inference)]
            name = "bf16" if bf16 else "fp32"
            print(f"{size}×{size} {name}: training {per_sample[0]:.1f} ms, inference {per_sample[1]:.1f} ms per sample")


def step(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, targets: Tensor, bf16: bool
) -> None:
    """One training step."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = build_loss("cross_entropy+dice")(network(images), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.inference_mode()
def infer(network: torch.nn.Module, images: Tensor, bf16: bool) -> None:
    """One forward pass."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        network(images)


if __name__ == "__main__":
    main()
