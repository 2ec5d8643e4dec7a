"""What the doctor can find: one table of codes, with what each means and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lits_toolkit.data.case import Note

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Code:
    """One kind of finding."""

    severity: Severity
    """error: not to be trained or scored on; warning: look at it first; info: worth knowing."""
    meaning: str
    advice: str
    repairable: bool = False
    """Whether there are cases in which `repair_cases` mends it with certainty."""


@dataclass(frozen=True)
class Finding:
    """One thing that is worth knowing before hours of work."""

    case: str
    severity: Severity
    code: str
    message: str
    """What was found, and in which file."""
    advice: str
    """What to do."""


CODES = {
    "unreadable": Code(
        "error", "The file is no readable CT or mask, or it is cut off.", "copy or download the file again"
    ),
    "wrong-rank": Code("error", "The file holds no single 3D volume.", "give one 3D volume per file"),
    "compression": Code(
        "error",
        "The DICOM pixels are compressed in a way that needs a plug-in.",
        "install the plug-in that the message names",
    ),
    "multi-frame": Code(
        "error", "The DICOM file holds an enhanced CT of many frames.", "convert it to NIfTI, for example with dcm2niix"
    ),
    "mixed-slices": Code(
        "error",
        "The DICOM slices of one series differ in size, spacing or orientation.",
        "keep the slices of one kind in the folder",
    ),
    "uneven-slices": Code(
        "error",
        "The DICOM slices do not lie at even distances along one line.",
        "export the series again, or resample it",
    ),
    "conflicting-slices": Code(
        "error",
        "Two DICOM slices that differ lie at one position.",
        "keep those of one reconstruction",
    ),
    "not-finite": Code(
        "error",
        "Voxels are NaN or infinite.",
        "export the CT again; --fix mends it where only padding is affected",
        True,
    ),
    "not-hu": Code(
        "warning",
        "The lowest value is a plateau far above air: the values are windowed, scaled, or lack the intercept.",
        "export the CT again in HU: air is -1000, water 0",
    ),
    "padding": Code(
        "info",
        "Voxels outside the scanner's field have a value below -1024.",
        "nothing need be done, the window hides it; --fix sets it to -1024",
        True,
    ),
    "saturated": Code(
        "info",
        "Many voxels share the highest value: metal or dense bone exceeds what the scanner stores.",
        "nothing need be done, it lies above the window; mind the streaks around metal",
    ),
    "slices-missing": Code(
        "warning",
        "Two neighbouring slices differ as slices several places apart do.",
        "export the series again; every size and distance along z across the gap is wrong",
    ),
    "slices-repeated": Code("warning", "Neighbouring slices are the same.", "export the series again, each slice once"),
    "not-axial": Code(
        "warning",
        "The slices are rotated, oblique, or cut in another plane than the axial one.",
        "resample CT and mask together to axial slices; the networks have seen only those",
    ),
    "no-orientation": Code(
        "warning",
        "The header does not say how the patient lies: no affine, or the identity.",
        "convert it again from the DICOM series; check by eye that the liver is on the image's left",
    ),
    "spacing-implausible": Code(
        "error",
        "With this spacing the body or the liver has a size that no patient has.",
        "convert it again from the DICOM series; --fix takes the spacing from a mask that has kept it",
        True,
    ),
    "liver-left": Code(
        "warning",
        "The liver lies on the patient's left: the file is mirrored (or, in 1 of 10 000, the patient is).",
        "compare with the DICOM series: if heart and stomach are mirrored too, correct the affine of CT and mask",
    ),
    "back-to-front": Code(
        "warning",
        "The spine lies in front: front and back are exchanged.",
        "compare with the DICOM series, and correct the affine of CT and mask",
    ),
    "upside-down": Code(
        "warning",
        "The lungs lie below the liver: head and feet are exchanged.",
        "compare with the DICOM series, and correct the affine of CT and mask",
    ),
    "mask-shape": Code(
        "error",
        "The mask has another number of voxels than the CT.",
        "take the mask that was drawn on this CT; never resample it by guess",
    ),
    "mask-geometry": Code(
        "error",
        "The mask has the CT's number of voxels, but not its affine.",
        "take the mask that was drawn on this CT; --fix mends it where the HU show which of the two is right",
        True,
    ),
    "mask-flipped": Code(
        "error",
        "The mask fits the CT once it is flipped.",
        "flip the mask's voxels back; --fix does so",
        True,
    ),
    "mask-shifted": Code(
        "error", "The mask fits the CT once it is shifted.", "look at it in the browser; take the mask drawn on this CT"
    ),
    "mask-misfit": Code(
        "warning",
        "A part of the mask lies in air, lung or bowel gas.",
        "look at it in the browser: is it this patient's mask?",
    ),
    "labels-not-integer": Code(
        "error",
        "Labels are no integers: the mask was interpolated.",
        "export the mask again with nearest-neighbour resampling",
    ),
    "labels-unknown": Code(
        "error", "Labels other than 0, 1 and 2.", "map the labels to 0 background, 1 liver, 2 tumour"
    ),
    "segments-left-out": Code(
        "info",
        "The segmentation holds more than liver and tumours.",
        "nothing need be done; what is named was left out",
    ),
    "labels-rounded": Code(
        "info",
        "Labels are within a thousandth of an integer, and are rounded when read.",
        "nothing need be done; --fix stores them as integers",
        True,
    ),
    "no-liver": Code(
        "error",
        "No voxel of the mask is liver.",
        "leave the case out, or take the right mask: there is nothing to learn from it",
    ),
    "liver-cut": Code(
        "info",
        "The liver reaches the first or last slice: a part of it was not scanned.",
        "nothing need be done; its volume and the tumour burden are those of the part that is there",
    ),
    "tumor-outside-liver": Code(
        "warning",
        "A lesion touches no liver.",
        "look at it in the browser: a slip of the pen, or a tumour outside the liver, which counts as one inside it",
    ),
    "duplicate": Code(
        "warning",
        "Another case holds the same slices, in any order and orientation.",
        "leave one of the two out, or keep both on the same side of the split",
    ),
}

_OF_A_READER = Code("warning", "A reader's remark that has no entry of its own.", "look at the case before it is used")


def finding(case_name: str, note: Note) -> Finding:
    """The finding that a note of the doctor's, or of a reader's, amounts to."""
    code = CODES.get(note.code, _OF_A_READER)
    return Finding(case_name, code.severity, note.code, note.message, code.advice)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether one of the findings forbids training or scoring on its case."""
    return any(found.severity == "error" for found in findings)
