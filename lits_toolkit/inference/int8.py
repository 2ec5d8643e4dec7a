"""A model's int8 weights: made by NNCF from calibration windows, kept in the model's folder with what they cost."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lits_toolkit.errors import InputError, OutputError, require_extra
from lits_toolkit.files import content_hash, read_json, remove, replacing, write_json
from lits_toolkit.inference.cascade import thresholds_of
from lits_toolkit.inference.openvino_runtime import openvino_core
from lits_toolkit.models.storage import Model, weights_fingerprint

if TYPE_CHECKING:
    import openvino as ov

FOLDER, GRAPH, RECORD = "int8", "model.xml", "int8.json"


@dataclass(frozen=True, eq=False)
class Int8:
    """Int8 weights as they are kept."""

    graph: "ov.Model"
    record: dict[str, Any]
    """int8.json: the fingerprint of the weights they were made of, the thresholds, the Dice of both, the verdict."""

    @property
    def accepted(self) -> bool:
        """Whether their Dice has not dropped by more than is allowed."""
        return bool(self.record["accepted"])

    @property
    def told(self) -> str:
        """The verdict in words."""
        return str(self.record["verdict"])


def quantise(graph: "ov.Model", windows: Sequence[np.ndarray]) -> "ov.Model":
    """Post-training quantisation: activations and weights of convolutions in 8 bits, by what `windows` give rise to.

    `windows` are batches of one, (1, 9, y, x) float32 or (1, 1, 8, y, x). Activations are quantised asymmetrically
    (preset "mixed"), since those of swish are. Both ends stay in fp32: there the image itself goes in, where a tumour
    is few of 256 steps below the liver. Weights take half of their range, since processors without VNNI add two
    products in 16 bits. SettingError where NNCF is not installed.
    """
    require_extra("nncf", "int8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NNCF's own dependencies
        import nncf

        nncf.set_log_level(40)
        from nncf.quantization.advanced_parameters import OverflowFix

        fixed = graph.clone()
        fixed.reshape([-1, *windows[0].shape[1:]])
        return nncf.quantize(
            fixed,
            nncf.Dataset(windows),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(windows),
            fast_bias_correction=True,
            ignored_scope=nncf.IgnoredScope(names=_at_the_ends(fixed)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
        )


def _at_the_ends(graph: "ov.Model") -> list[str]:
    """Names of the first convolution, of the last ones, and of all that comes after these."""

    def convolves(node: "ov.Node") -> bool:
        return "Convolution" in node.get_type_name()

    names = {next(filter(convolves, graph.get_ordered_ops())).get_friendly_name()}
    left: list[ov.Node] = [graph.get_result()]
    while left:
        sources = [value.get_node() for value in left.pop().input_values()]
        computed = [node for node in sources if node.get_type_name() not in ("Constant", "Parameter")]
        names |= {node.get_friendly_name() for node in computed}
        left += [node for node in computed if not convolves(node)]
    return sorted(names)


def store_int8(folder: Path, graph: "ov.Model", record: dict[str, Any]) -> None:
    """Keep int8 weights in a model's folder; the record, without which nobody reads them, comes last."""
    folder = folder / FOLDER
    remove(folder / RECORD)
    write_ir(graph, folder / GRAPH)
    write_json(folder / RECORD, record)


def write_ir(graph: "ov.Model", path: Path) -> None:
    """Write OpenVINO's two files, NAME.xml and NAME.bin; OutputError where that is not possible."""
    import openvino as ov

    with replacing(path.with_suffix(".bin")) as weights, replacing(path) as xml:
        try:
            ov.serialize(graph, xml, weights)
        except RuntimeError as error:
            raise OutputError(f"cannot write {path}: {str(error).splitlines()[-1]}") from error


def read_int8(model: Model) -> Int8:
    """A model's int8 weights; InputError where it has none, they are damaged, or its weights or thresholds changed."""
    record, reason = read_int8_record(model)
    if reason:
        raise InputError(f"{reason}: `lits export --to int8` makes int8 weights")
    path = _graph_path(model)
    try:
        return Int8(openvino_core().read_model(path), record)
    except RuntimeError as error:
        raise InputError(f"{path} is damaged: `lits export --to int8 --overwrite` makes it anew") from error


def why_not_int8(model: Model) -> str:
    """Why `auto` does not try a model's int8 weights; "" where it does."""
    record, reason = read_int8_record(model)
    return reason or ("" if record["accepted"] else str(record["verdict"]))


def int8_fingerprint(model: Model) -> str:
    """A hash of the int8 weights that `auto` may take, by which other ones of the same model are told; "" without."""
    if why_not_int8(model):
        return ""
    path = _graph_path(model)
    files = (each.read_bytes() for each in (path, path.with_suffix(".bin")) if each.is_file())
    return content_hash(b"".join(files))


def _graph_path(model: Model) -> Path:
    assert model.folder is not None
    return model.folder / FOLDER / GRAPH


def read_int8_record(model: Model) -> tuple[dict[str, Any], str]:
    """The record of a model's int8 weights, and why they are of no use; "" where they are."""
    if model.folder is None or not (model.folder / FOLDER / RECORD).is_file():
        return {}, "the model has no int8 weights"
    try:
        record = read_json(model.folder / FOLDER / RECORD)
        made_of, _, _ = record["weights"], record["accepted"], record["verdict"]
    except (InputError, KeyError, TypeError):
        return {}, f"{model.folder / FOLDER / RECORD} is damaged"
    if made_of != weights_fingerprint(model.folder):
        return record, "the model was trained anew since its int8 weights"
    now = vars(thresholds_of(model))
    tuned = record.get("thresholds", now) != now
    return record, "the model was tuned anew since its int8 weights were held against it" if tuned else ""
