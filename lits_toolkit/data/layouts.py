"""Which cases a folder holds, by the names of its files and folders, and the heads of DICOM files.

Each layout is told by what lies in one folder, so that a tree may mix them:

    volume-N.nii[.gz], segmentation-N.nii[.gz]                    LiTS
    NAME.nii[.gz], segmentation-NAME.nii[.gz]                     plain NIfTI
    images{Tr,Ts}/NAME.nii.gz, labels{Tr,Ts}/NAME.nii.gz          Medical Segmentation Decathlon
    images{Tr,Ts}/NAME_0000.nii.gz, labels{Tr,Ts}/NAME.nii.gz     nnU-Net
    NAME/PATIENT_DICOM[.zip], NAME/MASKS_DICOM[.zip]              3D-IRCADb-01, also within a zip file
    NAME/ with DICOM slices, and a DICOM-SEG where there is one   DICOM
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.decathlon import LABELS_OF, image_cases
from lits_toolkit.data.folders import natural, walk
from lits_toolkit.data.ircadb import VOLUME, is_patient, patient_in_folder, patients_in_zip
from lits_toolkit.data.nifti import find_nifti, is_nifti, without_ending
from lits_toolkit.data.series import series_cases
from lits_toolkit.errors import InputError

PREDICTED, PROBABILITIES = "predictions.json", "probabilities"
"""What `lits predict` leaves beside its masks: by which models and settings they were made, by which they are told from
an expert's; and a folder below them."""


def find_cases(place: str | Path) -> list[CaseFiles]:
    """The cases of a cohort in natural order, in any of the layouts above, at any depth; reads no voxels.

    `place` is a cohort's folder or one in it, a NIfTI file, or a zip file of 3D-IRCADb-01. A mask named by LiTS's rule
    may lie anywhere in the cohort, but for folders that `lits predict` has written. Of several CT series in one folder
    each is a case; scout views and other modalities are none. InputError where nothing is found, where two files claim
    one name, or where a dataset.json says that the masks are not of liver and tumours.
    """
    place = Path(place)
    if place.is_file():
        return _cases_of_file(place)
    if not place.is_dir():
        raise InputError(f"{place} does not exist: expected a folder of CT volumes, or one NIfTI file")
    if place.name == VOLUME:
        return [patient_in_folder(place.parent)]
    cases: list[CaseFiles] = []
    zipped: list[CaseFiles] = []
    series: list[CaseFiles] = []
    masks: list[tuple[str, Path]] = []
    for folder, folders, names in walk(place):
        if PREDICTED in names and folder != place:
            folders.clear()
            continue
        if PREDICTED in names and PROBABILITIES in folders:
            folders.remove(PROBABILITIES)
        paths = [folder / name for name in names]
        if is_patient(folders, names):
            cases.append(patient_in_folder(folder))
            folders.clear()
            continue
        nifti = [path for path in paths if is_nifti(path)]
        if folder.name in LABELS_OF:
            cases += image_cases(folder, nifti)
        elif folder.name not in LABELS_OF.values():
            masks += [(without_ending(path.name), path) for path in nifti if "segmentation-" in path.name]
            volumes = [path for path in nifti if "segmentation-" not in path.name]
            cases += [CaseFiles(without_ending(path.name), path) for path in volumes]
        zips = [path for path in paths if path.suffix.lower() == ".zip"]
        zipped += [case for path in zips for case in patients_in_zip(path)]
        series += series_cases(folder, [path for path in paths if not is_nifti(path) and path not in zips])
    extracted = {case.name for case in cases}
    cases += [case for case in zipped if case.name not in extracted] + _by_whole_path(series, place)
    if not cases:
        raise InputError(
            f"no CT volume in {place}: looked for volume-N.nii[.gz] and other NIfTI files, for DICOM series, and for "
            "the layouts of the Decathlon, nnU-Net and 3D-IRCADb-01, at any depth"
        )
    by_name = _unique(masks)
    _unique((case.name, case.volume) for case in cases)
    with_masks = (replace(case, reference=case.reference or by_name.get(_mask_stem(case.name))) for case in cases)
    return sorted(with_masks, key=lambda case: natural(case.name))


def _cases_of_file(path: Path) -> list[CaseFiles]:
    if is_nifti(path) and path.parent.name in LABELS_OF:
        return image_cases(path.parent, [path])
    if is_nifti(path):
        stem = without_ending(path.name)
        return [CaseFiles(stem, path, find_nifti(path.with_name(_mask_stem(stem))))]
    cases = patients_in_zip(path) if path.suffix.lower() == ".zip" else []
    if not cases:
        raise InputError(
            "expected a NIfTI file (.nii or .nii.gz), a folder of DICOM slices, or a zip file of 3D-IRCADb-01, "
            f"found {path}"
        )
    return sorted(cases, key=lambda case: natural(case.name))


def _by_whole_path(series: list[CaseFiles], root: Path) -> list[CaseFiles]:
    """The same DICOM cases, named by the way from `root` where folders share a name, as `anna/CT` and `ben/CT` do."""
    alike = Counter(folder.name for folder in {case.volume for case in series})
    return [
        replace(case, name="-".join(case.volume.relative_to(root).parts) + case.name.removeprefix(case.volume.name))
        if alike[case.volume.name] > 1 and case.volume != root
        else case
        for case in series
    ]


def _unique(named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """By name; InputError at the second of one name. Series of one folder have names of their own already."""
    found: dict[str, Path] = {}
    for name, path in named:
        if name in found:
            raise InputError(f"two files claim the name {name}: {found[name]} and {path}; keep one of them")
        found[name] = path
    return found


def _mask_stem(stem: str) -> str:
    return stem.replace("volume-", "segmentation-", 1) if "volume-" in stem else f"segmentation-{stem}"
