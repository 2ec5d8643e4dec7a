"""A whole training step on the CPU (forward, loss, backward, optimiser), ours beside a U-Net that a student would pick.

Ours are run as `lits train` runs them: channels last, memory kept across layers, the faster of fp32 and bf16, RAdam in
Lookahead, gradients clipped. The peer is run as its users run it: torch's defaults, Adam, cross entropy; and once more
with what ours are given, which tells the network from how it is run. Every contender has a process of its own, in turn,
`--rounds` times; the median step counts. "CPU ms" are those of all cores together, which other work on the machine
hardly changes.

    python benchmarks/training.py            # the goals: 2.5 and 4 times the peer's samples per second
    python benchmarks/training.py --all      # all networks, beside the dissertation's Tables 4.4 and 4.5
    python benchmarks/training.py --profile  # where the time goes
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable

from smoke import SMALL_MODEL, parse_arguments
from timing import measure, median

from lits_toolkit.data.sampling import REACH
from lits_toolkit.models.encoders import encoders
from lits_toolkit.models.published_time import published_times

GOALS = {"2d-mobilenet_v2-default": 2.5, "2d-shufflenet_v2-default": 4.0}
"""How many times the peer's samples per second."""
PEER = "smp-unet"
TUNED = "-run-as-ours"
LITS_SLICES = 50_000
"""Of an epoch of the liver stage: 111 training cases of LiTS with 450 slices each."""


def main() -> None:
    """Measure, or in a process of its own be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(GOALS))
    parser.add_argument("--all", action="store_true", help="all networks of the dissertation")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    arguments = parse_arguments(parser, models=[SMALL_MODEL], batch=2, size=64, steps=1, rounds=1, threads=1)
    if arguments.contender:
        run_one(arguments)
        return
    if arguments.all and not arguments.smoke:
        arguments.models = list(encoders())
    if arguments.profile:
        for name in (*arguments.models, PEER):
            in_own_process(name, arguments)
        return
    found: dict[str, list[dict]] = {name: [] for name in (*arguments.models, PEER, PEER + TUNED)}
    for _ in range(arguments.rounds):
        for name, rounds in found.items():
            if answer := in_own_process(name, arguments):
                rounds.append(json.loads(answer.splitlines()[-1]))
                print(f"{name}: {median(rounds, 'wall'):.1f} ms per sample", file=sys.stderr, flush=True)
    print_table({name: rounds for name, rounds in found.items() if rounds}, arguments)
    if arguments.all:
        print_beside_dissertation(found, arguments)


def in_own_process(name: str, arguments: argparse.Namespace) -> str:
    """What a contender prints; nothing where it is not installed."""
    environment = dict(os.environ)
    if "OMP_WAIT_POLICY" not in environment:  # for all alike: endless spinning is no work, and on a busy machine slow
        environment.setdefault("GOMP_SPINCOUNT", "5000")
    command = [sys.executable, __file__, "--contender", name]
    for key in ("batch", "size", "steps", "threads"):
        command += [f"--{key}", str(getattr(arguments, key))]
    if arguments.profile:
        return str(subprocess.run([*command, "--profile"], env=environment, check=True).returncode)
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_one(arguments: argparse.Namespace) -> None:
    """Print one contender's milliseconds and peak memory as JSON, or its profile."""
    import torch
    from peers import MissingPeerError

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    try:
        step, precision = make_step(arguments.contender, arguments.batch, arguments.size)
    except MissingPeerError as missing:
        print(f"{arguments.contender} is left out: {missing}", file=sys.stderr)
        return
    if arguments.profile:
        for _ in range(2):
            step()
        from layers import print_profile

        print_profile(f"{arguments.contender}, {precision}", step, arguments.steps, arguments.batch)
        return
    print(json.dumps(measure(step, arguments.steps, arguments.batch) | {"precision": precision}))


def make_step(name: str, batch: int, size: int) -> tuple[Callable[[], None], str]:
    """One training step on one random batch, and its precision."""
    return peer_step(batch, size) if name == PEER else our_step(name, batch, size)


def our_step(name: str, batch: int, size: int) -> tuple[Callable[[], None], str]:
    """As `lits train` takes it, the augmentation left out."""
    from peers import smp_unet

    from lits_toolkit.models.memory import keep_large_allocations
    from lits_toolkit.training.settings import TrainSettings
    from lits_toolkit.training.step import training_step
    from lits_toolkit.training.task import SegmentationTask

    keep_large_allocations()
    settings = TrainSettings() if name == PEER + TUNED else TrainSettings(model=name)
    task = SegmentationTask(settings, steps_per_epoch=1000)
    if name == PEER + TUNED:
        task.network = smp_unet().to(memory_format=task.memory_format)  # type: ignore[call-overload]
        task.network.dimensions = 2
    return training_step(task, batch, size)


def peer_step(batch: int, size: int) -> tuple[Callable[[], None], str]:
    """As a user of segmentation-models-pytorch takes it."""
    import torch
    from peers import smp_unet
    from torch.profiler import record_function

    network = smp_unet()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    criterion = torch.nn.CrossEntropyLoss()
    images = torch.rand(batch, REACH[2].seen, size, size)
    targets = torch.randint(0, 2, (batch, size, size))

    def step() -> None:
        logits = network(images)
        with record_function("loss"):
            loss = criterion(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        with record_function("optimiser"):
            optimizer.step()

    return step, "fp32"


def print_table(found: dict[str, list[dict]], arguments: argparse.Namespace) -> None:
    """One line per contender, beside the peer."""
    print(f"batch {arguments.batch}, {arguments.size} × {arguments.size}, {arguments.threads} threads; "
          "in 3D a sample is a block of eight slices")  # fmt: skip
    print(f"{'':28}{'':6}{'samples/s':>10}{'ms/sample':>11}{'CPU ms':>8}{'peak GB':>9}{'× peer':>8}{'by CPU':>8}  goal")
    peer = {clock: median(found[PEER], clock) for clock in ("wall", "cpu")} if PEER in found else {}
    for name, rounds in found.items():
        wall, cpu = median(rounds, "wall"), median(rounds, "cpu")
        peak = max(row["peak"] for row in rounds) / 1e9
        line = f"{name:28}{rounds[0]['precision']:6}{1000 / wall:10.2f}{wall:11.1f}{cpu:8.1f}{peak:9.2f}"
        if peer:
            line += f"{peer['wall'] / wall:8.2f}{peer['cpu'] / cpu:8.2f}"
        print(f"{line}  {GOALS.get(name, '')}")


def print_beside_dissertation(found: dict[str, list[dict]], arguments: argparse.Namespace) -> None:
    """Seconds per segmented slice here and in Tables 4.4 and 4.5, and an epoch's hours."""
    print(f"\nSeconds of training per segmented slice (3D: a block's by four), batch {arguments.batch}, and the "
          f"dissertation's\n(Tables 4.4, 4.5; its computers have an i7-3770 with a GTX 1080 Ti, and an i7-6700K for "
          f"CPU tests; which one\nthese tables are of is not said). An epoch is of {LITS_SLICES} slices, about LiTS's "
          "111 training cases.")  # fmt: skip
    print(f"{'':28}{'here':>8}{'CPU s':>8}{'printed':>9}{'printed / here':>16}{'epoch here, h':>15}")
    for name, printed in published_times().items():
        if not found.get(name):
            continue
        slices = REACH[int(name[0])].slices
        wall, cpu = (median(found[name], clock) / 1000 / slices for clock in ("wall", "cpu"))
        theirs = "–" if printed.training_s is None else f"{printed.training_s:.3f}"
        ratio = "–" if printed.training_s is None else f"{printed.training_s / wall:.1f}"
        print(f"{name:28}{wall:8.4f}{cpu:8.4f}{theirs:>9}{ratio:>16}{wall * LITS_SLICES / 3600:15.1f}")


if __name__ == "__main__":
    main()
