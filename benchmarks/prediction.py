"""Prediction on the CPU, network alone: ours in each runtime beside a U-Net that a student would pick.

Ours are run by `lits predict`'s runners. The peer is run as its users run it, in torch's eager mode, and by OpenVINO,
converted by OpenVINO and quantised by NNCF as ours are. Every contender has a process of its own, in turn, `--rounds`
times; the median batch counts. The weights are random, which changes no time.

    python benchmarks/prediction.py    # the goals: 12 times the peer in torch, 1.8 times it in int8
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
from smoke import SMALL_MODEL, parse_arguments
from timing import measure, median

from lits_toolkit.data.sampling import REACH
from lits_toolkit.models.cost import input_shape

MODELS = ("2d-mobilenet_v2-default", "2d-shufflenet_v2-default", "2d-mobilenet_v2-top", "3d-dsts-bottom")
RUNTIMES = ("openvino-int8", "openvino-bf16", "openvino", "torch")
PEER = "smp-unet"
GOALS = {"torch": 12.0, "openvino-int8": 1.8}
"""How many times as fast as the peer in that runtime the first two of MODELS are to be in int8."""


def main() -> None:
    """Measure, or in a process of its own be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--runtimes", nargs="+", default=list(RUNTIMES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", nargs=2, help=argparse.SUPPRESS)
    runtimes = ["openvino-int8", "torch"]
    arguments = parse_arguments(parser, models=[SMALL_MODEL], runtimes=runtimes, batch=1, size=64, repeat=1, rounds=1)
    if arguments.contender:
        run_one(arguments)
        return
    contenders = [(name, runtime) for runtime in arguments.runtimes for name in (*arguments.models, PEER)]
    found: dict[tuple[str, str], list[dict]] = {}
    for _ in range(arguments.rounds):
        for name, runtime in contenders:
            if answer := in_own_process(name, runtime, arguments):
                found.setdefault((name, runtime), []).append(json.loads(answer.splitlines()[-1]))
                print(f"{name}, {runtime}: {median(found[name, runtime], 'wall'):.1f} ms", file=sys.stderr, flush=True)
    print_table(found, arguments)


def in_own_process(name: str, runtime: str, arguments: argparse.Namespace) -> str:
    """What a contender prints; nothing where it cannot run here."""
    command = [sys.executable, __file__, "--contender", name, runtime]
    for key in ("batch", "size", "repeat"):
        command += [f"--{key}", str(getattr(arguments, key))]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_one(arguments: argparse.Namespace) -> None:
    """Print one contender's milliseconds per slice and peak memory as JSON."""
    from peers import MissingPeerError

    from lits_toolkit.errors import LitsError

    name, runtime = arguments.contender
    try:
        run, slices = peer(runtime) if name == PEER else ours(name, runtime, arguments.size)
    except (MissingPeerError, LitsError) as missing:
        print(f"{name}, {runtime} is left out: {missing}", file=sys.stderr)
        return
    shape = (arguments.batch, *input_shape(3 if name.startswith("3d") else 2, arguments.size)[1:])
    windows = np.random.default_rng(0).random(shape, np.float32)
    print(json.dumps(measure(lambda: run(windows), arguments.repeat, arguments.batch * slices)))


def ours(name: str, runtime: str, size: int) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What `lits predict` runs, and the slices that a sample segments."""
    from lits_toolkit.study.benchmark import open_untrained

    runner = open_untrained(name, runtime, size)
    return runner.run, REACH[runner.dimensions].slices


def peer(runtime: str) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """The peer as its users run it; by OpenVINO, through OpenVINO's own converter."""
    import torch
    from peers import smp_unet

    from lits_toolkit.errors import SettingError
    from lits_toolkit.inference.int8 import quantise
    from lits_toolkit.inference.openvino_runtime import run_openvino

    network = smp_unet().eval()
    if runtime == "torch":

        def run(windows: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return network(torch.from_numpy(windows)).softmax(1)[:, 1:].numpy()

        return run, 1
    if not runtime.startswith("openvino"):
        raise SettingError(f"the peer is not run in {runtime}")
    import warnings

    import openvino as ov

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = ov.convert_model(network, example_input=torch.zeros(1, 9, 256, 256))
    if runtime == "openvino-int8":
        graph = quantise(graph, [np.random.default_rng(0).random((1, 9, 256, 256), np.float32)])
    return run_openvino(graph, "bf16" if runtime == "openvino-bf16" else "f32"), 1


def print_table(found: dict[tuple[str, str], list[dict]], arguments: argparse.Namespace) -> None:
    """One line per contender, beside the peer in the same runtime and in torch."""
    print(f"batch {arguments.batch}, {arguments.size} × {arguments.size}; milliseconds per slice; "
          "in 3D a block's by four")  # fmt: skip
    print(f"{'':26}{'runtime':15}{'ms':>8}{'CPU ms':>8}{'peak GB':>9}{'× peer in torch':>17}{'× peer in int8':>16}")
    torch, int8 = (
        median(found[PEER, runtime], "wall") if (PEER, runtime) in found else float("nan") for runtime in GOALS
    )
    for (name, runtime), rounds in found.items():
        wall, cpu = median(rounds, "wall"), median(rounds, "cpu")
        peak = max(row["peak"] for row in rounds) / 1e9
        print(f"{name:26}{runtime:15}{wall:8.2f}{cpu:8.2f}{peak:9.2f}{torch / wall:17.2f}{int8 / wall:16.2f}")
    print(f"goals of {' and '.join(MODELS[:2])} in int8: {GOALS['torch']:g} and {GOALS['openvino-int8']:g}")


if __name__ == "__main__":
    main()
