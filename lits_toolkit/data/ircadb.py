"""3D-IRCADb-01: one folder of DICOM slices per structure, joined to one mask.

https://www.ircad.fr/research/data-sets/liver-segmentation-3d-ircadb-01
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from lits_toolkit.data.case import LIVER, TUMOR, CaseFiles, Grid, Note, Stored
from lits_toolkit.data.dicom import read_slices, read_slices_grid, stack
from lits_toolkit.data.folders import Entry, opened
from lits_toolkit.errors import GeometryError, InputError

VOLUME, MASKS = "PATIENT_DICOM", "MASKS_DICOM"


def is_ircadb_masks(place: Path) -> bool:
    """Whether a path is that of a patient's masks, a folder or a zip file."""
    return place.name in (MASKS, f"{MASKS}.zip")


def is_patient(folders: Sequence[str], files: Sequence[str]) -> bool:
    """Whether a folder that holds these is a patient's."""
    return VOLUME in folders or f"{VOLUME}.zip" in files


def patient_in_folder(folder: Path) -> CaseFiles:
    """The case of a folder that has PATIENT_DICOM, as a folder or a zip file."""

    def inside(name: str) -> Path | None:
        return next((folder / form for form in (name, f"{name}.zip") if (folder / form).exists()), None)

    volume = inside(VOLUME)
    assert volume is not None
    return CaseFiles(folder.resolve().name, volume, inside(MASKS))


def patients_in_zip(path: Path) -> list[CaseFiles]:
    """The patients in a zip file, as folders or as zip files in it; none for a zip file of something else."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected a zip file, found none that can be read ({error})") from error
    places: dict[PurePosixPath, None] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        places |= {PurePosixPath(*parts[: at + 1]): None for at, part in enumerate(parts) if _is_part(part)}
    volumes = [place for place in places if place.name.startswith(VOLUME)]
    masks = {place.parent: place for place in places if place.name.startswith(MASKS)}
    return [
        CaseFiles(
            volume.parent.name or path.stem,
            path / volume,
            path / masks[volume.parent] if volume.parent in masks else None,
        )
        for volume in volumes
    ]


def _is_part(name: str) -> bool:
    return name.removesuffix(".zip") in (VOLUME, MASKS)


def read_ircadb_masks(place: str | Path) -> Stored:
    """The masks of one patient joined: `liver` and `livercyst…` are 1, `livertumor…` 2, all else is left out.

    InputError where there is no mask of the liver, GeometryError where masks lie on different grids.
    """
    place = Path(place)
    with opened(place) as entries:
        structures = _structures(entries, place)
        grid: Grid | None = None
        notes: list[Note] = []
        for name in sorted(structures, key=_label):
            part = stack(read_slices(structures[name], place), place / name)
            if grid is None:
                first, grid, voxels = name, part.grid, np.zeros(part.voxels.shape, np.uint8)
            elif part.grid.shape != grid.shape or not np.allclose(part.grid.affine, grid.affine, atol=1e-3):
                raise GeometryError(f"{place}: {name} lies on a grid other than {first}'s")
            voxels[part.voxels != 0] = _label(name)
            notes += part.notes
    assert grid is not None
    return Stored(voxels, grid, place, tuple(notes))


def read_ircadb_masks_grid(place: str | Path) -> Grid:
    """The voxel grid of a patient's masks, which is the liver's."""
    place = Path(place)
    with opened(place) as entries:
        return read_slices_grid(_structures(entries, place)["liver"], place)


def _structures(entries: list[Entry], place: Path) -> dict[str, list[Entry]]:
    """The files of each mask of the liver and what is in it, by the name of their folder."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        name = PurePosixPath(entry.name).parent.name.lower()
        if _label(name):
            found.setdefault(name, []).append(entry)
    if "liver" not in found:
        raise InputError(f"{place}: expected a folder `liver` of DICOM slices, found {', '.join(found) or 'none'}")
    return found


def _label(structure: str) -> int:
    """The label of a structure in a mask; cysts are not tumours, but liver.

    Examples:
        >>> [_label(name) for name in ("liver", "livertumor03", "livercyst", "livertumors", "leftkidney")]
        [1, 2, 1, 2, 0]
    """
    if structure.startswith("livertumo"):
        return TUMOR
    return LIVER if structure == "liver" or structure.startswith(("livercyst", "liverkyst")) else 0
