"""Networks: the catalogue, training."""

import ast
import inspect
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Annotated, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from lits_toolkit.cli.printing import figure
from lits_toolkit.training.settings import QUICK, TrainSettings

registry = ConstructorRegistry()


def models(json: bool = False, printed: bool = False) -> None:
    """The catalogue: each network's parameters and multiply-accumulates, beside the dissertation's figures.

    Args:
        json: Print a list of objects instead of a table.
        printed: The dissertation's networks with the values of its appendix as printed, contradictions included.
    """
    from dataclasses import asdict

    from lits_toolkit.models.catalogue import describe_models

    entries = describe_models(printed)
    if json:
        import json as json_format

        print(json_format.dumps([asdict(entry) for entry in entries], indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "model", "table", "parameters\nmillions", "printed", "MACs\nbillions", "printed\nM FLOPs", "notes",
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    table.columns[0].no_wrap = True
    for column in table.columns[2:6]:
        column.justify = "right"
    notes: list[str] = []
    for entry in entries:
        where, *remarks = entry.note.split("; ")
        notes += [remark for remark in remarks if remark not in notes]
        parameters, flops = entry.published_parameters_millions, entry.published_flops_millions
        table.add_row(
            entry.name,
            where.removeprefix("Table "),
            f"{entry.parameters / 1e6:.3f}",
            "–" if parameters is None else f"{parameters:.2f}",
            f"{entry.macs / 1e9:.2f}",
            "–" if flops is None else f"{flops:.2f}",
            " ".join(str(notes.index(remark) + 1) for remark in remarks),
        )
    console = Console()
    console.print(table)
    for number, remark in enumerate(notes, 1):
        console.print(f"{number}  {remark}")
    console.print(
        "Each for one input of 256 × 256: nine slices in 2D; eight in 3D, of which it segments four. The printed FLOPs "
        "are what an old counter gave, which left most convolutions out; MACs are the true multiply-accumulates."
    )


@registry.struct_rule
def settings_rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """The options of TrainSettings, each docstring as one text: tyro keeps the breaks of indented lines.

    Their defaults are those of the recipe asked for, so that what is typed is never taken for a default. A truth is
    given as true or false: "whether", beside --no-augment, would say the opposite.
    """
    if info.type is not TrainSettings:
        return None
    (definition,) = ast.parse(inspect.getsource(TrainSettings)).body
    assert isinstance(definition, ast.ClassDef)
    helps = {
        ast.unparse(field.target): " ".join(str(ast.literal_eval(doc.value)).split())
        for field, doc in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr)
    }
    types, recipe = get_type_hints(TrainSettings), QUICK if "--quick" in sys.argv else TrainSettings()
    types = {name: tyro.conf.FlagConversionOff[bool] if kind is bool else kind for name, kind in types.items()}
    options = (
        StructFieldSpec(each.name, types[each.name], getattr(recipe, each.name), helps[each.name])
        for each in fields(TrainSettings)
    )
    return StructConstructorSpec(TrainSettings, tuple(options))


def train(
    workspace: Path,
    settings: Annotated[TrainSettings, tyro.conf.arg(name="")],
    quick: bool = False,
    overwrite: bool = False,
) -> None:
    """Train one stage's network, or go on with a run that was interrupted, or prolong it with more --epochs.

    The defaults are the dissertation's recipe, or, with --quick, the demo's, which `lits train --quick --help` shows.

    Args:
        workspace: The study's folder, made by `lits prepare`.
        settings: What to train with.
        quick: Take the demo's recipe, of minutes, for each setting that is not given.
        overwrite: Begin anew where another run's model is.
    """
    from lits_toolkit.models.catalogue import build_model
    from lits_toolkit.study.training import train_in_study
    from lits_toolkit.study.workspace import Workspace

    study = Workspace(workspace).require()
    build_model(settings.model)
    if quick:
        replaced = [name for name, value in vars(TrainSettings()).items() if value != vars(QUICK)[name]]
        print("--quick: " + ", ".join(f"{name} {vars(settings)[name]}" for name in replaced))
    folder = train_in_study(study, settings, overwrite, tell=print)
    _print_training(folder, settings)


def _print_training(folder: Path, settings: TrainSettings) -> None:
    """Which weights a run has left, and why it ended."""
    from lits_toolkit.files import read_json
    from lits_toolkit.models.storage import DESCRIPTION
    from lits_toolkit.training.record import TRAIN, phase_rows, read_history

    model = read_json(folder / DESCRIPTION)
    epochs = len(phase_rows(read_history(folder), TRAIN))
    if epochs < settings.epochs:
        print(f"Ended after {epochs} of {settings.epochs} epochs: no lower validation loss in the last "
              f"{settings.stop_after}")  # fmt: skip
    kept = f"epoch {model['best_epoch']}" if model["phase"] == TRAIN else "the average of the last epochs"
    print(f"{settings.stage} model in {folder}: {kept}, validation loss {model['validation_loss']:.4f}")
    if model["dice"]:
        groups = ", ".join(
            f"{group} {figure(model['dice'][f'dice_{group}'])}" for group in ("small", "medium", "large")
        )
        sizes = f"; by tumour size {groups}" if settings.stage == "tumor" else ""
        where = "" if settings.stage == "liver" else f" inside the liver of {settings.liver}"
        print(f"Dice of the whole validation cases{where}: {figure(model['dice']['dice_per_case'])} per case{sizes}")
