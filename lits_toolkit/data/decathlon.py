"""The folders of the Medical Segmentation Decathlon, and of nnU-Net, which names them alike.

https://arxiv.org/abs/2106.05735, https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.nifti import find_nifti, without_ending
from lits_toolkit.errors import InputError

LABELS_OF = {"imagesTr": "labelsTr", "imagesTs": "labelsTs"}
"""Where the Decathlon and nnU-Net keep the masks of a folder of CTs."""
_LABEL_WORDS = {1: ("liver",), 2: ("tumo", "cancer", "lesion")}
"""One of these has to be in the name that a dataset.json gives to a label of ours."""


def image_cases(folder: Path, paths: Sequence[Path]) -> list[CaseFiles]:
    """The Decathlon's or nnU-Net's pairs: the latter numbers the channels of an image, of which a CT has one."""
    stems = {without_ending(path.name): path for path in paths}
    for stem, path in stems.items():
        channel = re.fullmatch(r"(.+)_(\d{4})", stem)
        if channel and channel[2] != "0000" and f"{channel[1]}_0000" in stems:
            raise InputError(f"{path}: expected one channel, the CT (_0000), found another")
    labels = folder.parent / LABELS_OF[folder.name]
    names = {stem.removesuffix("_0000"): path for stem, path in stems.items()}
    cases = [CaseFiles(name, path, find_nifti(labels / name)) for name, path in names.items()]
    if any(case.reference for case in cases):
        _require_liver_and_tumor(folder.parent / "dataset.json")
    return cases


def _require_liver_and_tumor(description: Path) -> None:
    """InputError where a dataset.json tells of labels other than 1 liver and 2 tumour: masks of another organ."""
    if not description.is_file():
        return
    try:
        labels = json.loads(description.read_text(encoding="utf-8")).get("labels", {})
        # the Decathlon has {"1": "liver"}, nnU-Net {"liver": 1}, or a list of labels where regions overlap
        pairs = [(key, value) if str(key).isdecimal() else (value, key) for key, value in labels.items()]
        named = {max(number) if isinstance(number, list) else int(number): str(name) for number, name in pairs}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{description} is not readable as the description of a data set: {error}") from error
    strange = [
        f"{number} {name!r}"
        for number, name in named.items()
        if number != 0 and not any(word in name.lower() for word in _LABEL_WORDS.get(number, ()))
    ]
    if strange:
        raise InputError(
            f"{description}: expected the labels 1 liver and 2 tumour, found {', '.join(strange)}: map the masks' "
            "labels first, or take the CTs alone, out of their folder"
        )
