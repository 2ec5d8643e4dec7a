import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Grid
from lits_toolkit.data.doctor.geometry import check_grid, is_placeholder


def codes(affine, header=None):
    return [note.code for note in check_grid(Grid((4, 5, 6), np.asarray(affine, float), header))]


def turned(degrees, step=(0.8, 0.8, 2.5)):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) * step
    return affine


@pytest.mark.parametrize("codes_of_axes", ["LPS", "RAS", "LAI", "SPL", "PSR"])
def test_axial_slices_in_any_order_of_storage_are_axial(codes_of_axes):
    lps = np.diag([-0.8, -0.8, 2.5, 1])
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("LPS"), nib.orientations.axcodes2ornt(codes_of_axes)
    )
    assert codes(lps @ nib.orientations.inv_ornt_aff(turn, (4, 5, 6))) == []


@pytest.mark.parametrize(("degrees", "expected"), [(0, []), (1.5, []), (3, ["not-axial"]), (20, ["not-axial"])])
def test_a_turned_grid(degrees, expected):
    assert codes(turned(degrees)) == expected


def test_a_sheared_grid_is_what_a_tilted_gantry_leaves():
    affine = np.diag([-0.8, -0.8, 2.5, 1])
    affine[1, 2] = 2.5 * np.tan(np.radians(12))
    (note,) = check_grid(Grid((4, 5, 6), affine))
    assert note.code == "not-axial"
    assert "12°" in note.message


@pytest.mark.parametrize(("spacing", "plane"), [((0.8, 4, 0.8), "coronal"), ((4, 0.8, 0.8), "sagittal")])
def test_slices_cut_in_another_plane(spacing, plane):
    (note,) = check_grid(Grid((4, 5, 6), np.diag([*spacing, 1.0])))
    assert note.code == "not-axial"
    assert plane in note.message


def test_no_orientation():
    assert codes(np.eye(4)) == ["no-orientation"]
    header = nib.Nifti1Header()
    assert codes(np.diag([-0.8, -0.8, 2.5, 1]), header) == ["no-orientation"]
    header["qform_code"] = 1
    assert codes(np.diag([-0.8, -0.8, 2.5, 1]), header) == []


def test_a_placeholder_is_exactly_one_millimetre():
    assert is_placeholder(Grid((4, 5, 6), np.diag([-1, -1, 1, 1.0])))
    assert not is_placeholder(Grid((4, 5, 6), np.diag([-1, -1, 1.01, 1.0])))
