import json

import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.models.cost import count_convolutions, input_shape
from lits_toolkit.models.machine import Machine
from lits_toolkit.study import benchmark as module
from lits_toolkit.study.benchmark import (
    BenchmarkSettings,
    benchmark,
    on_meta,
    read_benchmark,
    time_table,
)

MACHINE = Machine("a CPU", 2, 2, "2.9", 1e11, 1e10)
SMALL = BenchmarkSettings(("2d-shufflenet_v2-default", "3d-dsts-default"), batch=2, size=32, rounds=2, steps=1)


@pytest.fixture(scope="module")
def found():
    return benchmark(SMALL, MACHINE)


def row(found, model, work, source):
    times = found.times
    (one,) = times[(times.model == model) & (times.work == work) & (times.source == source)].to_dict("records")
    return one


def test_ours_stand_beside_the_printed_and_the_floor(found):
    assert set(found.times["source"]) == {"dissertation", "floor", "torch fp32"} | {
        source
        for source in found.times["source"]
        if source == "torch bf16"  # where training is faster in it
    }
    printed = row(found, "2d-shufflenet_v2-default", "training", "dissertation")
    assert (printed["seconds"], printed["stdev_s"]) == (0.295, 0.031)
    assert np.isnan(row(found, "3d-dsts-default", "prediction", "dissertation")["seconds"])  # printed as NA
    assert row(found, "2d-shufflenet_v2-default", "prediction", "torch fp32")["seconds"] > 0
    assert not found.left_out


@pytest.mark.parametrize(("model", "slices"), [("2d-shufflenet_v2-default", 2), ("3d-dsts-default", 8)])
def test_the_floor_is_per_segmented_slice_and_training_is_three_times_prediction(found, model, slices):
    network = on_meta(model)
    costs = count_convolutions(network, (2, *input_shape(network.dimensions, 32)[1:]))
    floor = sum(max(2 * cost.macs / 1e11, cost.bytes / 1e10) for cost in costs) / slices
    assert row(found, model, "prediction", "floor")["seconds"] == pytest.approx(floor)
    assert row(found, model, "training", "floor")["seconds"] == pytest.approx(3 * floor)


def test_times_are_medians_per_segmented_slice_of_all_rounds(monkeypatch):
    """Of a batch of two in 3D there are eight slices; each round times two runs."""
    given = iter([[8.0, 16.0], [80.0, 24.0]])
    monkeypatch.setattr(module, "durations", lambda run, steps, warm_up: next(given))
    settings = BenchmarkSettings(("3d-dsts-default",), training=False, batch=2, size=32, rounds=2, steps=2)
    ours = row(benchmark(settings, MACHINE), "3d-dsts-default", "prediction", "torch fp32")
    assert ours["seconds"] == 2.5
    assert ours["stdev_s"] == pytest.approx(np.std([1, 2, 10, 3]))


def test_each_table_has_its_dimensions_and_all_sources_in_one_order(found):
    two, three = (time_table(table, found) for table in ("4.4", "4.5"))
    assert [list(table.data["source"]).count("dissertation") for table in (two, three)] == [9, 12]
    ours = two.data[~two.data["source"].isin(["dissertation", "floor"])]
    assert set(zip(ours["block"], ours["layout"], strict=True)) == {("shufflenet_v2", "default")}
    own = two.data[(two.data["block"] == "shufflenet_v2") & (two.data["layout"] == "default")]
    assert own["source"].tolist() == ["dissertation", "torch fp32", "floor"]
    works = ["training, s per slice", "prediction, s per slice"]
    assert two.text.loc[("shufflenet_v2", "default", "dissertation"), works].tolist() == [
        "0.295 ± 0.031",
        "0.083 ± 0.009",
    ]
    assert three.text.loc[("mobilenet_v2", "top", "dissertation"), works].tolist() == ["1.15 ± 0.039", "0.428 ± 0.0194"]
    assert three.text.loc[("dsts", "default", "dissertation")].tolist() == ["–", "–"]
    with pytest.raises(SettingError, match=r"expected one of 4\.4, 4\.5"):
        time_table("4.6", found)


def test_a_runtime_that_is_not_there_is_left_out_and_told(monkeypatch):
    monkeypatch.setattr("lits_toolkit.errors.find_spec", lambda library: None)
    settings = BenchmarkSettings(
        ("2d-shufflenet_v2-default",), ("torch", "onnxruntime"), training=False, batch=1, size=32, rounds=2, steps=1
    )
    found = benchmark(settings, MACHINE)
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("onnxruntime, 2d-shufflenet_v2-default: onnx is not installed")
    assert "torch fp32" in set(found.times["source"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (BenchmarkSettings(("2d-abacus",)), "no model is called '2d-abacus'"),
        (BenchmarkSettings(runtimes=("abacus",)), "no runtime is called 'abacus'"),
        (BenchmarkSettings(("2d-shufflenet_v2-default",), size=100), "multiples of 32"),
        (BenchmarkSettings(rounds=0), "at least 1"),
        (BenchmarkSettings(batch=1, size=32), "batch norm"),
    ],
)
def test_what_cannot_be_timed_is_told_before_anything_is(settings, words):
    with pytest.raises(SettingError, match=words):
        benchmark(settings, MACHINE)


def test_times_are_kept_with_their_machine(found, tmp_path):
    found.write(tmp_path / "times.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "times.csv"), found.times)
    found.write(tmp_path / "times.json")
    kept = json.loads((tmp_path / "times.json").read_text())
    assert kept["machine"]["cpu"] == "a CPU"
    assert kept["settings"]["batch"] == 2
    assert len(kept["times"]) == len(found.times)
    read = read_benchmark(tmp_path / "times.json")
    pd.testing.assert_frame_equal(read.times, found.times)
    assert (read.machine, read.settings, read.label) == (found.machine, found.settings, found.label)
    with pytest.raises(InputError, match="no benchmark: `lits benchmark --output"):
        (tmp_path / "other.json").write_text("[1]")
        read_benchmark(tmp_path / "other.json")
