import pytest
import torch

from lits_toolkit.data.augmentation import UNCHANGED
from lits_toolkit.errors import TrainingError
from lits_toolkit.training.lookahead import Lookahead
from lits_toolkit.training.settings import TrainSettings
from lits_toolkit.training.task import SegmentationTask


def task(steps=10, **settings):
    return SegmentationTask(TrainSettings(**settings), steps, cases={"training": ["volume-3", "volume-8"]})


def test_the_rate_rises_over_the_warm_up_and_waits_for_plateaus():
    found = task(warm_up=0.5, schedule="plateau")
    assert [found.rate_at(step) for step in (0, 1, 4, 5, 400)] == pytest.approx([0.2, 0.4, 1, 1, 1])
    found.reduction = 0.25
    assert [found.rate_at(step) for step in (0, 5, 400)] == pytest.approx([0.05, 0.25, 0.25])


def test_along_a_cosine_it_falls_to_next_to_nothing_over_all_epochs():
    found = task(warm_up=0, schedule="cosine", epochs=4)
    assert [found.rate_at(step) for step in (0, 20, 40)] == pytest.approx([1, 0.02 + 0.98 / 2, 0.02])


def test_while_weights_are_averaged_it_stays():
    found = task(swa_rate=0.3)
    found.averaging = True
    assert [found.rate_at(step) for step in (0, 100)] == [0.3, 0.3]


@pytest.mark.parametrize(("optimizer", "lookahead", "kind"), [
    ("radam", True, torch.optim.RAdam), ("radam", False, torch.optim.RAdam), ("adamw", True, torch.optim.AdamW),
])  # fmt: skip
def test_the_optimiser_is_the_one_asked_for(optimizer, lookahead, kind):
    found = task(optimizer=optimizer, lookahead=lookahead, lookahead_steps=7, lookahead_rate=0.8, weight_decay=0.01)
    made = found.configure_optimizers()["optimizer"]
    assert isinstance(made, Lookahead) == lookahead
    inner = made.optimizer if lookahead else made
    assert isinstance(inner, kind)
    assert inner.param_groups[0]["weight_decay"] == 0.01
    if lookahead:
        assert (made.steps, made.rate) == (7, 0.8)


def test_each_epoch_has_an_augmentation_of_its_own_and_always_the_same(monkeypatch):
    def drawn(seed, epoch):
        learner = task(seed=seed)
        monkeypatch.setattr(SegmentationTask, "current_epoch", epoch)
        learner.on_train_epoch_start()
        return torch.rand(4, generator=learner.random).tolist()

    assert drawn(0, 1) == drawn(0, 1)
    assert len({tuple(drawn(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize(("longest", "found"), [(5.0, 5.0), (0.0, 12.0), (20.0, 12.0)])
def test_a_gradient_is_shortened_to_the_length_asked_for(longest, found):
    learner = task(gradient_clip=longest)
    first = next(learner.parameters())
    first.grad = torch.zeros_like(first)
    first.grad[0, 0, 0, 0] = 12.0
    learner.on_before_optimizer_step(torch.optim.SGD([first], 1.0))
    assert float(first.grad.norm()) == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("stage", ["liver", "tumor"])
def test_the_augmentation_is_table_3_1_with_flips_in_the_tumour_stage_alone(stage):
    found = task(stage=stage).augmentation
    assert (found.rotation_degrees, found.shear_degrees, found.translation_pixels) == (15, 10, 16)
    assert (found.scale_percent, found.noise, found.elastic_share, found.gain) == (12.5, 0.005, 0.1, 0)
    assert found.flip == (0.5 if stage == "tumor" else 0)
    assert task(augment=False).augmentation == UNCHANGED


def test_a_loss_that_is_no_number_names_the_samples():
    found, where = task(), torch.tensor([[1, 12], [0, 5]])
    found.require_finite(torch.tensor(0.5), "training", 0, where)
    with pytest.raises(TrainingError, match=r"became inf in epoch 1, batch 3: volume-8 slice 12, volume-3 slice 5\."):
        found.require_finite(torch.tensor(float("inf")), "training", 2, where)
