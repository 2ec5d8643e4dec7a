import math

import numpy as np
import pytest
from scipy import optimize, signal, special

from lits_toolkit.errors import SettingError
from lits_toolkit.study.concepts import (
    EXPRESSIONS,
    OBJECTS,
    VOXELS,
    activation_curves,
    convolution_table,
    loss_curves,
    squeeze_and_excite,
)


@pytest.mark.parametrize(("channels_in", "channels_out"), [(32, 64), (3, 5)])
def test_what_is_counted_is_what_the_expressions_of_table_2_2_give(channels_in, channels_out):
    table = convolution_table(channels_in, channels_out, (3, 7))
    for row in table.data.to_dict("records"):
        expression = EXPRESSIONS[row["convolution"]].replace("k²", "k**2").replace("·", "*")
        names = {"k": row["kernel"], "cᵢ": channels_in, "cₒ": channels_out}
        for name, number in names.items():
            expression = expression.replace(name, str(number))
        assert row["weights"] == eval(expression)
    assert table.text.index.tolist() == list(EXPRESSIONS)
    assert table.text.columns.tolist() == ["expression", "k = 3", "k = 7"]


def test_the_table_prints_counts_with_their_share_of_the_conventional_one():
    table = convolution_table(32, 64, (3,))
    assert table.text["k = 3"].tolist() == ["18 432 (100 %)", "12 288 (66.7 %)", "2 336 (12.7 %)"]
    with pytest.raises(SettingError, match="1 at least"):
        convolution_table(0, 64)


def test_gates_are_made_from_means_and_scale_whole_features():
    gated = squeeze_and_excite(seed=1)
    assert gated.gates.shape == (2, 6) == (2, len(gated.names))
    assert ((gated.gates > 0) & (gated.gates < 1)).all()
    np.testing.assert_allclose(gated.after, gated.before * gated.gates[:, :, None, None], rtol=1e-6)
    assert (gated.before.min(), gated.before.max()) == (0, 1)


def test_images_with_the_same_means_get_the_same_gates_and_others_do_not():
    image = np.zeros((12, 12))
    image[3:6, 2:7] = 1
    moved = np.roll(image, (2, 3), (0, 1))
    stripes = np.broadcast_to(np.arange(12) % 4 > 1, (12, 12))
    one, same, other = squeeze_and_excite(np.stack([image, moved, stripes])).gates
    np.testing.assert_allclose(one, same, rtol=1e-5)
    assert np.abs(one - other).max() > 0.1


def test_the_features_are_what_the_kernels_find():
    gated = squeeze_and_excite()
    disc = gated.before[0]
    left, right, upper, lower = (
        disc[gated.names.index(f"{side} edges")] for side in ("left", "right", "upper", "lower")
    )
    np.testing.assert_allclose(left, right[:, ::-1])
    np.testing.assert_allclose(upper, lower[::-1])
    assert left[:, :7].sum() > 0 == left[:, 7:].sum()
    stripes = np.broadcast_to(np.arange(18) % 8 > 3, (18, 18)).astype(float)
    expected = np.maximum(signal.correlate(stripes, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "valid"), 0)
    np.testing.assert_allclose(gated.before[1, gated.names.index("left edges")], expected / 4)


def curve(curves, function):
    own = curves[curves["function"] == function]
    return own["x"].to_numpy(), own["value"].to_numpy(), own["derivative"].to_numpy()


FORMULAS = {
    "ReLU": lambda x: np.maximum(x, 0),
    "ReLU6": lambda x: np.clip(x, 0, 6),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "h-swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "sigmoid": special.expit,
    "hard sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
}


@pytest.mark.parametrize("function", FORMULAS)
def test_activations_are_their_formulas_and_derivatives_their_slopes(function):
    x, value, derivative = curve(activation_curves(), function)
    np.testing.assert_allclose(value, FORMULAS[function](x), atol=1e-12)
    slope = (FORMULAS[function](x + 1e-6) - FORMULAS[function](x - 1e-6)) / 2e-6
    smooth = np.min(np.abs(x[:, None] - [-3, 0, 3, 6]), axis=1) > 1e-5
    np.testing.assert_allclose(derivative[smooth], slope[smooth], atol=1e-5)


def test_every_activation_of_the_curves_has_a_formula_here():
    assert set(activation_curves()["function"]) == set(FORMULAS)


def test_swish_is_lowest_where_its_derivative_vanishes():
    x, value, _ = curve(activation_curves(), "swish")
    lowest = optimize.minimize_scalar(FORMULAS["swish"], bounds=(-3, 0), method="bounded")
    assert x[value.argmin()] == pytest.approx(lowest.x, abs=0.01)
    assert value.min() == pytest.approx(lowest.fun, abs=1e-4)


@pytest.fixture(scope="module")
def losses():
    return loss_curves(steps=3)


@pytest.mark.parametrize("group", OBJECTS)
@pytest.mark.parametrize("found", [0.0, 0.5, 1.0])
def test_losses_are_those_of_the_equations_counted_in_four_classes_of_voxels(losses, group, found):
    voxels, certain = OBJECTS[group], 0.99
    hit, missed, outside = found * voxels, (1 - found) * voxels, VOXELS - voxels
    overlap = hit * certain + missed * (1 - certain)
    squares = voxels + hit * certain**2 + (missed + outside) * (1 - certain) ** 2
    right, wrong = -math.log(certain), -math.log(1 - certain)
    expected = {
        "cross_entropy": ((hit + outside) * right + missed * wrong) / VOXELS,
        "weighted_cross_entropy": (outside * right / outside + (hit * right + missed * wrong) / voxels) / 2,
        "dice": 1 - (2 * overlap + 1) / (squares + 1),
        "jaccard": 1 - (overlap + 1) / (squares - overlap + 1),
    }
    own = losses[(losses["size_group"] == group) & (losses["found"] == found)].set_index("loss")["value"]
    assert own.to_dict() == pytest.approx(expected, rel=1e-3)


def gain(curves, loss, group):
    own = curves[(curves["loss"] == loss) & (curves["size_group"] == group)].set_index("found")["value"]
    return own[0.0] - own[1.0]


def test_cross_entropy_gains_from_an_object_in_proportion_to_its_voxels_and_dice_does_not(losses):
    small, large = (gain(losses, "cross_entropy", group) for group in ("small", "large"))
    assert large / small == pytest.approx(100, rel=0.01)
    small, large = (gain(losses, "dice", group) for group in ("small", "large"))
    assert large / small == pytest.approx(1, abs=0.06)


def test_beside_a_large_object_every_loss_forgets_the_small_one():
    curves = loss_curves(beside=0.1, steps=2)
    for loss in curves["loss"].unique():
        assert gain(curves, loss, "small") < 0.05
        assert gain(curves, loss, "large") > 0.3


@pytest.mark.parametrize("wrong", [{"confidence": 1.0}, {"confidence": 0.5}, {"beside": 0.6}, {"beside": -0.1}])
def test_settings_without_meaning_are_told(wrong):
    with pytest.raises(SettingError, match="expected"):
        loss_curves(**wrong)
