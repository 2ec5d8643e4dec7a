"""A whole CT from .nii.gz to mask.nii.gz, both stages of a workspace: seconds of each part, and the peak of memory.

Each CT is a phantom, drawn once into WORKSPACE/whole, and predicted in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from smoke import parse_arguments

MODEL = "2d-mobilenet_v2-default"


def main() -> None:
    """Print one line per part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--liver", default=MODEL)
    parser.add_argument("--tumor", default=MODEL)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--box", action="store_true")
    parser.add_argument("--predict", type=Path, help=argparse.SUPPRESS)
    arguments = parse_arguments(parser, slices=16, liver=MODEL, tumor=MODEL)
    if arguments.predict is not None:
        print(json.dumps(predict(arguments)))
        return
    volume = draw(arguments.workspace / "whole" / str(arguments.slices), arguments.slices)
    command = [sys.executable, __file__, *sys.argv[1:], "--predict", str(volume)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    networks = sum(seconds for part, seconds in found["seconds"].items() if part.endswith("network"))
    for part, seconds in found["seconds"].items():
        print(f"{part:14} {seconds:6.2f} s")
    total = sum(found["seconds"].values())
    print(f"{'around them':14} {total - networks:6.2f} s")
    print(f"{'all':14} {total:6.2f} s, of processors {found['cpu_s']:.2f} s")
    print(f"peak memory {found['peak_gb']:.2f} GB, estimated {found['estimated_gb']:.2f} GB")


def draw(folder: Path, slices: int) -> Path:
    """A phantom of 512 × 512 pixels, kept for the next time."""
    from lits_toolkit.data.phantom import plan_random, write_cohort

    write_cohort(plan_random(1, 0, 512, slices), folder)
    return folder / "volume-0.nii.gz"


def predict(arguments: argparse.Namespace) -> dict:
    """Both stages on one CT."""
    from lits_toolkit.data.case import CaseFiles
    from lits_toolkit.inference.estimate import estimate_memory_gb, read_shapes
    from lits_toolkit.inference.predict import predict_cases
    from lits_toolkit.inference.settings import PredictSettings
    from lits_toolkit.models.storage import load_model
    from lits_toolkit.study.workspace import Workspace

    study = Workspace(arguments.workspace)
    tumor, liver = (load_model(study.model(stage, getattr(arguments, stage))) for stage in ("tumor", "liver"))
    settings = PredictSettings(runtime=arguments.runtime, box=arguments.box)
    case = CaseFiles("volume-0", arguments.predict)
    with tempfile.TemporaryDirectory() as folder:
        (found,) = predict_cases([case], folder, tumor, liver, settings)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": found.seconds,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_gb": used.ru_maxrss * 1024 / 1e9,
        "estimated_gb": estimate_memory_gb(read_shapes([case]).values(), [tumor, liver]),
    }


if __name__ == "__main__":
    main()
