"""Every figure that the notebooks draw: in which one, into which file, and what has to be there for it."""

from collections.abc import Callable
from dataclasses import dataclass

from lits_toolkit.errors import SettingError
from lits_toolkit.report.notebooks import nearest
from lits_toolkit.study.workspace import Workspace


@dataclass(frozen=True)
class Need:
    """Something that has to be in the workspace, and the command that makes it."""

    name: str
    is_met: Callable[[Workspace, str], bool]
    """Of a workspace and a run's name."""
    command: str


COHORT = Need("a cohort", lambda workspace, _: workspace.exists, "lits prepare")
MODELS = Need(
    "a trained model", lambda workspace, _: any(workspace.models(stage) for stage in ("liver", "tumor")), "lits train"
)
PREDICTIONS = Need("predictions", lambda workspace, run: workspace.predictions(run).is_dir(), "lits predict")
SCORES = Need("scores", lambda workspace, run: workspace.scores_folder(run).is_dir(), "lits evaluate")


@dataclass(frozen=True)
class FigureEntry:
    """A figure that `lits figures` can render."""

    name: str
    notebook: str
    """The notebook that draws it, without ".ipynb"."""
    file: str
    """The picture, in the folder of figures."""
    shows: str
    needs: tuple[Need, ...]


FIGURES = (
    FigureEntry("slices", "01_data", "01_slices.png", "axial slices with their reference masks", (COHORT,)),
    FigureEntry(
        "slice-and-mask", "01_data", "01_slice_and_mask.png", "a slice and its mask, as in Figure 1.1", (COHORT,)
    ),
    FigureEntry("label-counts", "01_data", "01_label_counts.png", "voxels per label, as in Figure 3.7", (COHORT,)),
    FigureEntry("size-groups", "01_data", "01_size_groups.png", "tumours per size group, as in Figure 4.4", (COHORT,)),
    FigureEntry("tissue-hu", "01_data", "01_tissue_hu.png", "HU of tissues beside Table 2.1", (COHORT,)),
    FigureEntry(
        "challenges", "01_data", "01_challenges.png", "what makes tumours hard to find, as in Figure 3.6", (COHORT,)
    ),
    FigureEntry(
        "preparation",
        "02_preparation_and_augmentation",
        "02_preparation.png",
        "a slice before and after preparing",
        (COHORT,),
    ),
    FigureEntry(
        "augmentation",
        "02_preparation_and_augmentation",
        "02_augmentation.png",
        "a slice under each transformation, as in Figure 3.2",
        (COHORT,),
    ),
    FigureEntry(
        "training", "04_training", "04_training_curves.png", "losses and validation Dice per epoch", (COHORT, MODELS)
    ),
    FigureEntry(
        "prediction",
        "05_browse_predictions",
        "05_prediction.png",
        "reference and prediction through one case",
        (COHORT, PREDICTIONS),
    ),
    FigureEntry(
        "dice-per-case",
        "06_results_by_tumor_size",
        "06_dice_per_case.png",
        "tumour Dice by mean tumour size, as in Figures 4.1 and 4.2",
        (COHORT, SCORES),
    ),
    FigureEntry(
        "errors-per-case",
        "06_results_by_tumor_size",
        "06_errors_per_case.png",
        "VOE, RVD and ASSD by mean tumour size",
        (COHORT, SCORES),
    ),
    FigureEntry(
        "dice-by-size-group",
        "06_results_by_tumor_size",
        "06_dice_by_size_group.png",
        "tumour Dice by size group, as in Tables 4.6 and 4.7",
        (COHORT, SCORES),
    ),
    FigureEntry(
        "hits-and-misses",
        "06_results_by_tumor_size",
        "06_hits_and_misses.png",
        "hits, misses and false alarms, after Figures 4.5 and 4.6",
        (COHORT, PREDICTIONS, SCORES),
    ),
)


def find_figures(names: tuple[str, ...] | list[str] | None = None) -> list[FigureEntry]:
    """The entries of figures, by their own or their file's name, or of whole notebooks; all without names.

    Raises SettingError, with the nearest name and all that there are, for one that is neither.
    """
    if not names:
        return list(FIGURES)
    asked = {name.removesuffix(".png").removesuffix(".ipynb") for name in names}
    known = {name for entry in FIGURES for name in _names(entry)}
    for name in sorted(asked - known):
        figures = ", ".join(entry.name for entry in FIGURES)
        notebooks = ", ".join(dict.fromkeys(entry.notebook for entry in FIGURES))
        raise SettingError(
            f"no figure or notebook is called {name!r}; {nearest(name, sorted(known))}. "
            f"Figures: {figures}. Notebooks: {notebooks}"
        )
    return [entry for entry in FIGURES if asked & _names(entry)]


def _names(entry: FigureEntry) -> set[str]:
    return {entry.name, entry.notebook, entry.file.removesuffix(".png")}
