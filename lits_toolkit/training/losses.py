"""Losses on logits (dissertation §2.2.6): cross entropy, the Dice and Jaccard distances, and sums of them.

Logits are (n, C, ...) of any floating type, computed in float32 at least, targets (n, ...) whole numbers from 0 to
C − 1: 2D and 3D alike. Sums run over all N voxels of the batch. y is 1 in voxels of a class and 0 elsewhere, p the
softmax's probability of that class; of two classes the second is the stage's object.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from lits_toolkit.errors import InputError, SettingError, nearest

if TYPE_CHECKING:
    from torch import Tensor

LossName = Literal["cross_entropy", "dice", "jaccard", "multi_dice"]

EPSILON = 1.0
"""One voxel, above and below in the distances, so that a batch without the object has a defined and smooth loss."""


def cross_entropy(logits: "Tensor", targets: "Tensor", class_weights: "Tensor | None" = None) -> "Tensor":
    """−1/N Σ w·y·log p in nats (eq. 2.6): divided by the voxels, not by the sum of their weights; a scalar ≥ 0.

    `class_weights` are (C,) of any type and on any device; all 1 where there are none.
    """
    from torch.nn import functional

    logits = _widened(logits)
    weights = None if class_weights is None else class_weights.to(logits)
    return functional.cross_entropy(logits, targets.long(), weights, reduction="none").mean()


def dice_distance(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """1 − 2·Σyp / Σ(y² + p²) of class 1 (eq. 2.8, after Milletari et al. 2016); a scalar in [0, 1]."""
    return _dice_distance(_widened(logits).softmax(1), targets, 1)


def jaccard_distance(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """1 − Σyp / (Σy² + Σp² − Σyp) of class 1 (eq. 2.10); a scalar in [0, 1]."""
    overlap, squares = _overlap_and_squares(_widened(logits).softmax(1), targets, 1)
    return 1 - (overlap + EPSILON) / (squares - overlap + EPSILON)


def multi_class_dice(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """The mean Dice distance of all C classes, background included (eq. 2.11); a scalar in [0, 1]."""
    import torch

    probabilities = _widened(logits).softmax(1)
    return torch.stack([_dice_distance(probabilities, targets, c) for c in range(logits.shape[1])]).mean()


LOSSES: "dict[LossName, Callable[[Tensor, Tensor], Tensor]]" = {
    "cross_entropy": cross_entropy,
    "dice": dice_distance,
    "jaccard": jaccard_distance,
    "multi_dice": multi_class_dice,
}


def loss_names(names: str) -> list[LossName]:
    """The losses that "cross_entropy+dice" is the sum of; SettingError, with the nearest name, for an unknown one."""
    known = {str(name): name for name in LOSSES}
    parts = [part.strip() for part in names.split("+")]
    for part in parts:
        if part not in known:
            raise SettingError(
                f"no loss is called {part!r}; {nearest(part, known)} of {', '.join(known)}, "
                "and a sum is written as cross_entropy+dice"
            )
    return [known[part] for part in parts]


def build_loss(names: str, class_weights: Sequence[float] | None = None) -> "Callable[[Tensor, Tensor], Tensor]":
    """The loss of that name, or the sum of several: of logits and targets, as the functions above.

    In "cross_entropy+dice" the one is smooth where the object is absent, the other blind to class imbalance.
    `class_weights`, one for each class, go to the cross entropy alone. Raises SettingError as `loss_names`.
    """
    functions = [LOSSES[name] for name in loss_names(names)]
    if class_weights is not None:
        import torch

        weighted = partial(cross_entropy, class_weights=torch.tensor(class_weights, dtype=torch.float64))
        functions = [weighted if function is cross_entropy else function for function in functions]

    def loss(logits: "Tensor", targets: "Tensor") -> "Tensor":
        first, *others = (function(logits, targets) for function in functions)
        return sum(others, first)

    return loss


def class_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weights for the cross entropy from the voxels of each class in the training set: N / (C · Nc).

    Each class then weighs as much as any other, and the mean weight of a voxel is 1. The dissertation takes the
    weights "from the class distribution" (§2.2.6) and prints no formula. Raises InputError for a class without a
    voxel: it cannot be learnt, and a weight of 0 would hide that.
    """
    absent = [str(c) for c, count in enumerate(counts) if count <= 0]
    if absent:
        raise InputError(f"no voxel of class {', '.join(absent)} in the training set: expected some of each to weigh")
    return tuple(sum(counts) / (len(counts) * count) for count in counts)


def _dice_distance(probabilities: "Tensor", targets: "Tensor", index: int) -> "Tensor":
    overlap, squares = _overlap_and_squares(probabilities, targets, index)
    return 1 - (2 * overlap + EPSILON) / (squares + EPSILON)


def _overlap_and_squares(probabilities: "Tensor", targets: "Tensor", index: int) -> "tuple[Tensor, Tensor]":
    """Σyp and Σ(y² + p²) of one class."""
    probability, target = probabilities[:, index], (targets == index).to(probabilities)
    return (probability * target).sum(), target.sum() + probability.square().sum()


def _widened(logits: "Tensor") -> "Tensor":
    return logits if logits.dtype.itemsize > 4 else logits.float()
