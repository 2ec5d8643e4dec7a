"""Which cases a folder holds, by its files' names alone."""

import re
from pathlib import Path

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.errors import InputError

_ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)


def find_cases(folder: str | Path) -> list[CaseFiles]:
    """The cases of a cohort in the LiTS layout or of plain NIfTI files, in natural order; reads no voxels.

    `folder` is searched with all below it: `volume-N.nii[.gz]` and `test-volume-N` with `segmentation-N` wherever
    it lies; any other `NAME.nii[.gz]` is a CT, with `segmentation-NAME` as its mask. One file is one case.
    Raises InputError where nothing is found, or two files claim one name.
    """
    folder = Path(folder)
    if folder.is_file():
        return [_single(folder)]
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist: expected a folder of CT volumes, or one NIfTI file")
    volumes: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not _ENDING.search(path.name) or not path.is_file():
            continue
        stem = _ENDING.sub("", path.name)
        kind = masks if "segmentation-" in stem else volumes
        if stem in kind:
            raise InputError(f"two files claim the name {stem}: {kind[stem]} and {path}; keep one of them")
        kind[stem] = path
    if not volumes:
        raise InputError(f"no CT volume in {folder}: looked for volume-N.nii[.gz] and other NIfTI files, at any depth")
    return [CaseFiles(stem, volumes[stem], masks.get(_mask_stem(stem))) for stem in sorted(volumes, key=_natural)]


def _single(path: Path) -> CaseFiles:
    if not _ENDING.search(path.name):
        raise InputError(f"expected a NIfTI file (.nii or .nii.gz), found {path}")
    stem = _ENDING.sub("", path.name)
    beside = (path.with_name(_mask_stem(stem) + ending) for ending in (".nii.gz", ".nii"))
    return CaseFiles(stem, path, next((mask for mask in beside if mask.is_file()), None))


def _mask_stem(stem: str) -> str:
    return stem.replace("volume-", "segmentation-", 1) if "volume-" in stem else f"segmentation-{stem}"


def _natural(stem: str) -> list[tuple[int, int, str]]:
    """Sort volume-2 before volume-10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", stem)]
