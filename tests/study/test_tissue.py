import numpy as np
import pandas as pd
import pytest

from lits_toolkit.data.case import CaseFiles, Grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.errors import InputError
from lits_toolkit.study.tissue import (
    CONTRAST_COLUMNS,
    TISSUE_COLUMNS,
    TISSUES,
    Spread,
    count_hu,
    hu_peak,
    hu_percentiles,
    measure_contrast,
    measure_hu,
    published_hu,
    with_contrast,
)


@pytest.fixture
def write_case(tmp_path):
    """Write (z, y, x) arrays as a case of 2 × 1 × 1 mm voxels."""

    def write(volume, reference=None, name="volume-0"):
        grid = Grid(volume.shape[::-1], np.diag([-1.0, -1.0, 2.0, 1.0]))
        paths = tmp_path / f"{name}.nii.gz", tmp_path / f"segmentation-of-{name}.nii.gz"
        write_volume(volume.astype(np.int16), grid, paths[0])
        if reference is None:
            return CaseFiles(name, paths[0])
        write_mask(reference.astype(np.uint8), grid, paths[1])
        return CaseFiles(name, *paths)

    return write


def histogram(**voxels):
    """Counts of HU given as m100=3 (three voxels of −100) or p40=1."""
    counts = np.zeros(2**16, np.int64)
    for hu, number in voxels.items():
        counts[32768 + int(hu.replace("m", "-").replace("p", ""))] = number
    return counts


def test_every_hu_is_counted():
    hu = np.array([[-32768, -1000, -1000], [0, 40, 32767]], np.int16)
    counts = count_hu(hu)
    assert {int(place) - 32768: int(counts[place]) for place in counts.nonzero()[0]} == {
        -32768: 1, -1000: 2, 0: 1, 40: 1, 32767: 1
    }  # fmt: skip


def test_more_voxels_than_are_counted_at_a_time():
    assert count_hu(np.full((3, 1000, 1000), 7, np.int16))[32768 + 7] == 3_000_000


def test_a_peak_is_the_highest_five_hu_and_as_wide_as_half_of_it():
    # By fives around multiples of 5: −110: 4, −105: 5, −100: 3 + 7 = 10, −95: 6, −90: 4.
    counts = histogram(m112=4, m105=5, m102=3, m98=7, m95=6, m90=4, m60=9)
    assert hu_peak(counts, (-180, -40)) == Spread(-100, -105, -95, 5 + 10 + 6)


def test_a_peak_at_the_edge_of_the_range_is_the_flank_of_something_else():
    assert hu_peak(histogram(m41=9, m100=3), (-180, -40)) is None
    assert hu_peak(np.zeros(2**16, np.int64), (-180, -40)) is None


def test_a_peak_may_fill_its_range():
    counts = histogram(**{f"m{hu}": 10 for hu in range(40, 181, 5)}) + histogram(m100=5)
    assert hu_peak(counts, (-180, -40)) == Spread(-100, -180, -40, 29 * 10 + 5)


def test_percentiles_are_those_of_numpy():
    hu = np.random.default_rng(0).normal(60, 20, 1001).astype(np.int16)
    spread = hu_percentiles(count_hu(hu))
    expected = np.percentile(hu, [50, 5, 95], method="inverted_cdf")
    assert spread == Spread(*map(float, expected), 1001)
    assert hu_percentiles(np.zeros(2**16, np.int64)) is None


def test_tissues_of_a_case_counted_by_hand(write_case):
    volume = np.full((4, 10, 10), -1000)
    volume[0, 0, 0] = -1024  # padding, which is not air
    volume[:, 3:7] = -100
    volume[:, 7, :] = 50
    volume[:, 8, :] = 301
    volume[:, 9, :] = 300
    reference = np.zeros(volume.shape)
    reference[:, 7, :8] = 1
    reference[:, 7, 8] = 2
    table = measure_hu([write_case(volume, reference)])[0]
    assert tuple(table.columns) == TISSUE_COLUMNS
    by_tissue = table.set_index("tissue")[["hu", "hu_low", "hu_high", "voxels"]].T.to_dict("list")
    assert by_tissue == {
        "air": [-1000, -1000, -1000, 4 * 30 - 1],
        "fat": [-100, -100, -100, 4 * 40],
        "liver": [50, 50, 50, 32],
        "tumor": [50, 50, 50, 4],
        "bone": [301, 301, 301, 40],
    }
    assert set(by_tissue) == set(TISSUES)


def test_without_a_reference_what_needs_none_is_measured(write_case):
    volume = np.full((4, 10, 10), -100)
    volume[:, 8:] = 400
    volume[0, 0, 0] = -2000
    tissues, lesions = measure_hu([write_case(volume)])
    assert set(tissues["tissue"]) == {"fat", "bone"}
    assert lesions.empty
    assert tuple(lesions.columns) == CONTRAST_COLUMNS


def test_contrast_is_taken_against_the_liver_within_ten_millimetres(write_case):
    volume = np.zeros((9, 40, 40))
    reference = np.ones(volume.shape)
    reference[:, :, :5] = 0
    tumor = np.zeros(volume.shape, bool)
    tumor[4, 20, 20:23] = True
    tumor[5, 20, 21] = True
    reference[tumor] = 2
    reference[0, 0, 39] = 2  # another lesion, whose voxels are no liver
    z, y, x = np.indices(volume.shape)
    volume[:] = 3 * x + y
    volume[tumor] = 200
    distance = np.min(
        [np.sqrt((2 * (z - a)) ** 2 + (y - b) ** 2 + (x - c) ** 2) for a, b, c in np.argwhere(tumor)], axis=0
    )
    expected = 200 - volume[(distance <= 10) & (reference == 1)].mean()
    lesions = measure_hu([write_case(volume, reference)])[1]
    assert lesions["voxels"].tolist() == [1, 4]
    row = lesions.iloc[1]
    assert (row["z"], row["size_group"], row["hu"]) == (4, "small", 200)
    assert row["contrast_hu"] == pytest.approx(expected)


def test_a_tumor_far_from_any_liver_has_no_contrast(write_case):
    reference = np.zeros((3, 30, 30))
    reference[1, 2, 2] = 2
    reference[1, 25, 25] = 1
    lesions = measure_hu([write_case(np.zeros(reference.shape), reference)])[1]
    assert lesions["contrast_hu"].isna().tolist() == [True]


def test_two_processes_measure_alike(write_case):
    volume = np.random.default_rng(1).normal(-100, 20, (3, 20, 20)).round()
    case = write_case(volume, volume > -90)
    for one, two in zip(measure_hu([case, case]), measure_hu([case, case], n_jobs=2), strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_the_published_values_are_those_of_the_table():
    table = published_hu().set_index("tissue")
    assert len(table) == 8
    assert table.loc["air"].tolist() == [-1000, -1000]
    assert table.loc["blood"].tolist() == [30, 45]
    assert table.loc["bone", "hu_low"] == 150
    assert np.isnan(table.loc["bone", "hu_high"])


def test_air_and_fat_of_a_real_ct_are_near_the_published_ones(real_ct):
    tissues = measure_hu([CaseFiles("volume-0", real_ct / "volume-0.nii.gz")])[0].set_index("tissue")
    assert tissues.loc["air", "hu"] == pytest.approx(-1000, abs=20)
    assert tissues.loc["fat", "hu"] == pytest.approx(-100, abs=20)


def test_the_contrast_of_a_run_s_lesions(write_case):
    volume, reference = np.full((3, 20, 20), 100), np.ones((3, 20, 20))
    reference[1, 2:5, 2:5], volume[1, 2:5, 2:5] = 2, 60
    reference[1, 15, 15], volume[1, 15, 15] = 2, 130
    cases = [write_case(volume, reference), write_case(volume, None, "volume-1")]
    contrasts = measure_contrast(cases)
    pd.testing.assert_frame_equal(contrasts, measure_hu(cases)[1])
    lesions = pd.DataFrame({
        "case": "volume-0", "kind": ["reference", "reference", "false alarm"], "lesion": [1, 2, 1],
        "voxels": [9, 1, 1], "dice": [0.5, 0.0, np.nan],
    })  # fmt: skip
    table = with_contrast(lesions, contrasts)
    assert table["contrast_hu"].tolist() == [-40, 30]
    assert table["dice"].tolist() == [0.5, 0]
    with pytest.raises(InputError, match="found others for volume-0"):
        with_contrast(lesions.assign(voxels=[9, 2, 1]), contrasts)
