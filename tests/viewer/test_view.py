import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lits_toolkit.data.case import CaseFiles
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.errors import SettingError
from lits_toolkit.viewer.picture import draw_view
from lits_toolkit.viewer.view import PLANES, View, require_fitting, view_code


@pytest.mark.parametrize(
    ("plane", "cursor", "row_and_column"),
    [("axial", (3, 1, 2), (1, 2)), ("coronal", (3, 1, 2), (0, 2)), ("sagittal", (0, 1, 2), (3, 1))],
)
def test_a_voxel_is_where_its_plane_shows_it(plane, cursor, row_and_column):
    volume = np.zeros((4, 5, 6), np.int16)
    volume[cursor] = 7
    piece = PLANES[plane].cut(volume, cursor)
    assert [tuple(place) for place in np.argwhere(piece == 7)] == [row_and_column]
    assert PLANES[plane].place(cursor, volume.shape) == tuple(at + 0.5 for at in row_and_column)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plane": "oblique"}, "choose axial, coronal, sagittal"),
        ({"layout": "grid"}, "choose single, planes, compare"),
        ({"shown": ("Reference", "unet")}, "no mask 'unet'.*there are Reference, a"),
        ({"cursor": (4, 0, 0)}, r"\(4, 0, 0\) is not in the volume.*\(4, 5, 6\)"),
    ],
)
def test_a_view_of_what_is_not_there_is_refused(change, said):
    with pytest.raises(SettingError, match=said):
        require_fitting(dataclasses.replace(View(), **change), ["Reference", "a"], (4, 5, 6))


def run(code, **variables):
    exec(compile(code, "view", "exec"), variables)
    return eval(code.splitlines()[-1], variables)


@pytest.fixture
def on_disk(tmp_path, made_case):
    """The case and its masks as files: in LiTS's layout, and the predictions of two models."""
    case, prediction = made_case
    write_volume(case.volume, case.grid, tmp_path / "volume-7.nii.gz")
    write_mask(case.reference, case.grid, tmp_path / "segmentation-7.nii.gz")
    for model in ("2d-a", "b"):
        (tmp_path / model).mkdir()
        write_mask(prediction, case.grid, tmp_path / model / "segmentation-7.nii.gz")
    return tmp_path


VIEW = View(
    "coronal",
    "compare",
    (24, 30, 28),
    (0.0, 200.0),
    0.7,
    shown=("Reference", "2d-a", "b"),
    zoom=2.0,
    middle=(20.0, 9.0, 30.0),
)


def test_the_code_draws_the_same_figure_from_the_files(on_disk):
    from lits_toolkit import browse

    masks = {model: on_disk / model / "segmentation-7.nii.gz" for model in ("2d-a", "b")}
    code = view_code(VIEW, {"case": on_disk / "volume-7.nii.gz", "prediction": masks})
    again = run(code)
    expected = browse(on_disk / "volume-7.nii.gz", prediction=masks).figure(VIEW)
    assert again._repr_png_() == expected._repr_png_()
    assert len(again.data) == 4


def test_the_code_names_the_arrays_as_the_user_did(made_case):
    case, prediction = made_case
    view = dataclasses.replace(VIEW, layout="single", shown=("Reference", "2d-a"))
    code = view_code(view, {"case": None, "prediction": {"2d-a": None}})
    assert "# case and prediction: " in code
    assert len(run(code, case=case, prediction={"2d-a": prediction}).data) == 2


def test_of_several_masks_those_without_a_file_are_called_by_their_names(on_disk, made_case):
    case, prediction = made_case
    code = view_code(VIEW, {"case": None, "prediction": {"2d-a": None, "b": on_disk / "b" / "segmentation-7.nii.gz"}})
    assert "{'2d-a': mask_2d_a, 'b': " in code
    assert len(run(code, case=case, mask_2d_a=prediction).data) == 4


def test_a_case_whose_path_does_not_tell_all_is_named_with_its_files(on_disk):
    files = CaseFiles("volume-7", on_disk / "volume-7.nii.gz", on_disk / "segmentation-7.nii.gz")
    code = "".join(line.strip() for line in view_code(View(), {"case": files}).splitlines())
    assert f"browse({str(files.volume)!r}" in code  # a long path has a line of its own
    elsewhere = CaseFiles("volume-7", on_disk / "volume-7.nii.gz", on_disk / "b" / "segmentation-7.nii.gz")
    code = view_code(dataclasses.replace(VIEW, shown=None), {"case": elsewhere})
    assert run(code).data["layer"].tolist() == ["Reference"]
    series = CaseFiles("ct-2", Path("somewhere"), series="1.2.3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lits_toolkit.viewer.view.find_cases", lambda _: [])
        assert "CaseFiles('ct-2', Path('somewhere'), series='1.2.3')" in view_code(View(), {"case": series})


def test_the_case_that_is_drawn_is_the_one_given(made_case):
    assert (
        draw_view(made_case[0], [], [], View()).figure.texts[0].get_text().startswith("volume-7, axial slice 0 of 0–39")
    )
