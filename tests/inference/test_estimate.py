import numpy as np
import pytest
from writers import small_grid

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.nifti import write_volume
from lits_toolkit.inference.estimate import BASE_GB, estimate_memory_gb, read_shapes
from tests.inference.test_cascade import model


def test_the_largest_ct_tells_and_what_cannot_be_read_is_left_to_reading(tmp_path):
    cases = []
    for slices in (10, 40):
        grid = small_grid("RAI", shape=(slices, 64, 64))
        write_volume(np.zeros(grid.axial_shape, np.int16), grid, tmp_path / f"{slices}.nii.gz")
        cases.append(CaseFiles(str(slices), tmp_path / f"{slices}.nii.gz"))
    models = [model("liver", 0, 1), model("tumor", 0, 1)]
    both = estimate_memory_gb(read_shapes(cases).values(), models) - BASE_GB[2]
    assert both == pytest.approx(estimate_memory_gb(read_shapes(cases[1:]).values(), models) - BASE_GB[2])
    assert both == pytest.approx(4 * (estimate_memory_gb(read_shapes(cases[:1]).values(), models) - BASE_GB[2]))
    assert estimate_memory_gb(read_shapes(cases).values(), models, n_jobs=8) == pytest.approx(2 * (both + BASE_GB[2]))
    (tmp_path / "bad.nii.gz").write_text("text")
    bad = [CaseFiles("bad", tmp_path / "bad.nii.gz"), CaseFiles("none", tmp_path / "none.nii.gz")]
    assert estimate_memory_gb(read_shapes(bad).values(), models) == BASE_GB[2]
