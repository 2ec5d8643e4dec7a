import io

import lightning
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lits_toolkit.errors import SettingError
from lits_toolkit.training.lookahead import Lookahead

INSIDE = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, 0.02, weight_decay=0.1, fused=True),
    "radam": lambda parameters: torch.optim.RAdam(parameters, 0.02, decoupled_weight_decay=True, foreach=True),
}


def make_network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def go_on(network, optimizer, steps, schedule=None):
    """Steps on batches that follow from their numbers."""
    for number in steps:
        images = torch.randn(16, 3, generator=torch.Generator().manual_seed(number))
        optimizer.zero_grad()
        (network(images) - images.prod(1, keepdim=True)).square().mean().backward()
        optimizer.step()
        if schedule:
            schedule.step()


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_paper_s_update_by_hand():
    """f(x) = x², rate 0.1 inside: a fast step is x ← 0.8·x, and a cycle of 3 ends at φ + ¼·(0.8³ − 1)·φ."""
    x = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimizer = Lookahead(torch.optim.SGD([x], 0.1), steps=3, rate=0.25)
    slow = 2.0
    for _ in range(4):
        seen = []
        for _ in range(3):
            optimizer.zero_grad()
            x.square().sum().backward()
            optimizer.step()
            seen.append((float(x.detach()), float(optimizer.slow[x])))
        assert seen[:2] == [pytest.approx((slow * 0.8, slow)), pytest.approx((slow * 0.64, slow))]
        slow += 0.25 * (0.512 - 1) * slow
        assert seen[2] == pytest.approx((slow, slow))


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_one_step_of_rate_one_is_the_optimizer_inside(inside):
    plain, wrapped = make_network(), make_network()
    go_on(plain, inside(plain.parameters()), range(10))
    go_on(wrapped, Lookahead(inside(wrapped.parameters()), steps=1, rate=1.0), range(10))
    assert same(plain, wrapped)


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("stop", [0, 4, 5, 7])
def test_resumed_it_ends_bit_for_bit_where_an_uninterrupted_one_does(inside, stop):
    whole, begun = make_network(), make_network()
    go_on(whole, Lookahead(inside(whole.parameters())), range(13))
    first = Lookahead(inside(begun.parameters()))
    go_on(begun, first, range(stop))
    file = io.BytesIO()
    torch.save({"network": begun.state_dict(), "optimizer": first.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    resumed.load_state_dict(state["network"])
    second = Lookahead(inside(resumed.parameters()))
    second.load_state_dict(state["optimizer"])
    assert second.fast_steps == stop
    assert second.param_groups is second.optimizer.param_groups
    assert second.state is second.optimizer.state
    go_on(resumed, second, range(stop, 13))
    assert same(whole, resumed)


def test_a_loaded_state_is_a_copy():
    network = make_network()
    optimizer = Lookahead(INSIDE["sgd"](network.parameters()), steps=2)
    go_on(network, optimizer, range(2))
    state = optimizer.state_dict()
    before = {number: slow.clone() for number, slow in state["slow"].items()}
    other = Lookahead(INSIDE["sgd"](network.parameters()), steps=2)
    other.load_state_dict(state)
    go_on(network, other, range(4))
    assert all(torch.equal(state["slow"][number], slow) for number, slow in before.items())


def test_a_scheduler_reaches_the_optimizer_inside():
    """Without moments each fast step is as long as its rate: 1, ½, ¼, … of a constant slope."""
    x = torch.nn.Parameter(torch.zeros(1))
    optimizer = Lookahead(torch.optim.SGD([x], 1.0), steps=10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    for _ in range(4):
        optimizer.zero_grad()
        x.sum().backward()
        optimizer.step()
        schedule.step()
    assert float(x.detach()) == -(1 + 0.5 + 0.25 + 0.125)
    assert optimizer.optimizer.param_groups[0]["lr"] == 0.5**4


def test_a_parameter_without_gradient_and_one_that_comes_later_are_borne():
    first, idle, later = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    optimizer = Lookahead(torch.optim.Adam([first, idle], 0.1), steps=2)
    first.sum().backward()
    optimizer.step()
    optimizer.add_param_group({"params": [later]})
    later.sum().backward()
    optimizer.step()
    assert torch.equal(idle, torch.ones(2))
    assert later.detach().tolist() == pytest.approx([0.95, 0.95])


def test_the_loss_of_a_closure_comes_back():
    x = torch.nn.Parameter(torch.ones(1))
    optimizer = Lookahead(torch.optim.SGD([x], 0.1))

    def closure():
        optimizer.zero_grad()
        loss = (3 * x).sum()
        loss.backward()
        return loss

    assert float(optimizer.step(closure).detach()) == 3
    assert float(x.detach()) == pytest.approx(0.7)


@pytest.mark.parametrize(("steps", "rate"), [(0, 0.5), (5, 0.0), (5, 1.5)])
def test_what_cannot_be_is_told(steps, rate):
    with pytest.raises(SettingError, match="steps of at least 1 and a rate in"):
        Lookahead(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1), steps, rate)


class Task(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = make_network()

    def training_step(self, batch, _):
        (images,) = batch
        return (self.network(images) - images.prod(1, keepdim=True)).square().mean()

    def configure_optimizers(self):
        optimizer = Lookahead(INSIDE["adamw"](self.parameters()), steps=5)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@pytest.mark.filterwarnings("ignore::Warning")  # Lightning's hints on workers and logging
def test_lightning_trains_saves_and_resumes_with_it(tmp_path):
    images = torch.randn(28, 3, generator=torch.Generator().manual_seed(0))

    def fit(epochs, checkpoint=None):
        trainer = lightning.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, gradient_clip_val=1.0,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        task = Task()
        trainer.fit(task, DataLoader(TensorDataset(images), 4), ckpt_path=checkpoint, weights_only=True)
        return trainer, task

    whole = fit(3)[1]
    trainer, _ = fit(2)  # 14 steps: it stops amid a cycle
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    resumed, task = fit(3, tmp_path / "last.ckpt")
    assert resumed.global_step == 21
    assert resumed.optimizers[0].fast_steps == 21
    assert same(whole, task)
