import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.augmentation import Augmentation
from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError
from lits_toolkit.figures.augmentation import augmentation_table, draw_augmentation, take_prepared_slice


@pytest.fixture
def prepared(tmp_path):
    """3 slices of 64 × 64 at (5, 2, 2) mm: a body with a liver on the left of the picture and a tumour in it."""

    def make(with_mask=True):
        volume = np.full((3, 64, 64), -1000, np.int16)
        volume[:, 8:56, 8:56] = 50
        reference = np.zeros(volume.shape, np.uint8)
        reference[:, 20:44, 12:30] = 1
        reference[:, 26:36, 16:24] = 2
        grid = Grid((64, 64, 3), np.diag([-2.0, -2.0, 5.0, 1.0]), nib.Nifti1Header())
        path = tmp_path / "volume-7.b2nd"
        write_prepared(Case("volume-7", volume, grid, reference if with_mask else None), path, size=64)
        return PreparedCase(path)

    return make


def test_a_prepared_slice_is_in_hu_whole_and_with_its_mask(prepared):
    piece = take_prepared_slice(prepared(), 1)
    assert (piece.case, piece.z, piece.spacing_mm) == ("volume-7", 1, (2.0, 2.0))
    assert piece.image.dtype == np.int16
    assert set(np.unique(piece.image)) == {-200, 50}
    assert piece.part == (slice(0, 64), slice(0, 64))
    assert np.count_nonzero(piece.reference == 2) == 80
    assert take_prepared_slice(prepared(with_mask=False), 1).reference is None
    with pytest.raises(InputError, match="volume-7 has no slice 3: it has the slices 0 to 2"):
        take_prepared_slice(prepared(), 3)


def test_each_transformation_is_shown_at_its_extreme_and_combinations_inside_the_ranges(prepared, assert_legible):
    drawn = draw_augmentation(take_prepared_slice(prepared(), 1), "phantom cohort")
    assert_legible(drawn)
    data = drawn.data.set_index("panel")
    assert len(data) == len(drawn.figure.axes) == 16
    geometry = ["rotation_degrees", "shear_degrees", "scale_percent", "right_pixels", "down_pixels"]
    for column, reach in zip(geometry, (15, 10, 12.5, 16, 16), strict=True):
        assert data[column].abs().max() == reach
        assert (data.loc[data[column].abs() == reach, [c for c in geometry if c != column]] == 0).all(axis=None)
    assert (data.loc[data.index.str.startswith("random"), "rotation_degrees"] != 0).all()
    assert 1 < data.loc["elastic, up to 8 pixels", "elastic_pixels"] <= 8
    assert data.loc["noise of ±2 HU, 20 times", "noise_hu"] == pytest.approx(40)
    unmoved = ["as prepared", "flipped", "noise of ±2 HU, 20 times"]
    assert (data.loc[unmoved, "tumor_pixels"] == 80).all()
    assert (data.loc[unmoved, "liver_pixels"] == 24 * 18).all()
    assert data.loc["scaling +12.5 %", "liver_pixels"] == pytest.approx(
        24 * 18 * 1.125**2, rel=0.1
    )  # a pixel more or less on each side


def test_the_panels_show_what_they_say(prepared):
    piece = take_prepared_slice(prepared(), 1)
    shown = {ax.get_title(): ax.images[0].get_array() for ax in draw_augmentation(piece, "phantom").figure.axes}
    np.testing.assert_allclose(shown["as prepared"], piece.image, atol=1e-3)
    np.testing.assert_allclose(shown["flipped"], piece.image[:, ::-1], atol=1e-3)
    np.testing.assert_allclose(shown["translation, 16 pixels right"][:, 4:], piece.image[:, :-4], atol=0.1)  # of 256
    assert (shown["translation, 16 pixels down"][:4] == -200).all()


def test_the_same_seed_draws_the_same_and_a_case_without_a_mask_is_drawn_too(prepared, assert_legible):
    piece = take_prepared_slice(prepared(with_mask=False), 1)
    drawn = draw_augmentation(piece, "phantom cohort", seed=1)
    assert_legible(drawn)
    assert drawn.data["liver_pixels"].isna().all()
    assert drawn.data.equals(draw_augmentation(piece, "phantom cohort", seed=1).data)
    assert not drawn.data.equals(draw_augmentation(piece, "phantom cohort", seed=2).data)


def test_the_table_holds_what_is_drawn_beside_what_is_printed():
    table = augmentation_table().data.set_index("transformation")
    named = ["rotation", "shearing", "translation", "random intensity noise", "scaling"]
    assert table.loc[named, "printed"].tolist() == [
        "[-15, 15]",
        "[-10, 10]",
        "[-16, 16]",
        "[-0.5, 0.5]",
        "[-12.5, 12.5]",
    ]
    assert (table.loc[named, "range"] == table.loc[named, "printed"]).all()
    assert "±2 HU" in table.loc["random intensity noise", "note"]
    assert "in 10 % of the samples" in table.loc["elastic", "note"]
    assert augmentation_table(Augmentation(rotation_degrees=5)).data.loc[0, "range"] == "[-5, 5]"
