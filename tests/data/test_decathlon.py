import json

import pytest
from writers import small_case, write_decathlon

from lits_toolkit.data.layouts import find_cases
from lits_toolkit.errors import InputError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("channel", ["", "_0000"])
def test_images_to_train_and_to_test_with_their_labels(tmp_path, channel):
    for number in (10, 9):
        write_decathlon(tmp_path, small_case(f"liver_{number}"), channel)
    write_decathlon(tmp_path, small_case("liver_2"), channel, part="Ts")
    (tmp_path / "labelsTs" / "liver_2.nii.gz").unlink()
    touch(tmp_path, "imagesTr/._liver_9.nii.gz", "__MACOSX/imagesTr/liver_9.nii.gz")
    found = [(case.name, case.reference and case.reference.name) for case in find_cases(tmp_path)]
    assert found == [("liver_2", None), ("liver_9", "liver_9.nii.gz"), ("liver_10", "liver_10.nii.gz")]
    assert len(find_cases(tmp_path / "imagesTr")) == 2
    (one,) = find_cases(tmp_path / "imagesTr" / f"liver_9{channel}.nii.gz")
    assert (one.name, one.reference) == ("liver_9", tmp_path / "labelsTr" / "liver_9.nii.gz")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"0": "background", "1": "liver", "2": "cancer"}, None),
        ({"background": 0, "liver": 1, "tumor": 2}, None),
        ({"background": 0, "liver": [1, 2], "tumour": 2}, None),
        ({"0": "background", "1": "liver"}, None),
        ({"0": "background", "1": "Vessel", "2": "Tumour"}, "1 'Vessel'"),
        ({"background": 0, "tumor": 1, "liver": 2}, "1 'tumor', 2 'liver'"),
        ({"background": 0, "liver": 1, "tumor": 2, "spleen": 3}, "3 'spleen'"),
        ("liver", "not readable"),
    ],
)
def test_masks_of_other_organs_are_not_taken_for_liver_and_tumour(tmp_path, labels, found):
    write_decathlon(tmp_path, small_case("liver_1"))
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    if found is None:
        assert find_cases(tmp_path)
        return
    with pytest.raises(InputError, match=found):
        find_cases(tmp_path)


def test_a_second_channel_is_refused(tmp_path):
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz")
    with pytest.raises(InputError, match=r"a_0001\.nii\.gz.*one channel"):
        find_cases(tmp_path)
