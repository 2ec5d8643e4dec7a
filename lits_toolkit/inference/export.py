"""A trained network as a file for other programs, with all that has to be done to a CT before it and after it.

Beside NAME.onnx or NAME.xml lies a JSON of the same name and what it says is inside the file too: under the key
`lits_toolkit` of ONNX's metadata_props or OpenVINO's rt_info.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lits_toolkit.data.sampling import REACH
from lits_toolkit.errors import InputError, OutputError
from lits_toolkit.files import read_json, replacing, write_json
from lits_toolkit.inference.cascade import THRESHOLDS_OF, thresholds_of
from lits_toolkit.models.storage import Model, weights_fingerprint

if TYPE_CHECKING:
    import openvino as ov

ExportFormat = Literal["onnx", "openvino", "int8"]
KEY = "lits_toolkit"
FOLDER = "export"
"""In a model's own."""

COMBINATIONS = {
    "mask": "multiply the normalised CT by the liver (0 or 1)",
    "add": "add the liver (0 or 1) to the normalised CT",
    "none": "leave the normalised CT as it is",
    "centre": "multiply the normalised CT by the liver (0 or 1), then subtract inside the liver the median of the "
    "normalised CT over the liver's voxels of the whole volume; outside it stays 0",
}


def export_model(model: Model, to: ExportFormat, folder: str | Path, overwrite: bool = False) -> Path:
    """Write a model into `folder` as STAGE-NAME.onnx, STAGE-NAME.xml with .bin, or STAGE-NAME-int8.xml with .bin.

    Returns that path. Raises OutputError where it is there already, unless `overwrite`; SettingError where an extra is
    missing; InputError where int8 is asked for and the model has no int8 weights that were accepted.
    """
    path = _path(model, to, folder)
    written = [path, path.with_name(path.name + ".json"), *([] if to == "onnx" else [path.with_suffix(".bin")])]
    taken = [place.name for place in written if place.exists()]
    if taken and not overwrite:
        raise OutputError(f"{folder} already has {', '.join(taken)}: give another folder, or --overwrite")
    document = describe(model)
    if to == "onnx":
        _write_onnx(model, document, path)
    else:
        _write_openvino(model, to, document, path)
    write_json(path.with_name(path.name + ".json"), document)
    return path


def read_exported_onnx(model: Model) -> bytes | None:
    """What `lits export --to onnx` has left in a model's folder; None where there is none of these very weights."""
    if model.folder is None:
        return None
    path = _path(model, "onnx", model.folder / FOLDER)
    try:
        document = read_json(path.with_name(path.name + ".json"))
        return path.read_bytes() if document["weights"] == weights_fingerprint(model.folder) else None
    except (InputError, OSError, KeyError, TypeError):
        return None


def describe(model: Model) -> dict[str, Any]:
    """What another program has to do to a CT before the network and with what comes out of it."""
    three = model.network.dimensions == 3
    reach, size, (low, high) = REACH[model.network.dimensions], model.size, model.window
    own = thresholds_of(model)
    return {
        "model": model.name,
        "stage": model.stage,
        "weights": weights_fingerprint(model.folder) if model.folder else None,
        "input": {
            "name": "image",
            "dtype": "float32",
            "shape": ["batch", 1, reach.seen, size, size] if three else ["batch", reach.seen, size, size],
            "axes": "batch, feature, z, y, x" if three else "batch, z, y, x: adjacent slices are the features",
        },
        "preprocessing": {
            "orientation": "z from feet to head, y from front to back, x from the patient's right to left",
            "window_hu": [low, high],
            "clamp": "HU to window_hu",
            "square": "pad y or x with the lower end of window_hu on both sides alike, an odd pixel behind",
            "size": size,
            "resize": "y and x to size, z stays; where they shrink a pixel is the mean over its area, where they grow "
            "bilinear between pixel centres; then round to whole HU, halves to even",
            "normalise": "(HU - low) / (high - low)",
            "combination": model.combination if model.stage == "tumor" else "none",
            "combine": COMBINATIONS[model.combination if model.stage == "tumor" else "none"],
            "liver_resize": "of a liver mask: a pixel is liver where liver covers at least half of its area",
            "slices_seen": reach.seen,
            "slices_segmented": reach.slices,
            "context": reach.context,
            "starts": "3D blocks begin at slices 0, 4, 8, …" if three else "one window for each slice",
            "beyond_the_ends": "slices of zeros, after normalising and combining",
        },
        "output": {
            "name": "probability",
            "dtype": "float32",
            "shape": ["batch", reach.slices, size, size],
            "meaning": f"probability of {'liver' if model.stage == 'liver' else 'tumour'} in the middle "
            f"{'slices' if three else 'slice'} of each window, 0 to 1",
        },
        "postprocessing": {
            "thresholds": {name: getattr(own, name) for name in THRESHOLDS_OF[model.stage]},
            "liver": "resize back, above the threshold, the largest face-connected component",
            "tumor": "resize back, above the threshold, inside the liver; face-connected components whose highest "
            "probability stays below tumor_component go",
        },
    }


def _path(model: Model, to: ExportFormat, folder: str | Path) -> Path:
    name = f"{model.stage}-{model.name}" + ("-int8" if to == "int8" else "")
    return Path(folder) / f"{name}.{'onnx' if to == 'onnx' else 'xml'}"


def _write_onnx(model: Model, document: dict[str, Any], path: Path) -> None:
    from lits_toolkit.inference.onnx_runtime import to_onnx

    content = to_onnx(model.network, model.size, {KEY: json.dumps(document)})
    with replacing(path) as partial:
        partial.write_bytes(content)


def _write_openvino(model: Model, to: ExportFormat, document: dict[str, Any], path: Path) -> None:
    from lits_toolkit.inference.int8 import read_int8, write_ir
    from lits_toolkit.inference.openvino_runtime import to_openvino

    graph: ov.Model
    if to == "int8":
        stored = read_int8(model)
        if not stored.accepted:
            raise InputError(f"int8 was refused, {stored.told}: export to openvino instead")
        graph = stored.graph
    else:
        graph = to_openvino(model.network)
        shape = document["input"]["shape"][1:]
        graph.reshape([-1, *shape])
    graph.set_rt_info(json.dumps(document), [KEY])
    write_ir(graph, path)
