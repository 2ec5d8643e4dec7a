"""The static picture that stands where no kernel is: in a reopened notebook, a PDF, a preview."""

import os
import sys
from typing import Any

from lits_toolkit.figures.drawn import Drawn, png_bytes

UNTIL_LIVE = """<span class="lits-until-live"></span><style>
.jp-OutputArea-child:has(.lits-until-live),
.jp-OutputArea-child:has(.lits-until-live) + .jp-OutputArea-child:not(.lits-live),
.jp-OutputArea-child:has(.lits-until-live) + .jp-OutputArea-child.lits-live + .jp-OutputArea-child
{ display: none; }
</style>"""
"""An output of only this: of the two outputs after it, browser and picture, the browser shows once it is live.

The slice browser marks its output when it draws its first slice; the mark stays when another case takes its place.
"""

_MOST_BYTES = 500_000


def still_png(drawn: Drawn) -> bytes:
    """The picture as PNG, small enough to be kept in a notebook."""
    return png_bytes(drawn, _MOST_BYTES)


def with_picture(bundle: Any, picture: bytes, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A widget's mime bundle, as its `_repr_mimebundle_` gives it, with a PNG and a line of text for other readers."""
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    return (data or {}) | {"text/plain": text, "image/png": picture}, metadata


def display_with_picture(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Display a mime bundle of `with_picture` so that a reader without a kernel sees the picture."""
    from IPython.display import display

    if _shows_one_output_best():
        display(data, metadata=metadata, raw=True)
        return
    # JupyterLab prefers the widget to the picture in one output even where the kernel is gone and only an error
    # can be shown (ipympl #16, #473). So the picture is an output of its own, and a style hides what is not needed.
    picture = {"image/png": data["image/png"], "text/plain": f"A picture of {data['text/plain']}"}
    display({"text/html": UNTIL_LIVE, "text/plain": ""}, raw=True)
    display({kind: value for kind, value in data.items() if kind != "image/png"}, metadata=metadata, raw=True)
    display(picture, raw=True)


def _shows_one_output_best() -> bool:
    # VS Code and Colab keep each output in a frame of its own, where one cannot hide the other.
    return "google.colab" in sys.modules or "VSCODE_PID" in os.environ
