"""Runtimes, windows over a volume, the cascade, files in and files out."""

import os
import sys

# OpenVINO reports its import to its maker, NNCF each call, and both write into the user's home, unless this is missing:
# they are made for that. The refusal that is documented is a file in that home.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
# ONNX Runtime reports, and writes there, likewise since 1.29; read when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
