"""Stochastic weight averaging (dissertation §3.1.9): the mean of the weights of several epochs of one run."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lits_toolkit.errors import InputError, SettingError

COUNT, MEAN = "count", "mean."


class WeightAverage:
    """The running mean of a network's parameters (Izmailov et al., UAI 2018).

    Statistics of batch normalisation are no weights and are not averaged: `renew_batch_norm` takes them anew, with
    the mean in the network.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's present parameters into the mean."""
        self.count += 1
        for name, parameter in network.named_parameters():
            mean = self.mean.get(name, torch.zeros_like(parameter)).to(parameter)
            self.mean[name] = mean.lerp_(parameter, 1 / self.count)

    @torch.no_grad()
    def apply_to(self, network: nn.Module) -> None:
        """Give the network the mean for its parameters; SettingError before the first `update`."""
        if not self.count:
            raise SettingError("there are no weights to average: expected at least one epoch's")
        for name, parameter in network.named_parameters():
            parameter.copy_(self.mean[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The count and the mean of each parameter, as tensors of one level that safetensors can keep."""
        return {COUNT: torch.tensor(self.count)} | {MEAN + name: mean for name, mean in self.mean.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state_dict`; its tensors are copied."""
        self.count = int(state[COUNT])
        self.mean = {key.removeprefix(MEAN): mean.clone() for key, mean in state.items() if key != COUNT}


@torch.no_grad()
def renew_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Take the statistics of every batch normalisation anew, as means over `batches` of images on the network's device.

    Each batch counts by its images, which of equal batches gives what `torch.optim.swa_utils.update_bn` gives. Nothing
    else of the network is in training mode meanwhile, so that no dropout plays in; its modes and momenta are those
    of before. Raises InputError if there is no batch.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    modes = [(module, module.training) for module in network.modules()]
    momenta = [(norm, norm.momentum) for norm in norms]
    network.eval()
    seen = 0
    try:
        for norm in norms:
            norm.train().reset_running_stats()
        for images in batches:
            seen += len(images)
            for norm in norms:
                norm.momentum = len(images) / seen
            network(images)
    finally:
        for norm, momentum in momenta:
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    if not seen:
        raise InputError("there is no batch to take the statistics of batch normalisation from: expected at least one")
