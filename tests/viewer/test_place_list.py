import numpy as np
import pytest

from lits_toolkit.data.case import Grid, mask_file_name
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.study import worst
from lits_toolkit.study.scores import evaluate
from lits_toolkit.viewer.facts import lesion_rows
from lits_toolkit.viewer.place_list import MOST_PLACES, PlaceList

GRID = Grid((16, 16, 12), np.diag([-1.0, -1.0, 2.0, 1.0]))  # voxels of 2 mm³


def masks():
    """One half found, one missed, two invented: the first of them beside the tumour that was found."""
    reference, prediction = np.zeros((2, *GRID.axial_shape), np.uint8)
    reference[1:3, 1:5, 1:5], prediction[1:3, 1:5, 1:3] = 2, 2
    reference[8, 8:11, 8] = 2
    prediction[1:3, 1:3, 8:10] = 2
    prediction[5:8, 8:11, 1:4] = 2
    return reference, prediction


@pytest.fixture
def folders(tmp_path):
    reference, prediction = masks()
    for number, (expected, found) in {1: (reference, prediction), 2: (reference, reference)}.items():
        write_volume(np.zeros(GRID.axial_shape, np.int16), GRID, tmp_path / "cohort" / f"volume-{number}.nii.gz")
        write_mask(expected, GRID, tmp_path / "cohort" / f"segmentation-{number}.nii.gz")
        write_mask(found, GRID, tmp_path / "predictions" / f"segmentation-{number}.nii.gz")
    return tmp_path / "predictions", tmp_path / "cohort"


@pytest.fixture
def opened():
    return []


@pytest.fixture
def places(folders, opened):
    predictions, cohort = folders

    def masks_of(run):
        return [(case, predictions / mask_file_name(case.name)) for case in find_cases(cohort)]

    places = PlaceList(lambda *chosen: opened.append(chosen), {"ours": evaluate(*folders).lesions}, masks_of)
    places.show("ours")
    yield places
    places.close()


def find_slices(places):
    places._handle_custom_msg({"kind": "slices"}, [])
    search = places._search
    if search is not None:
        search.join()


def test_the_largest_error_stands_first_under_the_browsers_number(places):
    assert places.counts == {"miss": 1, "false alarm": 2}
    assert [(place["case"], place["fate"], place["voxel"]) for place in places.places] == [
        ("volume-1", "false alarm", [6, 9, 2]),
        ("volume-1", "false alarm", [2, 2, 8]),  # halves are rounded to even
        ("volume-1", "miss", [8, 9, 8]),
    ]
    assert [place["ml"] for place in places.places] == [0.054, 0.016, 0.006]
    assert [place["dice"] for place in places.places] == [None, None, 0]
    in_browser = {row.number: row.fate for row in lesion_rows(*masks(), GRID.spacing_mm)}
    voxels = {row.number: row.voxels for row in lesion_rows(*masks(), GRID.spacing_mm)}
    for place in places.places:
        assert in_browser[place["lesion"]] == place["fate"]
        assert voxels[place["lesion"]] * 0.002 == pytest.approx(place["ml"])


def test_a_place_that_is_chosen_is_opened_and_marked(places, opened):
    places._handle_custom_msg({"kind": "open", "place": 2}, [])
    assert opened == [("volume-1", "ours", (8, 9, 8))]
    assert places.at == 2


@pytest.mark.parametrize("message", [{"kind": "open", "place": 3}, {"kind": "open", "place": -1},
                                     {"kind": "open"}, {"kind": "something later"}])  # fmt: skip
def test_only_places_that_are_there_are_opened(places, opened, message):
    places._handle_custom_msg(message, [])
    assert (opened, places.at) == ([], -1)


def test_worst_slices_come_when_they_are_asked_for_and_stay(places):
    find_slices(places)
    assert places.counts == {"miss": 1, "false alarm": 2, "worst slice": 1}  # volume-2 has no wrong voxel
    assert [place["fate"] for place in places.places] == ["false alarm", "worst slice", "false alarm", "miss"]
    assert (places.places[1]["lesion"], places.places[1]["voxel"][0], places.places[1]["dice"]) == (None, 5, 0)
    assert places.progress == (0, 0)
    places.show("other")
    places.show("ours")
    assert places.counts["worst slice"] == 1
    find_slices(places)
    assert places._search is None  # they are known


def test_without_scores_there_are_worst_slices_alone(places):
    places.show("other")
    assert (places.counts, places.places) == ({}, [])
    find_slices(places)
    assert places.counts == {"worst slice": 1}


def test_a_mask_that_cannot_be_read_is_named_and_the_others_go_on(places, folders):
    (folders[0] / "segmentation-2.nii.gz").write_bytes(b"text")
    find_slices(places)
    assert places.note == "masks that cannot be compared: volume-2"
    assert places.counts["worst slice"] == 1


def test_a_search_for_a_run_that_is_no_longer_looked_at_ends_without_a_trace(places, monkeypatch):
    read = []

    def another_run_is_picked(pair):
        read.append(pair.case)
        places.show("other")

    monkeypatch.setattr(worst, "read_worst_slice", another_run_is_picked)
    find_slices(places)
    assert read == ["volume-1"]
    assert (places.run, places.counts, places.progress) == ("other", {}, (0, 0))


def test_of_each_kind_the_largest_are_listed_and_all_counted(places):
    alarms = places._lesions["ours"].query("kind == 'false alarm'")
    places._lesions["many"] = alarms.iloc[[0] * 50].assign(volume_ml=np.arange(50.0))
    places.show("many")
    assert places.counts == {"miss": 0, "false alarm": 50}
    assert [place["ml"] for place in places.places] == list(range(49, 49 - MOST_PLACES, -1))
    places.show("")
    assert (places.run, places.counts, places.places) == ("", {}, [])
