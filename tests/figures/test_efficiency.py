import numpy as np
import pandas as pd
import pytest

from lits_toolkit.errors import InputError
from lits_toolkit.figures.efficiency import RUNTIME_COLORS, draw_part_times, draw_prediction_times, draw_runtime_dice
from lits_toolkit.inference.runtimes import AUTO, RUNTIMES

LABEL = "Some(R) CPU(TM) with a Long Name 8370C @ 2.80GHz, 16 threads, batch 8, 256²"


def times(*models, runtimes=("torch fp32", "openvino int8")):
    rows = []
    for model in models:
        rows += [(model, "prediction", "dissertation", 0.4, 0.02), (model, "prediction", "floor", 0.002, np.nan)]
        rows += [(model, "prediction", runtime, 0.01 / (n + 1), 0.008) for n, runtime in enumerate(runtimes)]
        rows += [(model, "training", "torch fp32", 0.05, 0.001)]
    return pd.DataFrame(rows, columns=["model", "work", "source", "seconds", "stdev_s"])


@pytest.mark.parametrize("models", [["2d-mobilenet_v2-top"], ["2d-mobilenet_v2-top", "3d-dsts-bottom", "han2017"]])
def test_a_bar_for_each_source_of_each_model(models, assert_legible):
    given = times(*models)
    given.loc[given["source"] == "openvino int8", "stdev_s"] = np.nan  # of a single run
    given.loc[(given["model"] == "han2017") & (given["source"] == "dissertation"), "seconds"] = np.nan
    drawn = draw_prediction_times(given, LABEL)
    assert_legible(drawn)
    (ax,) = drawn.figure.axes
    widths = sorted(patch.get_width() for patch in ax.patches)
    expected = given[(given["work"] == "prediction") & (given["source"] != "floor")]["seconds"].dropna()
    assert widths == pytest.approx(sorted(expected))
    assert set(drawn.data["work"]) == {"prediction"}
    assert ax.get_xscale() == "log"


def test_the_published_time_is_never_drawn_alone():
    with pytest.raises(InputError, match="no prediction was timed"):
        draw_prediction_times(times("2d-mobilenet_v2-top", runtimes=()), LABEL)


def test_parts_beside_their_floor_in_ms(assert_legible):
    columns = {"seconds": [0.002, 0.004], "compute_floor_s": [0.001, 0.002], "memory_floor_s": [0.0005, 0.003]}
    parts = pd.DataFrame({"part": ["stem", "between"], **columns, "floor_s": [0.001, 0.003]})
    drawn = draw_part_times(parts, LABEL)
    assert_legible(drawn)
    assert drawn.figure.get_suptitle() == "Where the time goes: 6 ms, floor 4 ms per slice"
    found = drawn.data.set_index(["part", "what"])["ms"]
    assert found["stem", "measured"] == pytest.approx(2)
    assert found["between", "moving bytes"] == pytest.approx(3)
    with pytest.raises(InputError, match="no part was timed"):
        draw_part_times(parts.iloc[:0], LABEL)


def test_the_change_is_against_the_first_runtime(assert_legible):
    dice = {"torch fp32": (0.31, 0.7, np.nan), "openvino int8": (0.30, 0.71, np.nan)}
    groups = ("small", "large", "medium")
    rows = [(name, *pair) for name, values in dice.items() for pair in zip(groups, values, strict=True)]
    drawn = draw_runtime_dice(pd.DataFrame(rows, columns=["runtime", "size_group", "dice"]), "phantom cohort")
    assert_legible(drawn)
    changes = drawn.data.set_index(["runtime", "size_group"])["change"]
    assert changes["openvino int8", "small"] == pytest.approx(-0.01)
    assert changes["openvino int8", "large"] == pytest.approx(0.01)
    assert (changes["torch fp32"] == 0).all()
    assert [tick.get_text() for tick in drawn.figure.axes[0].get_xticklabels()] == ["small tumours", "large tumours"]
    with pytest.raises(InputError, match="no Dice of any runtime"):
        draw_runtime_dice(pd.DataFrame(columns=["runtime", "size_group", "dice"]), "phantom cohort")


def test_a_runtime_has_one_color_in_every_figure():
    assert set(RUNTIME_COLORS) == set(RUNTIMES) - {AUTO}
    assert len(set(RUNTIME_COLORS.values())) == len(RUNTIME_COLORS)
    dice = pd.DataFrame({"runtime": ["torch fp32", "openvino int8"], "size_group": "small", "dice": [0.3, 0.29]})
    found = []
    for drawn in (
        draw_prediction_times(times("2d-mobilenet_v2-top"), LABEL),
        draw_runtime_dice(dice, "phantom cohort"),
    ):
        handles, names = drawn.figure.axes[0].get_legend_handles_labels()
        bars = {name.removeprefix("ours, "): handle for name, handle in zip(names, handles, strict=True)}
        found.append([bars[name][0].get_facecolor() for name in ("torch fp32", "openvino int8")])
    assert found[0] == found[1]
