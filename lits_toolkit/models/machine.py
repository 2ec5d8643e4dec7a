"""What this machine can do at most, measured: the rates below which no network can stay."""

import platform
from dataclasses import dataclass
from pathlib import Path

from lits_toolkit.models.timing import durations
from lits_toolkit.words import counted


@dataclass(frozen=True)
class Machine:
    """A processor and its measured rates, with as many threads as torch takes."""

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

    def __str__(self) -> str:
        rates = f"{self.flops_per_s / 1e9:.0f} GFLOP/s in fp32, {self.bytes_per_s / 1e9:.1f} GB/s"
        return (
            f"{self.cpu}, {counted(self.cores, 'core')}, {counted(self.threads, 'thread')}, torch {self.torch}: {rates}"
        )


def measure_machine(side: int = 2048, copied_bytes: int = 2**28, repeat: int = 5) -> Machine:
    """Multiply two matrices of `side` × `side` and copy so many bytes; the fastest run counts, since it is a limit."""
    import joblib
    import torch

    left, right = torch.rand(2, side, side)
    product = torch.empty(side, side)
    flops = 2 * side**3 / min(durations(lambda: torch.mm(left, right, out=product), repeat, warm_up=True))
    source = torch.ones(copied_bytes // 4)
    target = torch.empty_like(source)
    moved = 2 * copied_bytes / min(durations(lambda: target.copy_(source), repeat, warm_up=True))
    return Machine(cpu_name(), joblib.cpu_count(), torch.get_num_threads(), torch.__version__, flops, moved)


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
