"""The whole way of the data, from each layout alike."""

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn
from writers import (
    dicom_slices,
    small_case,
    small_grid,
    write_decathlon,
    write_dicom,
    write_ircadb,
    write_lits,
    write_seg,
)

from lits_toolkit.data.doctor import check_cases
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.prepare import PreparedCase, prepare
from lits_toolkit.data.reading import read_grid, read_mask
from lits_toolkit.inference.predict import predict_cases
from lits_toolkit.models.storage import Model
from lits_toolkit.study.cohort import describe_cohort
from lits_toolkit.study.scores import evaluate


def write_dicom_with_seg(folder, case):
    slices = dicom_slices(case.grid.from_axial(case.volume), case.grid)
    write_dicom(folder / case.name, slices)
    mask = case.grid.from_axial(case.reference).transpose(2, 1, 0)
    write_seg(folder / case.name / "seg.dcm", slices, {"Liver": mask > 0, "Tumor": mask == 2})


WRITERS = {
    "lits": write_lits,
    "decathlon": write_decathlon,
    "nnunet": lambda folder, case: write_decathlon(folder, case, "_0000"),
    "ircadb": lambda folder, case: write_ircadb(folder / case.name, case),
    "ircadb zipped": lambda folder, case: write_ircadb(folder / case.name, case, zipped=True),
    "dicom with seg": write_dicom_with_seg,
}


class Nothing(nn.Module):
    """A stand-in network that sees no tumour."""

    dimensions = 2

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.stack([torch.ones_like(x[:, 4]), torch.zeros_like(x[:, 4])], 1)


@pytest.mark.parametrize("layout", WRITERS)
def test_check_prepare_predict_and_evaluate(tmp_path, layout):
    case = small_case("volume-1", small_grid("RAI" if layout != "ircadb" else "LPS", turn_degrees=4))
    cohort = tmp_path / "cohort"
    WRITERS[layout](cohort, case)
    cases = find_cases(cohort)
    assert [finding.code for finding in check_cases(cases, n_jobs=1) if finding.severity == "error"] == []

    (path,) = prepare(cases, tmp_path / "prepared", size=32, n_jobs=1, progress=False).prepared
    assert PreparedCase(path).has_mask
    written = path.stat().st_mtime_ns
    prepare(cases, tmp_path / "prepared", size=32, n_jobs=1, progress=False)
    assert path.stat().st_mtime_ns == written  # nothing has changed, nothing is done again

    table, lesions = describe_cohort(cases)
    assert table.loc[0, "liver_voxels"] == np.count_nonzero(case.reference == 1)
    assert lesions.voxels.tolist() == [2, 1]

    stand_in = Model(Nothing(), {"name": "x", "stage": "tumor", "window": [-200, 200], "size": 32})
    predict_cases(cases, tmp_path / "masks", stand_in)  # with the reference's liver
    mask = tmp_path / "masks" / "segmentation-1.nii.gz"
    np.testing.assert_array_equal(read_mask(mask) > 0, case.reference > 0)
    np.testing.assert_allclose(nib.load(mask).affine, read_grid(cases[0].volume, cases[0].series).affine, atol=1e-4)

    scores = evaluate(tmp_path / "masks", cohort, tmp_path / "scores")
    assert scores.summary["liver"]["dice_per_case"] == 1
    assert scores.summary["tumor"]["dice_per_case"] == 0
