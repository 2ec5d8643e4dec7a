import json

import pytest
from rich.console import Console

from lits_toolkit.demo import SMOKE, open_workspace, run_demo
from lits_toolkit.errors import SettingError
from lits_toolkit.study.workspace import RUN


def test_the_smoke_demo_has_gone_the_whole_way(smoke_demo):
    summary = json.loads((smoke_demo.folder / "summary.json").read_text())
    assert summary["cohort"] == "phantom cohort"
    assert summary["scores"]["cases"] == SMOKE.test
    assert set(summary["baselines"]) == {"threshold", "smoothed threshold"}
    assert len(list(smoke_demo.predictions(RUN).glob("segmentation-*.nii.gz"))) == SMOKE.test
    assert smoke_demo.models("liver") == smoke_demo.models("tumor") == ["2d-mobilenet_v2-default"]
    assert sorted(smoke_demo.scores(RUN).cases["case"]) == sorted(smoke_demo.split.test)


def test_held_out_cases_are_not_trained_on(smoke_demo):
    parts = [set(part) for part in (smoke_demo.split.train, smoke_demo.split.validation, smoke_demo.split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 6


def test_a_second_opening_makes_nothing_anew(smoke_demo):
    weights = smoke_demo.model("liver", "2d-mobilenet_v2-default") / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    assert open_workspace(smoke_demo.folder, smoke=True) == smoke_demo
    assert weights.stat().st_mtime_ns == before


def test_a_folder_with_another_study_is_left_alone(smoke_demo):
    with pytest.raises(SettingError, match="another --workspace"):
        run_demo(smoke_demo.folder, figures=False, console=Console(quiet=True))
