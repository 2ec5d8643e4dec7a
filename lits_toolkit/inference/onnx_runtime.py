"""ONNX: a network as a file that many programs read, and ONNX Runtime on it."""

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lits_toolkit.errors import require_extra
from lits_toolkit.models.cost import input_shape
from lits_toolkit.models.machine import usable_threads

if TYPE_CHECKING:
    from lits_toolkit.inference.runtimes import Run
    from lits_toolkit.models.network import Network
    from lits_toolkit.models.storage import Model

OPSET = 18


def to_onnx(network: "Network", size: int, metadata: dict[str, str] | None = None) -> bytes:
    """The content of an ONNX file: images to the probability of the second class, as `openvino_runtime.to_openvino`.

    y and x are of one `size`, batches of any. SettingError where the extra is not installed.
    """
    for library in ("onnx", "onnxscript"):
        require_extra(library, "export")
    import torch

    from lits_toolkit.models.probability import probability_network

    example = torch.zeros((2, *input_shape(network.dimensions, size)[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own parts
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            probability_network(network),
            (example,),
            input_names=["image"],
            output_names=["probability"],
            opset_version=OPSET,
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=4096)}},
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        proto = program.model_proto
    for key, value in (metadata or {}).items():
        proto.metadata_props.add(key=key, value=value)
    content: bytes = proto.SerializeToString()
    return content


def run_onnx(model: "Model") -> "Run":
    """What runs a model in ONNX Runtime; it is translated once for each size of image that comes.

    That takes torch's exporter a quarter of a minute; the file that `lits export` has left is taken where there is one.
    SettingError where the extra is not installed.
    """
    for library in ("onnx", "onnxscript", "onnxruntime"):
        require_extra(library, "export")
    from lits_toolkit.inference.export import read_exported_onnx

    sessions: dict[int, Any] = {}

    def run(windows: np.ndarray) -> np.ndarray:
        size = windows.shape[-1]
        if size not in sessions:
            exported = read_exported_onnx(model) if size == model.size else None
            sessions[size] = open_onnx(exported or to_onnx(model.network, size))
        found: np.ndarray = sessions[size].run(["probability"], {"image": windows})[0]
        return found

    return run


def open_onnx(content: bytes) -> Any:
    """A session of ONNX Runtime on the CPU; from bytes, so that a file can name no other files, and without custom
    operations, so that it can bring no code.

    Its threads sleep when they have nothing to do: by default they spin, and take the processor from other processes.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
