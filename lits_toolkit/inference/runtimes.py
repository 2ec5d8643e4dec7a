"""What runs a network: a trained model, opened in a runtime, is a *runner*, windows of slices in, probabilities out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lits_toolkit.models.storage import Model


@dataclass(frozen=True, eq=False)
class Runner:
    """A model that is ready to run on this machine."""

    model: Model
    runtime: str
    """The runtime's name."""
    run: Callable[[np.ndarray], np.ndarray]
    """A batch of windows, (b, 9, y, x) float32 or (b, 1, 8, y, x) in 3D, to the probability of the stage's object in
    their middle slices, (b, 1, y, x) float32 or (b, 4, y, x)."""

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return self.model.network.dimensions


def open_model(model: Model) -> Runner:
    """Make a model ready to run."""
    return Runner(model, "torch", _torch(model))


def _torch(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    network = model.network
    device = next(network.parameters()).device

    def run(windows: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(windows).to(device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            found: np.ndarray = network(images).softmax(1)[:, 1].cpu().numpy()
        return found[:, None] if images.ndim == 4 else found

    return run
