"""Losses on logits: softmax over two classes, of which the second is the stage's object (dissertation §2.2.6)."""

from torch import Tensor
from torch.nn import functional

EPSILON = 1.0
"""Added above and below in the distances, so that a batch without the object has a defined loss."""


def dice_distance(logits: Tensor, targets: Tensor) -> Tensor:
    """1 − 2·Σpt / (Σp + Σt) over the whole batch (Milletari et al. 2016; dissertation eq. 2.16).

    Logits (n, 2, ...) and targets (n, ...) of 0 and 1; a scalar in [0, 1].
    """
    probability, target = functional.softmax(logits.float(), 1)[:, 1], targets.float()
    overlap = (probability * target).sum()
    return 1 - (2 * overlap + EPSILON) / (probability.sum() + target.sum() + EPSILON)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over all pixels, in nats; shapes as for `dice_distance`."""
    return functional.cross_entropy(logits.float(), targets.long())


def cross_entropy_and_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """The sum of both: the one is smooth where the object is absent, the other blind to class imbalance."""
    return cross_entropy(logits, targets) + dice_distance(logits, targets)


LOSSES = {
    "cross_entropy": cross_entropy,
    "dice": dice_distance,
    "cross_entropy_and_dice": cross_entropy_and_dice,
}
