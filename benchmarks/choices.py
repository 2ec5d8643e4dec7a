"""What the demo's training hangs on: each stage with one setting changed at a time, scored on held-out phantoms.

python benchmarks/choices.py lits-demo
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from smoke import parse_arguments

from lits_toolkit.data.case import LIVER, TUMOR
from lits_toolkit.data.reading import read_case
from lits_toolkit.demo import MODEL, SMOKE, DemoSettings, train_settings
from lits_toolkit.inference.cascade import predict_mask
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.metrics.overlap import count_overlap
from lits_toolkit.models.storage import load_model
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.training.resume import TrainingCases
from lits_toolkit.training.run import train
from lits_toolkit.training.settings import Stage

CHOICES: dict[Stage, list[dict[str, Any]]] = {
    "liver": [{}, {"flip": True}, {"optimizer": "radam"}],
    "tumor": [{}, {"combine": "mask"}, {"start_from": None}, {"augment": False, "flip": False}],
}


def main() -> None:
    """Print one line per choice: the seconds of training and the Dice per case inside the reference's liver."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path, help="where `lits demo` has been run")
    parser.add_argument("--liver-epochs", type=int, default=1)
    parser.add_argument("--tumor-epochs", type=int, default=2)
    arguments = parse_arguments(parser, liver_epochs=1, tumor_epochs=1)
    workspace = Workspace(arguments.workspace).require()
    split = workspace.split
    cases = TrainingCases(workspace.prepared_cases(split.train), workspace.prepared_cases(split.validation))
    demo = SMOKE if arguments.smoke else DemoSettings()
    demo = replace(demo, liver_epochs=arguments.liver_epochs, tumor_epochs=arguments.tumor_epochs)
    for stage, choices in CHOICES.items():
        usual = train_settings(stage, demo)
        if usual.start_from is not None:
            usual = replace(usual, start_from=str(workspace.model("liver", MODEL)))
        for changed in choices:
            settings = replace(usual, **changed)
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                train(folder, cases, settings, progress=False)
                seconds = time.perf_counter() - started
                score = np.mean(score_held_out(workspace, folder, stage))
            print(f"{stage}, {changed or 'as in the demo'}: Dice per case {score:.3f}, {seconds:.0f} s", flush=True)


def score_held_out(workspace: Workspace, folder: str, stage: Stage) -> list[float]:
    """Dice of each held-out case: of the liver, or of the tumours inside the reference's liver."""
    model = open_model(load_model(folder))
    tumor_model = open_model(load_model(workspace.model("tumor", MODEL))) if stage == "liver" else model
    found = []
    for files in workspace.cohort_cases():
        if files.name not in workspace.split.test:
            continue
        case = read_case(files)
        assert case.reference is not None
        if stage == "liver":
            mask, least = predict_mask(case.volume, tumor_model, model), LIVER
        else:
            mask, least = predict_mask(case.volume, tumor_model, liver=case.reference >= LIVER), TUMOR
        found.append(count_overlap(case.reference >= least, mask >= least).dice_per_case)
    return found


if __name__ == "__main__":
    main()
