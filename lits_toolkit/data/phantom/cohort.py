"""Cohorts of phantoms on disk, in the LiTS layout: any number at random, or one with LiTS's own tumours."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from rich.progress import track

from lits_toolkit.data.case import CaseFiles, mask_file_name
from lits_toolkit.data.dissertation import dissertation_cohort
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom.case import SLICE_MM, Plan, draw_case
from lits_toolkit.errors import SettingError
from lits_toolkit.files import output_folder, read_json, write_json

PLANS = "phantom.json"
"""Beside the cases: the plans they were drawn by, so that a folder never mixes two cohorts."""
PIXEL_MM = (0.6, 0.95)
"""In-plane, of a cohort like LiTS."""
TUMOR_MM3 = 260e3
"""Volume of all tumours of a case that a liver holds well; slices and pixels become thinner for more voxels."""
SECONDS_PER_CASE, SECONDS_PER_SLICE, BYTES_PER_VOXEL = 1.0, 0.042, 1.25
"""Of drawing on one core, whatever the matrix, and of the compressed file: measured, for `estimate_cohort`."""


@dataclass(frozen=True)
class Estimate:
    """What a cohort takes, about."""

    bytes_on_disk: int
    seconds: float
    """With all the cores of this machine."""


def plan_random(cases: int, seed: int = 0, size: int = 256, slices: int | None = 48) -> list[Plan]:
    """`cases` different patients, volume-0 and on, with a few tumours of each size group by chance."""
    return [Plan(f"volume-{index}", (seed, index), size, slices) for index in range(cases)]


def plan_dissertation(seed: int = 0, size: int = 512) -> list[Plan]:
    """131 cases with the tumours that the dissertation counts in LiTS (Tables A.1 and A.2).

    Each has as many tumours as the table says, and as many tumour voxels but for a few percent; pixels of 0.6 to
    0.95 mm and slices of 0.7 to 5 mm are chosen so that a liver has room for them. The sizes within a case are ours:
    the tables give only their sum.
    """
    plans = []
    for index, counted in enumerate(dissertation_cohort()):
        random = np.random.default_rng([seed, index, 1])
        pixel_mm = random.uniform(*PIXEL_MM)
        if counted.tumor_voxels:
            pixel_mm = min(pixel_mm, max(PIXEL_MM[0], float(np.sqrt(TUMOR_MM3 / counted.tumor_voxels / SLICE_MM[0]))))
        slice_mm = float(np.exp(random.uniform(*np.log(SLICE_MM))))
        if counted.tumor_voxels:
            slice_mm = max(SLICE_MM[0], min(slice_mm, TUMOR_MM3 / counted.tumor_voxels / pixel_mm**2))
        pixel_mm *= 512 / size
        sizes = _share(random, counted.tumor_voxels, counted.tumors)
        plans.append(Plan(counted.name, (seed, index), size, None, sizes, pixel_mm, slice_mm))
    return plans


def estimate_cohort(plans: Sequence[Plan]) -> Estimate:
    """Disk and time that `write_cohort` will take."""
    voxels = sum(plan.size**2 * plan.expected_slices for plan in plans)
    seconds = sum(SECONDS_PER_CASE + plan.expected_slices * SECONDS_PER_SLICE for plan in plans)
    return Estimate(round(voxels * BYTES_PER_VOXEL), seconds / min(cpu_count(), max(1, len(plans))))


def write_cohort(plans: Sequence[Plan], folder: str | Path, n_jobs: int = -1, progress: bool = True) -> list[CaseFiles]:
    """Draw and write each planned case as volume-N.nii.gz and segmentation-N.nii.gz, several at a time.

    A case that is there already is kept, so that an interrupted call goes on where it stopped. Raises SettingError
    where the folder holds phantoms of another seed, size or kind under the same names.
    """
    folder = Path(folder)
    planned = {plan.name: _as_json(plan) for plan in plans}
    record = folder / PLANS
    known = read_json(record) if record.is_file() else {}
    other = [name for name in planned if name in known and known[name] != planned[name]]
    if other:
        found, wanted = known[other[0]], planned[other[0]]
        keys = [key for key in wanted if found.get(key) != wanted[key] and key != "tumors"]
        parts = ", ".join(f"{key} {found.get(key)} instead of {wanted[key]}" for key in keys) or "other tumours"
        raise SettingError(f"{folder} holds phantoms of another cohort: {other[0]} has {parts}; give another folder")
    output_folder(folder)
    write_json(record, known | planned)
    todo = [plan for plan in plans if not all(path.is_file() for path in _places(plan, folder))]
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(_write)(plan, folder) for plan in todo)
    for _ in track(jobs, "drawing", total=len(todo), disable=not progress or not todo):
        pass
    return [CaseFiles(plan.name, *_places(plan, folder)) for plan in plans]


def _write(plan: Plan, folder: Path) -> None:
    case = draw_case(plan)
    assert case.reference is not None
    volume, reference = _places(plan, folder)
    write_volume(case.volume, case.grid, volume, overwrite=True)
    write_mask(case.reference, case.grid, reference, overwrite=True)


def _places(plan: Plan, folder: Path) -> tuple[Path, Path]:
    return folder / f"{plan.name}.nii.gz", folder / mask_file_name(plan.name)


def _as_json(plan: Plan) -> dict[str, object]:
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan).items() if key != "name"
    }


def _share(random: np.random.Generator, voxels: int, tumors: int) -> tuple[int, ...]:
    """Sizes of very different tumours that add up to `voxels`."""
    if tumors == 0:
        return ()
    least = max(1, min(12, voxels // (2 * tumors)))
    weights = np.exp(random.normal(0, 1.1, tumors))
    sizes = least + np.floor((voxels - least * tumors) * weights / weights.sum()).astype(int)
    sizes[sizes.argmax()] += voxels - int(sizes.sum())
    return tuple(int(size) for size in np.sort(sizes)[::-1])
