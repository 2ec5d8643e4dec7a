import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.training.losses import (
    EPSILON,
    LOSSES,
    build_loss,
    class_weights,
    cross_entropy,
    dice_distance,
    jaccard_distance,
    loss_names,
    multi_class_dice,
)

SHAPES = [(2, 3, 4), (2, 2, 3, 4)]


def written_out(logits, targets, weights):
    """Equations 2.6, 2.8, 2.10 and 2.11, voxel by voxel in float64."""
    classes = logits.shape[1]
    flat = np.moveaxis(logits, 1, -1).reshape(-1, classes)
    entropy, overlap, y_squares, p_squares = 0.0, np.zeros(classes), np.zeros(classes), np.zeros(classes)
    for voxel, label in zip(flat, targets.ravel(), strict=True):
        odds = [np.exp(value) for value in voxel]
        for c in range(classes):
            p, y = odds[c] / sum(odds), float(label == c)
            entropy -= weights[c] * y * np.log(p)
            overlap[c] += y * p
            y_squares[c] += y**2
            p_squares[c] += p**2
    dice = 1 - (2 * overlap + EPSILON) / (y_squares + p_squares + EPSILON)
    jaccard = 1 - (overlap + EPSILON) / (y_squares + p_squares - overlap + EPSILON)
    return {
        "cross_entropy": entropy / len(flat), "dice": dice[1], "jaccard": jaccard[1], "multi_dice": dice.mean(),
    }  # fmt: skip


@given(st.integers(0, 2**31), st.integers(2, 4), st.sampled_from(SHAPES), st.sampled_from([np.uint8, np.int64]))
def test_against_the_equations_written_out(seed, classes, shape, kind):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (shape[0], classes, *shape[1:]))
    targets = random.integers(0, classes, shape).astype(kind)
    weights = random.uniform(0, 5, classes)
    expected = written_out(logits, targets, weights)
    for name, value in expected.items():
        found = build_loss(name, weights)(torch.from_numpy(logits), torch.from_numpy(targets))
        assert found.dtype == torch.float64
        assert float(found) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_logits_are_computed_in_float32(kind):
    logits = torch.randn(4, 2, 64, 64, generator=torch.Generator().manual_seed(0)).to(kind)
    targets = torch.arange(64) % 3 == 0
    targets = targets.expand(4, 64, 64).to(torch.uint8)
    for loss in LOSSES.values():
        found = loss(logits, targets)
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(float(loss(logits.double(), targets)), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_finite_differences(name, shape):
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(shape[0], 3, *shape[1:], generator=random, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 3, shape, generator=random)
    loss = build_loss(name, (0.5, 1.0, 4.0))
    assert torch.autograd.gradcheck(lambda given: loss(given, targets), logits)


def sure(targets, right=True):
    """Logits that leave no doubt, of the reference's classes or of the other ones."""
    return torch.stack([torch.where((targets == c) == right, 50.0, -50.0) for c in (0, 1)], 1)


@pytest.mark.parametrize("objects", [0, 7, 16])
def test_a_sure_and_right_answer_costs_nothing_even_where_there_is_no_object(objects):
    targets = (torch.arange(16) < objects).reshape(1, 4, 4).long()
    for loss in LOSSES.values():
        assert float(loss(sure(targets), targets)) == pytest.approx(0, abs=1e-6)


def test_a_sure_and_wrong_answer_costs_everything_but_the_epsilon():
    targets = (torch.arange(1000) < 200).reshape(1, 10, 100).long()
    wrong = sure(targets, right=False)
    worst = 1 - EPSILON / (1000 + EPSILON)  # 200 voxels and 800 predicted ones, none of them shared
    assert float(dice_distance(wrong, targets)) == pytest.approx(worst)
    assert float(jaccard_distance(wrong, targets)) == pytest.approx(worst)
    assert float(multi_class_dice(wrong, targets)) == pytest.approx(worst)
    assert float(cross_entropy(wrong, targets)) == pytest.approx(100)


def test_without_the_object_less_of_it_is_better():
    targets = torch.zeros(1, 8, 8, dtype=torch.long)
    for name in ("dice", "jaccard", "multi_dice"):
        logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
        loss = LOSSES[name](logits, targets)
        loss.backward()
        assert 0 < float(loss.detach()) < 1
        assert (logits.grad[:, 1] > 0).all()
        assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_a_batch_does_not_matter(name):
    random = torch.Generator().manual_seed(2)
    logits, targets = torch.randn(5, 2, 8, 8, generator=random), torch.randint(0, 2, (5, 8, 8), generator=random)
    order = torch.tensor([3, 0, 4, 1, 2])
    loss = build_loss(name, (0.5, 2.0))
    assert float(loss(logits[order], targets[order])) == pytest.approx(float(loss(logits, targets)), rel=1e-6)


def test_the_distances_are_of_the_whole_batch_not_means_over_images():
    targets = torch.zeros(2, 1, 10, dtype=torch.long)
    targets[0, 0, :8] = 1
    found = torch.zeros_like(targets)
    found[0, 0, :4] = 1
    found[1, 0, :2] = 1
    assert float(dice_distance(sure(found), targets)) == pytest.approx(1 - (2 * 4 + EPSILON) / (8 + 6 + EPSILON))
    assert float(jaccard_distance(sure(found), targets)) == pytest.approx(1 - (4 + EPSILON) / (10 + EPSILON))


def test_weights_by_hand():
    logits, targets = torch.zeros(1, 2, 1, 4), torch.tensor([[[0, 0, 0, 1]]])
    weighted = (3 * 2 + 10) * np.log(2) / 4  # a quarter, though the weights' sum is 16
    assert float(cross_entropy(logits, targets, torch.tensor([2, 10]))) == pytest.approx(weighted)
    assert float(build_loss("cross_entropy", (2, 10))(logits, targets)) == pytest.approx(weighted)
    assert class_weights([3, 1]) == pytest.approx((2 / 3, 2))
    assert class_weights([90, 9, 1]) == pytest.approx((100 / 270, 100 / 27, 100 / 3))


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=5))
def test_weighted_classes_are_level_and_the_mean_weight_is_one(counts):
    weights = class_weights(counts)
    shares = [weight * count / sum(counts) for weight, count in zip(weights, counts, strict=True)]
    assert shares == pytest.approx([1 / len(counts)] * len(counts))


def test_a_class_without_voxels_has_no_weight():
    with pytest.raises(InputError, match="no voxel of class 1 in the training set"):
        class_weights([100, 0])


def test_a_sum_is_the_sum():
    random = torch.Generator().manual_seed(3)
    logits, targets = torch.randn(2, 2, 8, 8, generator=random), torch.randint(0, 2, (2, 8, 8), generator=random)
    both = build_loss("cross_entropy+dice", (0.5, 3.0))(logits, targets)
    parts = cross_entropy(logits, targets, torch.tensor([0.5, 3.0])), dice_distance(logits, targets)
    assert float(both) == pytest.approx(float(parts[0]) + float(parts[1]))
    everything = build_loss(" + ".join(LOSSES))(logits, targets)
    assert float(everything) == pytest.approx(sum(float(loss(logits, targets)) for loss in LOSSES.values()))


@pytest.mark.parametrize(("name", "nearest"), [("dise", "dice"), ("cross-entropy", "cross_entropy"), ("", "")])
def test_an_unknown_name_is_told_with_the_nearest(name, nearest):
    with pytest.raises(SettingError, match=f"no loss is called '{name}'; the nearest is '{nearest}"):
        build_loss(f"jaccard+{name}")


def test_the_names_are_known_without_torch():
    assert loss_names("multi_dice + jaccard") == ["multi_dice", "jaccard"]
    code = (
        "import sys, lits_toolkit.training.losses as losses; losses.build_loss('dice'); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
