"""Liver-tumour segmentation in CT: from a folder of CT to masks, scores, figures and a slice browser.

The names here are the ones that a notebook begins with; each is imported when it is first used, so that
`import lits_toolkit` costs nothing.
"""

from importlib import import_module
from typing import Any

_PLACES = {
    "Case": "data.case",
    "CaseFiles": "data.case",
    "find_cases": "data.layouts",
    "read_case": "data.reading",
    "read_mask": "data.reading",
    "write_mask": "data.nifti",
    "make_phantom": "data.phantom",
    "check_cases": "data.doctor",
    "prepare": "data.prepare",
    "build_model": "models.catalogue",
    "load_model": "models.storage",
    "predict_cases": "inference.predict",
    "predict_mask": "inference.cascade",
    "evaluate": "study.scores",
    "Workspace": "study.workspace",
    "browse": "viewer",
    "browse_cases": "viewer",
    "browse_study": "viewer",
    "open_workspace": "demo",
    "run_demo": "demo",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"lits_toolkit.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'lits_toolkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
