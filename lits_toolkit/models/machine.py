"""What this machine can do at most, measured: the rates below which no network can stay."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lits_toolkit.models.timing import durations
from lits_toolkit.words import counted

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Machine:
    """A processor with as many threads as torch takes, and the measured rates of what torch runs networks on."""

    cpu: str
    cores: int
    """That this process may use."""
    threads: int
    """Of torch."""
    torch: str
    """Version."""
    flops_per_s: float
    """Of a large product of float32 matrices, two FLOPs to a multiply-accumulate."""
    bytes_per_s: float
    """Read and written together, of a large copy."""
    gpu: str = ""
    """The GPU's name, where torch has one: then both rates are its."""

    @property
    def device(self) -> str:
        """What networks run on: the GPU, or the processor with its threads."""
        return self.gpu or f"{self.cpu}, {counted(self.threads, 'thread')}"

    def __str__(self) -> str:
        rates = f"{self.flops_per_s / 1e9:.0f} GFLOP/s in fp32, {self.bytes_per_s / 1e9:.1f} GB/s"
        threads = counted(self.threads, "thread")
        gpu = f"{self.gpu}, " if self.gpu else ""
        return f"{gpu}{self.cpu}, {counted(self.cores, 'core')}, {threads}, torch {self.torch}: {rates}"


def measure_machine(side: int = 2048, copied_bytes: int = 2**28, repeat: int = 5) -> Machine:
    """Multiply two matrices of `side` × `side` and copy so many bytes; the fastest run counts, since it is a limit."""
    import joblib
    import torch

    device = network_device()
    left, right = torch.rand(2, side, side, device=device)
    product = torch.empty_like(left)
    source = torch.ones(copied_bytes // 4, device=device)
    target = torch.empty_like(source)

    def shortest(work: Callable[[], object]) -> float:
        def run() -> None:
            work()
            wait_for(device)

        return min(durations(run, repeat, warm_up=True))

    flops = 2 * side**3 / shortest(lambda: torch.mm(left, right, out=product))
    moved = 2 * copied_bytes / shortest(lambda: target.copy_(source))
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return Machine(cpu_name(), joblib.cpu_count(), torch.get_num_threads(), torch.__version__, flops, moved, gpu)


def network_device() -> "torch.device":
    """What torch trains and runs networks on: the first GPU that CUDA finds, or the processor."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def wait_for(device: "torch.device") -> None:
    """Return when a GPU has done what it was given; before that no clock tells how long it takes."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def usable_threads() -> int:
    """As many as torch takes, so that cases predicted at once share the processors in every runtime."""
    import joblib
    import torch

    return min(joblib.cpu_count(), torch.get_num_threads())


def cpu_name() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
