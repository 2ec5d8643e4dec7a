"""What a network has learnt after equal time: ours beside segmentation-models-pytorch's and MONAI's U-Net, on phantoms.

Each is trained from scratch on the tumour stage of one phantom cohort, in a process of its own, by the same code, with
the same samples in the same order, the same augmentation and the same loss, until its minutes are over; nothing but
training counts. Then it is scored inside the reference's liver, on held-out phantoms, by tumour Dice per case; the
column of the validation phantoms is to choose among settings by. Ours have AdamW along a cosine, channels last and
memory kept, as `lits demo`. Peers are run as their users run them (`--peers users`: Adam at a constant 1e-3, torch's
defaults) or as ours are (`--peers ours`).

Each finished run is a row of OUTPUT/runs.csv; the same call goes on where it was stopped. With `--cpu-minutes` time is
that of all cores together, and other work on the machine hardly matters. `learning_runs.csv` beside this file has the
runs of docs/measurements.md; copied to OUTPUT/runs.csv, they are not run again.

    python benchmarks/learning.py learning --cpu-minutes 30 --seeds 3
"""

import argparse
import csv
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from smoke import parse_arguments

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.phantom import plan_random, write_cohort
from lits_toolkit.data.prepare import prepare
from lits_toolkit.data.reading import read_case
from lits_toolkit.demo import LABEL, MODEL, DemoSettings, train_settings
from lits_toolkit.files import replacing
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.metrics.statistics import paired_difference
from lits_toolkit.study.workspace import Workspace

if TYPE_CHECKING:
    from lits_toolkit.models.storage import Model

PEER_NAMES = ("smp-unet", "monai-basicunet")
KEY = ("contender", "peers", "seed", "minutes", "clock", "crop")
"""What tells one run from another; `peers` is how a peer is run, and empty for ours."""
Row = dict[str, Any]


def main() -> None:
    """Train and score what is missing and print the table, or in a process of its own do one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--cpu-minutes", type=float, help="of all cores together, in place of --minutes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", choices=("users", "ours"), default="users")
    parser.add_argument("--without", nargs="*", default=(), choices=PEER_NAMES, help="peers to leave out")
    parser.add_argument("--crop", type=int, default=128, help="squares around the liver that are trained on; 0: none")
    parser.add_argument("--threads", type=int, default=2)
    for name, value in (("train", 42), ("validation", 5), ("test", 16), ("size", 256), ("slices", 48)):
        parser.add_argument(f"--{name}", type=int, default=value, help="of the cohort")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    little = {"minutes": 0.02, "cpu_minutes": 0.02, "seeds": 1, "crop": 0, "threads": 1}
    arguments = parse_arguments(parser, **little, train=2, validation=1, test=2, size=64, slices=16)
    if arguments.contender:
        run_one(arguments)
        return
    workspace = make_cohort(arguments)
    table = arguments.output / "runs.csv"
    names = [arguments.model, *(name for name in PEER_NAMES if name not in arguments.without)]
    rows = read_rows(table)
    wanted = [run_key(arguments, name, seed) for seed in range(arguments.seeds) for name in names]
    for key in wanted:
        if any(is_of(row, key) for row in rows):
            continue
        print(", ".join(f"{name} {value}" for name, value in key.items() if value), flush=True)
        if answer := in_own_process(key):
            rows.append(key | answer)
            write_rows(table, rows)
    print_table([row for row in rows if any(is_of(row, key) for key in wanted)], workspace.split.test, names)


def demo_settings(arguments: argparse.Namespace) -> DemoSettings:
    """The cohort's, as `lits demo` makes it."""
    return DemoSettings(arguments.train, arguments.validation, arguments.test, arguments.size, arguments.slices)


def make_cohort(arguments: argparse.Namespace) -> Workspace:
    """Draw and prepare what is missing of the phantom cohort."""
    demo, workspace = demo_settings(arguments), Workspace(arguments.output)
    folder = workspace.folder / "cohort"
    workspace.begin(folder, demo.split, LABEL)  # refuses another cohort's folder
    cases = write_cohort(plan_random(len(demo.names), demo.seed, demo.size, demo.slices), folder)
    prepare(cases, workspace.prepared, size=demo.size)
    return workspace


def run_key(arguments: argparse.Namespace, name: str, seed: int) -> Row:
    """What the row of a run begins with."""
    clock = "cpu" if arguments.cpu_minutes else "wall"
    way = arguments.peers if name in PEER_NAMES else ""
    minutes = arguments.cpu_minutes or arguments.minutes
    return dict(zip(KEY, (name, way, seed, minutes, clock, arguments.crop), strict=True))


def is_of(row: Row, key: Row) -> bool:
    """Whether a row, from the file or not, is that run's."""
    return all(str(row[name]) == str(value) for name, value in key.items())


def read_rows(table: Path) -> list[Row]:
    """The runs so far."""
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(table: Path, rows: list[Row]) -> None:
    """Replace the table of runs."""
    with replacing(table) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)


def in_own_process(key: Row) -> Row:
    """Do one run; nothing where the peer is not installed."""
    environment = dict(os.environ)
    if "OMP_WAIT_POLICY" not in environment:  # for all alike: endless spinning is no work, and on a busy machine slow
        environment.setdefault("GOMP_SPINCOUNT", "5000")
    command = [sys.executable, *sys.argv, "--contender", str(key["contender"]), "--seed", str(key["seed"])]
    answer = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(answer.splitlines()[-1])) if answer.strip() else {}


def run_one(arguments: argparse.Namespace) -> None:
    """Train one network until its time is over, score it, and print what its row has besides the key."""
    import lightning
    import torch
    from peers import PEERS, MissingPeerError
    from timed import Budget, TimedTask

    from lits_toolkit.data.prepared import PreparedCase
    from lits_toolkit.models.memory import keep_large_allocations
    from lits_toolkit.models.storage import Model
    from lits_toolkit.training.samples import CaseDataset, EpochSampler
    from lits_toolkit.training.task import INPUT_PIXELS

    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    name, demo, workspace = arguments.contender, demo_settings(arguments), Workspace(arguments.output)
    as_users = name in PEERS and arguments.peers == "users"
    torch.set_num_threads(arguments.threads)
    if not as_users:
        keep_large_allocations()
    lightning.seed_everything(arguments.seed, verbose=False)
    settings = replace(
        train_settings("tumor", demo), model=MODEL if name in PEERS else name, start_from=None,
        crop=arguments.crop or None, seed=arguments.seed,
    )  # fmt: skip
    prepared = [PreparedCase(path) for path in workspace.prepared_cases(workspace.split.train)]
    samples = CaseDataset(prepared, settings, dimensions=2)
    sampler = EpochSampler(samples.starts, settings.seed, settings.cases_together)
    batches = torch.utils.data.DataLoader(samples, settings.batch_size, sampler=sampler, drop_last=True)
    clock = time.process_time if arguments.cpu_minutes else time.perf_counter
    budget = Budget(60 * (arguments.cpu_minutes or arguments.minutes), clock)
    pixels = INPUT_PIXELS * (settings.crop / demo.size if settings.crop else 1)
    task = TimedTask(settings, len(batches), pixels, budget, constant_adam=as_users)
    if name in PEERS:
        try:
            task.take(PEERS[name](), channels_last=not as_users)
        except MissingPeerError as missing:
            print(f"{name} is left out: {missing}", file=sys.stderr)
            return
    trainer = lightning.Trainer(
        max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=settings.gradient_clip, callbacks=[budget],
    )  # fmt: skip
    trainer.fit(task, batches)
    window = prepared[0].window
    description = {"name": name, "stage": "tumor", "size": demo.size, "window": list(window),
                   "settings": {"combine": settings.combine}}  # fmt: skip
    model = Model(task.network.eval(), description)
    dice = {case: score(workspace, case, model) for case in (*workspace.split.validation, *workspace.split.test)}
    row = {
        "seconds": round(budget.taken, 1),
        "steps": trainer.global_step,
        "epochs": round(trainer.global_step / len(batches), 2),
        "train_loss": float(trainer.callback_metrics.get("train_loss", float("nan"))),
        "validation_dice": float(np.mean([dice[case] for case in workspace.split.validation])),
    }
    print(json.dumps(row | {case: dice[case] for case in workspace.split.test}))


def score(workspace: Workspace, name: str, model: "Model") -> float:
    """Tumour Dice of one case, inside the reference's liver."""
    from lits_toolkit.inference.cascade import predict_tumor
    from lits_toolkit.inference.runtimes import open_model

    case = read_case(workspace.case(name))
    assert case.reference is not None
    found = predict_tumor(case.volume, case.reference >= LIVER, open_model(model))
    return count_overlap(case.reference == TUMOR, found).dice_per_case


def print_table(rows: list[Row], cases: tuple[str, ...], names: list[str]) -> None:
    """A line per contender: what it has seen, its mean Dice, and the difference to ours."""
    if not rows:
        return
    print(f"\nTumour Dice per case on {len(cases)} held-out phantoms, inside the reference's liver, after "
          f"{rows[0]['minutes']} minutes of training\n({rows[0]['clock']} time). Differences to the first, over cases "
          "× seeds and over cases (of each its mean over seeds), with 95 % bootstrap\nintervals and p by exchanging "
          "the two.")  # fmt: skip
    print(f"{'':26}{'seeds':>6}{'epochs':>8}{'valid.':>8}{'Dice':>7}   over cases × seeds{'':17}over cases")
    ours = {int(row["seed"]): row for row in rows if row["contender"] == names[0]}
    for name in names:
        runs = {int(row["seed"]): row for row in rows if row["contender"] == name}
        if not runs:
            continue
        mean = {key: np.mean([float(row[key]) for row in runs.values()]) for key in ("epochs", "validation_dice")}
        line = (f"{name:26}{len(runs):6}{mean['epochs']:8.1f}{mean['validation_dice']:8.3f}"
                f"{dice_of(runs, list(runs), cases).mean():7.3f}")  # fmt: skip
        seeds = sorted(runs.keys() & ours.keys())
        if name != names[0] and seeds:
            first, second = dice_of(ours, seeds, cases), dice_of(runs, seeds, cases)
            line += f"   {difference(first.ravel(), second.ravel())}   {difference(first.mean(0), second.mean(0))}"
        print(line)


def dice_of(runs: dict[int, Row], seeds: list[int], cases: tuple[str, ...]) -> np.ndarray:
    """(seeds, cases)."""
    return np.array([[float(runs[seed][case]) for case in cases] for seed in seeds])


def difference(first: np.ndarray, second: np.ndarray) -> str:
    """Second − first with its interval and p."""
    found = paired_difference(first, second)
    low, high = found.difference.low, found.difference.high
    return f"{found.difference.value:+.3f} [{low:+.3f}, {high:+.3f}] p {found.p:.4f}"


if __name__ == "__main__":
    main()
