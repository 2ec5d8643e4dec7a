"""Every figure and table that the notebooks make: in which one, into which file, and what has to be there for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lits_toolkit.errors import SettingError, nearest
from lits_toolkit.models.encoders import encoders
from lits_toolkit.report.needs import COHORT, MODELS, PREDICTIONS, RESULTS, SCORES, Need
from lits_toolkit.report.notebooks import Parameter, notebook_folder, read_parameters


@dataclass(frozen=True)
class Exhibit:
    """A figure or a table that `lits figures` can make."""

    name: str
    notebook: str
    """The notebook that draws it, without ".ipynb"."""
    file: str
    """The picture (.png), or the table as it is printed (.md), in the folder of figures."""
    shows: str
    needs: tuple[Need, ...]
    of: tuple[str, ...] = ()
    """What of the dissertation it is: "Figure 3.2", "Table 4.6"."""
    reads: tuple[Need, ...] = ()
    """What it takes besides, where that is there."""

    @property
    def is_table(self) -> bool:
        """Whether it is text."""
        return self.file.endswith(".md")

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What `-p` takes: those of its notebook, without the places that `lits figures` gives."""
        known = read_parameters(notebook_folder() / f"{self.notebook}.ipynb")
        return {name: each for name, each in known.items() if name not in ("workspace", "figures")}

    @property
    def told(self) -> str:
        """What it shows, and what of the dissertation that is."""
        return f"{self.shows} ({', '.join(self.of)})" if self.of else self.shows


def _from(notebook: str, needs: tuple[Need, ...], *exhibits: tuple, reads: tuple[Need, ...] = ()) -> list[Exhibit]:
    """The exhibits of a notebook, each as name, file, shows, and what of the dissertation it is."""
    return [Exhibit(name, notebook, file, shows, needs, tuple(of), reads) for name, file, shows, *of in exhibits]


_ENCODER_TABLES = [(name, encoder.table.removeprefix("A.")) for name, encoder in encoders().items()]

EXHIBITS = (
    *_from(
        "00_start_here",
        (COHORT, PREDICTIONS, SCORES),
        ("start-prediction", "00_prediction.png", "what was found in a case"),
        ("start-fates", "00_hits_and_misses.png", "hits, misses and false alarms in three cases"),
    ),
    *_from(
        "01_data",
        (COHORT.unless("data"),),
        ("slices", "01_slices.png", "axial slices with their reference masks"),
        ("slice-and-mask", "01_slice_and_mask.png", "a slice and its mask", "Figure 1.1"),
        ("label-counts", "01_label_counts.png", "voxels per label", "Figure 3.7"),
        ("size-groups", "01_size_groups.png", "tumours per size group", "Figure 4.4"),
        ("tissue-hu", "01_tissue_hu.png", "HU of tissues beside the dissertation's", "Table 2.1"),
        ("challenges", "01_challenges.png", "what makes tumours hard to find", "Figure 3.6"),
        ("table-2.1", "01_table_2_1.md", "HU of tissues", "Table 2.1"),
        ("table-4.1", "01_table_4_1.md", "the size groups", "Table 4.1"),
        ("tables-a.1-a.2", "01_table_a.md", "tumours of each volume", "Table A.1", "Table A.2"),
    ),
    *_from(
        "02_preparation_and_augmentation",
        (COHORT,),
        ("preparation", "02_preparation.png", "a slice before and after preparing"),
        ("augmentation", "02_augmentation.png", "a slice under each transformation", "Figure 3.2"),
        ("table-3.1", "02_table_3_1.md", "ranges of augmentation", "Table 3.1"),
    ),
    *_from(
        "03_networks_and_their_cost",
        (),
        ("pipeline", "03_pipeline.png", "from a CT to its mask", "Figure 3.1"),
        ("cascade", "03_cascade.png", "the cascade", "Figure 2.11"),
        (
            "residual-and-excitation",
            "03_residual_and_excitation.png",
            "residuals and gates",
            "Figure 2.4",
            "Figure 2.5",
        ),
        ("inverted-residual", "03_inverted_residual.png", "inverted residuals of MobileNet-V2 and V3", "Figure 2.8"),
        ("shufflenet", "03_shufflenet.png", "blocks of ShuffleNet-V2", "Figure 2.10"),
        ("dsts", "03_dsts.png", "the depthwise spatiotemporal separate block", "Figure 2.6"),
        ("network", "03_network.png", "a network as a U", "Figure 2.7", "Figure 3.3"),
        ("encoders", "03_encoders.png", "the encoder in 2D and 3D", "Figure 3.4"),
        ("costs", "03_costs.png", "parameters and multiply-accumulates of the networks"),
        ("table-4.2", "03_table_4_2.md", "parameters and FLOPs, 2D", "Table 4.2"),
        ("table-4.3", "03_table_4_3.md", "parameters and FLOPs, 3D", "Table 4.3"),
        *(
            (f"table-a.{number}", f"03_table_a_{number}.md", f"the encoder of {name}", f"Table A.{number}")
            for name, number in _ENCODER_TABLES
        ),
        reads=(COHORT, PREDICTIONS),
    ),
    *_from(
        "04_training",
        (COHORT, MODELS),
        ("training", "04_training_curves.png", "losses and validation Dice per epoch"),
        ("lookahead", "04_lookahead.png", "Lookahead's fast and slow weights", "Figure 3.5"),
    ),
    *_from(
        "05_browse_predictions",
        (COHORT, PREDICTIONS),
        ("prediction", "05_prediction.png", "reference and prediction through one case"),
    ),
    *_from(
        "06_results_by_tumor_size",
        RESULTS,
        ("dice-per-case", "06_dice_per_case.png", "tumour Dice by mean tumour size", "Figure 4.1", "Figure 4.2"),
        ("errors-per-case", "06_errors_per_case.png", "VOE, RVD and ASSD by mean tumour size"),
        ("dice-by-size-group", "06_dice_by_size_group.png", "tumour Dice by size group"),
        ("detection", "06_detection.png", "tumours found and false alarms by size group"),
        ("froc", "06_froc.png", "tumours found against false alarms, from probabilities"),
        ("contrast", "06_contrast.png", "Dice of each tumour against its size and contrast"),
        ("hits-and-misses", "06_hits_and_misses.png", "hits, misses and false alarms, from the worst case to the best"),
        ("hard-large-tumor", "06_hard_large_tumor.png", "the large tumour that is hardest to segment", "Figure 4.3"),
    ),
    *_from(
        "07_comparing_models",
        RESULTS,
        ("dice-against-cost", "07_dice_against_cost.png", "Dice against cost, with the Pareto front"),
        ("layouts", "07_layouts.png", "the layouts of a network in the same slices", "Figure 4.5"),
        ("best-networks", "07_best_networks.png", "the best networks in the same slices", "Figure 4.6"),
        ("table-4.6", "07_table_4_6.md", "tumour Dice by size group, 2D", "Table 4.6"),
        ("table-4.7", "07_table_4_7.md", "tumour Dice by size group, 3D", "Table 4.7"),
        ("table-4.8", "07_table_4_8.md", "the LiTS challenge", "Table 4.8"),
        reads=(MODELS,),
    ),
    *_from(
        "08_efficiency",
        (COHORT,),
        ("prediction-times", "08_prediction_times.png", "seconds to predict a slice", "Figure 4.7"),
        ("part-times", "08_part_times.png", "where a network's time goes, beside the floor"),
        ("int8", "08_int8.png", "Dice by size group in each runtime"),
        ("tuning", "08_tuning.png", "Dice of the validation cases over the thresholds"),
        ("table-4.4", "08_table_4_4.md", "seconds per slice, 2D", "Table 4.4"),
        ("table-4.5", "08_table_4_5.md", "seconds per slice, 3D", "Table 4.5"),
        reads=(MODELS,),
    ),
    *_from(
        "09_concepts",
        (),
        ("convolution-2d", "09_convolution_2d.png", "a 2D convolution", "Figure 2.1"),
        ("convolution-3d", "09_convolution_3d.png", "a 3D convolution", "Figure 2.1"),
        ("spatially-separable", "09_spatially_separable.png", "a spatially separable convolution", "Figure 2.2"),
        ("depthwise-separable", "09_depthwise_separable.png", "a depthwise separable convolution", "Figure 2.3"),
        ("table-2.2", "09_convolution_weights.md", "parameters of convolutions", "Table 2.2"),
        ("squeeze-excitation", "09_squeeze_excitation.png", "squeeze-and-excitation in numbers"),
        ("channel-shuffle", "09_channel_shuffle.png", "the channel shuffle", "Figure 2.9"),
        ("activations", "09_activations.png", "activation functions and their derivatives", "Figure 2.12"),
        ("losses", "09_losses.png", "losses against what is found of an object"),
        ("lookahead-gain", "09_lookahead_gain.png", "SGD with and without Lookahead"),
    ),
)

ONLY_WITH = {"froc": ("probabilities", "FOLDER"), "int8": ("int8", "true"), "tuning": ("tune", "true")}
"""By name: the parameter without which it is not made, and what that parameter is."""


def find_exhibits(names: tuple[str, ...] | list[str] | None = None) -> list[Exhibit]:
    """Figures and tables by their own or their file's name, or those of whole notebooks; all without names.

    Raises SettingError, with the nearest name and all that there are, for one that is neither.
    """
    if not names:
        return list(EXHIBITS)
    asked = {_plain(name) for name in names}
    known = {name for entry in EXHIBITS for name in _names(entry)}
    for name in sorted(asked - known):
        names_known = ", ".join(entry.name for entry in EXHIBITS)
        notebooks = ", ".join(dict.fromkeys(entry.notebook for entry in EXHIBITS))
        raise SettingError(
            f"no figure, table or notebook is called {name!r}; {nearest(name, sorted(known))}. "
            f"Figures and tables: {names_known}. Notebooks: {notebooks}"
        )
    return [entry for entry in EXHIBITS if asked & _names(entry)]


def require_parameters(names: Sequence[str], given: Mapping[str, Any]) -> None:
    """SettingError where a figure is asked for by its own name without the parameter that it is drawn from."""
    asked = {_plain(name) for name in names}
    for entry in EXHIBITS:
        parameter, value = ONLY_WITH.get(entry.name, ("", ""))
        if asked & (_names(entry) - {entry.notebook}) and parameter and not given.get(parameter):
            raise SettingError(f"{entry.name} is drawn from {parameter}: give -p {parameter}={value}")


def _plain(name: str) -> str:
    return Path(name).stem if Path(name).suffix in (".png", ".pdf", ".md", ".csv", ".ipynb") else name


def _names(entry: Exhibit) -> set[str]:
    return {entry.name, entry.notebook, Path(entry.file).stem}
