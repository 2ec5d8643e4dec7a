"""Every figure that the notebooks draw: in which one, into which file, and what has to be there for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lits_toolkit.errors import SettingError, nearest
from lits_toolkit.study.workspace import RUN, Workspace


@dataclass(frozen=True)
class Need:
    """Something that has to be in the workspace, and the command that makes it."""

    name: str
    is_met: Callable[[Workspace, Mapping[str, Any]], bool]
    """Of a workspace and the parameters that are given to the notebooks."""
    command: str

    def unless(self, *parameters: str) -> "Need":
        """Likewise, but met where all these parameters are given: what they name is taken instead."""
        return replace(
            self, is_met=lambda workspace, given: all(map(given.get, parameters)) or self.is_met(workspace, given)
        )


COHORT = Need("a cohort", lambda workspace, _: workspace.exists, "lits prepare")
MODELS = Need(
    "a trained model", lambda workspace, _: any(workspace.models(stage) for stage in ("liver", "tumor")), "lits train"
)
PREDICTIONS = Need(
    "predictions", lambda workspace, given: workspace.predictions(given.get("run") or RUN).is_dir(), "lits predict"
)
SCORES = Need(
    "scores", lambda workspace, given: workspace.scores_folder(given.get("run") or RUN).is_dir(), "lits evaluate"
)
_RESULTS = (COHORT.unless("predictions", "references"), PREDICTIONS.unless("predictions"), SCORES.unless("predictions"))
"""Of a notebook that takes folders of masks instead of a run, too."""


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
    only_with: str = ""
    """The parameter without which it is not drawn."""
    value: str = "FOLDER"
    """What that parameter is, for messages."""


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
        "lookahead",
        "04_training",
        "04_lookahead.png",
        "Lookahead's fast and slow weights, as in Figure 3.5",
        (COHORT, MODELS),
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
        _RESULTS,
    ),
    FigureEntry(
        "errors-per-case",
        "06_results_by_tumor_size",
        "06_errors_per_case.png",
        "VOE, RVD and ASSD by mean tumour size",
        _RESULTS,
    ),
    FigureEntry(
        "dice-by-size-group",
        "06_results_by_tumor_size",
        "06_dice_by_size_group.png",
        "tumour Dice by size group, as in Tables 4.6 and 4.7",
        _RESULTS,
    ),
    FigureEntry(
        "detection",
        "06_results_by_tumor_size",
        "06_detection.png",
        "tumours found and false alarms by size group",
        _RESULTS,
    ),
    FigureEntry(
        "froc",
        "06_results_by_tumor_size",
        "06_froc.png",
        "tumours found against false alarms, from probabilities",
        _RESULTS,
        only_with="probabilities",
    ),
    FigureEntry(
        "contrast",
        "06_results_by_tumor_size",
        "06_contrast.png",
        "Dice of each tumour against its size and contrast",
        _RESULTS,
    ),
    FigureEntry(
        "hits-and-misses",
        "06_results_by_tumor_size",
        "06_hits_and_misses.png",
        "hits, misses and false alarms, after Figures 4.5 and 4.6",
        _RESULTS,
    ),
    FigureEntry(
        "prediction-times",
        "08_efficiency",
        "08_prediction_times.png",
        "seconds to predict a slice, as in Figure 4.7",
        (COHORT,),
    ),
    FigureEntry(
        "part-times", "08_efficiency", "08_part_times.png", "where a network's time goes, beside the floor", (COHORT,)
    ),
    FigureEntry(
        "int8",
        "08_efficiency",
        "08_int8.png",
        "Dice by size group in each runtime",
        (COHORT,),
        only_with="int8_file",
        value="FILE",
    ),
    FigureEntry(
        "tuning",
        "08_efficiency",
        "08_tuning.png",
        "Dice of the validation cases over the thresholds",
        (COHORT,),
        only_with="tune",
        value="true",
    ),
    FigureEntry(
        "pipeline", "03_networks_and_their_cost", "03_pipeline.png", "from a CT to its mask, as in Figure 3.1", ()
    ),
    FigureEntry("cascade", "03_networks_and_their_cost", "03_cascade.png", "the cascade, after Figure 2.11", ()),
    FigureEntry(
        "residual-and-excitation",
        "03_networks_and_their_cost",
        "03_residual_and_excitation.png",
        "residual connections and squeeze-and-excitation, as in Figures 2.4 and 2.5",
        (),
    ),
    FigureEntry(
        "inverted-residual",
        "03_networks_and_their_cost",
        "03_inverted_residual.png",
        "inverted residuals of MobileNet-V2 and V3, as in Figure 2.8",
        (),
    ),
    FigureEntry(
        "shufflenet",
        "03_networks_and_their_cost",
        "03_shufflenet.png",
        "blocks of ShuffleNet-V2, as in Figure 2.10",
        (),
    ),
    FigureEntry(
        "dsts",
        "03_networks_and_their_cost",
        "03_dsts.png",
        "the depthwise spatiotemporal separate block, as in Figure 2.6",
        (),
    ),
    FigureEntry(
        "network", "03_networks_and_their_cost", "03_network.png", "a network as a U, as in Figures 2.7 and 3.3", ()
    ),
    FigureEntry(
        "encoders", "03_networks_and_their_cost", "03_encoders.png", "the encoder in 2D and 3D, as in Figure 3.4", ()
    ),
    FigureEntry(
        "costs",
        "03_networks_and_their_cost",
        "03_costs.png",
        "parameters and work of the networks, of Tables 4.2 and 4.3",
        (),
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


def require_parameters(names: Sequence[str], given: Mapping[str, Any]) -> None:
    """SettingError where a figure is asked for by its own name without the parameter that it is drawn from."""
    asked = {name.removesuffix(".png") for name in names}
    for entry in FIGURES:
        if asked & (_names(entry) - {entry.notebook}) and entry.only_with and not given.get(entry.only_with):
            raise SettingError(f"{entry.name} is drawn from {entry.only_with}: give -p {entry.only_with}={entry.value}")


def _names(entry: FigureEntry) -> set[str]:
    return {entry.name, entry.notebook, entry.file.removesuffix(".png")}
