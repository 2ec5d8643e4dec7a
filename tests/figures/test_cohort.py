import numpy as np
import pandas as pd
import pytest

from lits_toolkit.figures.cohort import draw_label_counts, draw_size_groups


@pytest.fixture
def make_cases():
    def make(tumor_voxels):
        count = len(tumor_voxels)
        liver = np.linspace(300_000, 500_000, count).astype(int)
        table = pd.DataFrame({"case": [f"volume-{index}" for index in range(count)], "tumor_voxels": tumor_voxels})
        return table.assign(
            background_voxels=6_000_000,
            liver_voxels=liver,
            background_voxels_liver_slices=2_000_000,
            liver_voxels_liver_slices=liver,
            tumor_voxels_liver_slices=tumor_voxels,
        )

    return make


@pytest.mark.parametrize("count", [1, 2, 7, 131])
def test_label_counts_of_any_number_of_cases(make_cases, assert_legible, count):
    tumor_voxels = [0, *range(100, 100 + 37 * (count - 1), 37)]
    drawn = draw_label_counts(make_cases(tumor_voxels), "phantom cohort")
    assert len(drawn.data) == count * 2 * 3
    tumor = drawn.data.query("slices == 'all' and label == 'tumor'")
    assert tumor["voxels"].tolist() == tumor_voxels
    assert "(none in 1 case)" in drawn.figure.axes[0].get_xticklabels()[2].get_text()
    assert_legible(drawn)


def test_points_show_the_counts_on_a_logarithmic_axis(make_cases):
    drawn = draw_label_counts(make_cases([10, 1000]), "phantom cohort")
    for ax in drawn.figure.axes:
        assert ax.get_yscale() == "log"
        assert [sorted(points.get_offsets()[:, 1]) for points in ax.collections][2] == [10, 1000]


def test_cases_without_reference_are_left_out(make_cases):
    cases = make_cases([10, 1000]).astype({"tumor_voxels": "Int64"})
    cases.loc[1, "tumor_voxels"] = pd.NA
    assert set(draw_label_counts(cases, "phantom cohort").data["case"]) == {"volume-0"}


def test_a_cohort_without_reference_says_so(make_cases, assert_legible):
    cases = make_cases([10]).astype({"tumor_voxels": "Int64"}).assign(tumor_voxels=pd.NA)
    drawn = draw_label_counts(cases, "phantom cohort")
    assert drawn.data.empty
    assert [ax.texts[0].get_text() for ax in drawn.figure.axes] == ["no case has a reference mask"] * 2
    assert_legible(drawn)


def test_size_groups_add_up(make_lesions, assert_legible):
    lesions = make_lesions(("a", 500, 0.0), ("a", 999, 0.0), ("b", 1000, 0.0), ("b", 12_501, 0.0))
    drawn = draw_size_groups(lesions, "phantom cohort")
    data = drawn.data.set_index("size_group")
    assert data["lesions"].to_dict() == {"small": 2, "medium": 1, "large": 1}
    assert data["voxels"].to_dict() == {"small": 1499, "medium": 1000, "large": 12_501}
    assert data["volume_ml"].sum() == pytest.approx(30)
    assert data["share_of_lesions"].to_list() == [0.5, 0.25, 0.25]
    assert data["share_of_volume"].sum() == pytest.approx(1)
    assert [bar.get_height() for bar in drawn.figure.axes[0].patches] == [2, 1, 1]
    assert_legible(drawn)


def test_a_cohort_without_tumors_still_has_a_picture(make_lesions, assert_legible):
    drawn = draw_size_groups(make_lesions(("a", 1, 0.0)).iloc[:0], "phantom cohort")
    assert drawn.data["lesions"].tolist() == [0, 0, 0]
    assert drawn.figure.axes[0].texts[0].get_text() == "no tumour in any reference mask"
    assert_legible(drawn)


def test_given_axes_are_drawn_on(make_lesions):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = list(figure.subplots(1, 2))
    assert draw_size_groups(make_lesions(("a", 5, 0.0)), "phantom cohort", axes).figure is figure
    assert axes[1].get_ylabel().endswith("(ml)")
