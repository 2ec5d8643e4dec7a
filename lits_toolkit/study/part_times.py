"""Where a prediction's time goes, part by part of the network, beside what the machine could do at best."""

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lits_toolkit.data.sampling import REACH
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.cost import count_convolutions, input_shape, parts
from lits_toolkit.models.machine import Machine, network_device, wait_for
from lits_toolkit.models.memory import keep_large_allocations
from lits_toolkit.models.timing import durations
from lits_toolkit.study.benchmark import on_meta

if TYPE_CHECKING:
    import pandas as pd

BETWEEN = "between"
"""What no part accounts for, such as upsampling along z."""


def time_parts(name: str, machine: Machine, batch: int = 8, size: int = 256, repeat: int = 9) -> "pd.DataFrame":
    """Time each part of a network in torch (eager, channels last, fp32), with random weights.

    Columns part (as `models.cost.parts` names them, then "between"), seconds (per segmented slice, the median),
    compute_floor_s, memory_floor_s and floor_s: sums over its convolutions, the last one of the longer of the other two
    of each. SettingError for a name that the catalogue does not have.
    """
    import pandas as pd
    import torch

    keep_large_allocations()
    device = network_device()
    network = build_model(name).eval().to(device)
    shape = (batch, *input_shape(network.dimensions, size)[1:])
    slices = batch * REACH[network.dimensions].slices
    channels_last = torch.channels_last if network.dimensions == 2 else torch.channels_last_3d
    images = torch.rand(shape, device=device).contiguous(memory_format=channels_last)
    taken: dict[str, list[float]] = {part: [] for part, _ in parts(network)}
    begun: dict[str, float] = {}

    def now() -> float:
        wait_for(device)
        return time.perf_counter()

    def begin(part: str) -> Callable[..., None]:
        return lambda *_: begun.update({part: now()})

    def end(part: str) -> Callable[..., None]:
        return lambda *_: taken[part].append(now() - begun[part])

    for part, module in parts(network):
        module.register_forward_pre_hook(begin(part))
        module.register_forward_hook(end(part))
    with torch.inference_mode():
        whole = durations(lambda: network(images), repeat, warm_up=True)
    medians = {part: statistics.median(found[1:]) for part, found in taken.items()}
    medians[BETWEEN] = max(statistics.median(whole) - sum(medians.values()), 0.0)
    costs = count_convolutions(on_meta(name), shape)
    rows = []
    for part, seconds in medians.items():
        own = [cost for cost in costs if cost.part == part]
        floors = {
            "compute_floor_s": sum(cost.compute_s(machine) for cost in own) / slices,
            "memory_floor_s": sum(cost.memory_s(machine) for cost in own) / slices,
            "floor_s": sum(cost.seconds(machine) for cost in own) / slices,
        }
        rows.append({"part": part, "seconds": seconds / slices} | floors)
    return pd.DataFrame(rows)
