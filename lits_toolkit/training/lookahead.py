"""Lookahead: slow weights that follow those of any optimizer (dissertation §3.1.9, Figure 3.5)."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from lits_toolkit.errors import SettingError


class Lookahead(torch.optim.Optimizer):
    """`steps` steps of the optimizer inside, the fast weights, then one of the slow ones towards them.

    Algorithm 1 of Zhang et al., NeurIPS 2019: φ ← φ + rate · (θ − φ), and θ goes on from φ. The network holds the fast
    weights θ; `slow` has φ for each parameter, from the first step on. `param_groups` and `state` are those of the
    optimizer inside, so that a scheduler changes its learning rate; that one's moments outlive a cycle. Both are
    shared anew by `load_state_dict`, so load through this one.

    Raises SettingError unless steps ≥ 1 and 0 < rate ≤ 1.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int = 5, rate: float = 0.5) -> None:
        if steps < 1 or not 0 < rate <= 1:
            raise SettingError(f"lookahead: expected steps of at least 1 and a rate in (0, 1], found {steps}, {rate}")
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self.optimizer = optimizer
        self.steps = steps
        self.rate = rate
        self.slow: dict[Tensor, Tensor] = {}
        self.fast_steps = 0
        self._share()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One fast step, with a slow one after each `steps`; returns what the closure returned."""
        for parameter in self._parameters():
            if parameter not in self.slow:
                self.slow[parameter] = parameter.detach().clone()
        loss = self.optimizer.step(closure)
        self.fast_steps += 1
        if self.fast_steps % self.steps == 0:
            with torch.no_grad():
                for fast, slow in self.slow.items():
                    fast.copy_(slow.lerp_(fast, self.rate))
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer inside, the slow weights by the parameters' numbers, the steps so far."""
        slow = {number: self.slow[p] for number, p in enumerate(self._parameters()) if p in self.slow}
        return self.optimizer.state_dict() | {"slow": slow, "fast_steps": self.fast_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict` exactly as the optimizer that it was taken from would have."""
        self.optimizer.load_state_dict({key: state_dict[key] for key in ("state", "param_groups")})
        self._share()
        parameters = list(self._parameters())
        self.slow = {
            parameters[number]: slow.to(parameters[number], copy=True) for number, slow in state_dict["slow"].items()
        }
        self.fast_steps = state_dict["fast_steps"]

    def _share(self) -> None:
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state

    def _parameters(self) -> Iterator[Tensor]:
        return (parameter for group in self.param_groups for parameter in group["params"])
