import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import PreparedCase
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.study.splitting import SplitSettings, read_patients, split_cohort, tumor_stratum


def write(folder, name, sizes=(), voxels=0, masked=True, shape=(8, 64, 48)):
    """A prepared case whose CT is told from others by `voxels`, with tumours of z, y, x `sizes` in a row along y."""
    mask = np.ones(shape, np.uint8)
    y = 0
    for size in sizes:
        mask[: size[0], y : y + size[1], : size[2]] = 2
        y += size[1] + 2
    case = Case(name, np.full(shape, voxels, np.int16), Grid(shape[::-1], np.eye(4)), mask if masked else None)
    path = folder / f"{name}.b2nd"
    write_prepared(case, path, size=32)
    return path


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((), "none"),
        (((4, 16, 14),), "small"),  # 896
        (((4, 16, 16),), "medium"),  # 1024
        (((8, 20, 40), (4, 8, 8)), "medium"),  # 6400 and 256: 3328 on average
        (((8, 40, 40),), "large"),  # 12 800
    ],
)
def test_the_stratum_is_the_mean_tumours_group_at_the_cts_resolution(tmp_path, sizes, expected):
    assert tumor_stratum(PreparedCase(write(tmp_path, "a", sizes))) == expected


def test_parts_are_alike_in_tumour_size(tmp_path):
    paths = [write(tmp_path, f"v{index}", ((4, 16, 16),) if index % 2 else (), index) for index in range(12)]
    split = split_cohort(paths, SplitSettings(validation=1 / 3, test=1 / 6))
    for part, share in ((split.train, 3), (split.validation, 2), (split.test, 1)):
        assert abs(sum(int(name[1:]) % 2 for name in part) - share) <= 1
    folds = [split_cohort(paths, SplitSettings("folds", folds=3, fold=fold)).validation for fold in range(3)]
    assert [sum(int(name[1:]) % 2 for name in part) for part in folds] == [2, 2, 2]


def test_a_ct_under_two_names_and_a_patients_cts_stay_together(tmp_path):
    paths = [write(tmp_path, f"v{index}", voxels=index // 2) for index in range(8)]  # v0 is v1, v2 is v3, …
    patients = {"v0": "Ann", "v2": "Ann"}
    for seed in range(6):
        split = split_cohort(paths, SplitSettings(validation=0.3, seed=seed), patients)
        sides = {name: side for side in ("train", "validation") for name in getattr(split, side)}
        assert sides["v0"] == sides["v1"] == sides["v2"] == sides["v3"]
        assert sides["v4"] == sides["v5"]
        assert sides["v6"] == sides["v7"]


def test_cases_without_a_reference_are_left_aside(tmp_path):
    paths = [write(tmp_path, f"v{index}", voxels=index, masked=index > 0) for index in range(4)]
    split = split_cohort(paths)
    assert sorted(split.train + split.validation) == ["v1", "v2", "v3"]
    with pytest.raises(SettingError, match="none of 1"):
        split_cohort(paths[:1])


def test_the_dissertations_split_is_refused_where_it_divides_a_patient(tmp_path):
    paths = [write(tmp_path, f"volume-{index}", voxels=index) for index in (3, 4)]
    split = split_cohort(paths, SplitSettings("dissertation"))
    assert (split.train, split.validation) == (("volume-3",), ("volume-4",))
    with pytest.raises(SettingError, match=r"both sides: volume-3, volume-4"):
        split_cohort(paths, SplitSettings("dissertation"), {"volume-3": "Ann", "volume-4": "Ann"})


def test_patients_from_a_table(tmp_path):
    table = tmp_path / "patients.csv"
    table.write_text("case,patient\nv0,Ann\nv1,Ann\n")
    assert read_patients(table) == {"v0": "Ann", "v1": "Ann"}
    for text, said in (
        ("name,who\nv0,Ann\n", "columns case and patient"),
        ("case,patient\nv0\n", "filled in every row"),
        ("case,patient\nv0,Ann\nv0,Bob\n", "Ann and to Bob"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=said):
            read_patients(table)
    with pytest.raises(InputError, match="cannot be read"):
        read_patients(tmp_path / "nowhere.csv")
