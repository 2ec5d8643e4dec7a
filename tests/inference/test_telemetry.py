import os
import subprocess
import sys

PROGRAM = """
import sys
connected = []
events = ("socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda event, arguments: connected.append(arguments) if event in events else None)

import numpy as np
from lits_toolkit.inference.int8 import quantise
from lits_toolkit.inference.openvino_runtime import run_openvino, to_openvino
from lits_toolkit.models.catalogue import build_model

graph = to_openvino(build_model("2d-shufflenet_v2-top").eval())
images = np.zeros((1, 9, 32, 32), np.float32)
run_openvino(graph, "f32")(images)
quantise(graph, [images])

from onnx import TensorProto, helper
from lits_toolkit.inference.onnx_runtime import OPSET, open_onnx

ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "probability")]
sigmoid = helper.make_graph([helper.make_node("Sigmoid", ["image"], ["probability"])], "small", ends[:1], ends[1:])
small = helper.make_model(sigmoid, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
open_onnx(small.SerializeToString()).run(None, {"image": np.zeros(1, np.float32)})
assert {"openvino", "nncf", "onnxruntime"} <= set(sys.modules) and "pytest" not in sys.modules
assert not connected, connected
"""


def test_no_runtime_writes_into_a_users_home_or_reports_to_its_maker(tmp_path):
    """Told by continuous integration's variables, or beside pytest, they would not; a user has neither."""
    hidden = (
        *("CI", "TF_BUILD", "JENKINS_URL", "NNCF_CI", "NNCF_DEV"),
        *("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"),
    )
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    home = tmp_path / "home"
    home.mkdir()
    arguments = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(arguments, env=environment | {"HOME": str(home)}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []
