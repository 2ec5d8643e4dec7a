"""The encoders' hyperparameters: Appendix A.2 of the dissertation (Tustumi 2020), one row per layer.

Where its tables contradict its figures, the rows here are the ones that give the published parameter counts;
`docs/design.md` lists every such choice.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderLayer:
    """`repetitions` equal blocks, of which the first has the stride and takes `features_in`."""

    repetitions: int
    kernel: int
    stride: tuple[int, ...]
    expansion: int
    features_in: int
    features_out: int
    se_squeeze: float = 0.25


def _encoder(*rows: tuple[int, int, tuple[int, ...], int, int, int]) -> tuple[EncoderLayer, ...]:
    return tuple(EncoderLayer(*row) for row in rows)


ENCODERS: dict[str, tuple[EncoderLayer, ...]] = {
    # Table A.5; layer 1 is printed with expansion 1, the published counts need 6
    "2d-mobilenet_v2-top": _encoder(
        (2, 3, (1, 1), 6, 32, 16),
        (2, 3, (2, 2), 6, 16, 24),
        (2, 5, (2, 2), 6, 24, 40),
        (2, 3, (2, 2), 6, 40, 80),
        (2, 5, (1, 1), 6, 80, 112),
        (3, 5, (2, 2), 6, 112, 192),
        (1, 3, (1, 1), 6, 192, 320),
    ),
    # Table A.3
    "2d-mobilenet_v2-default": _encoder(
        (1, 3, (1, 1), 1, 32, 16),
        (2, 3, (2, 2), 6, 16, 24),
        (2, 5, (2, 2), 6, 24, 40),
        (3, 3, (2, 2), 6, 40, 80),
        (3, 5, (1, 1), 6, 80, 112),
        (4, 5, (2, 2), 6, 112, 192),
        (1, 3, (1, 1), 6, 192, 320),
    ),
    # Table A.4
    "2d-mobilenet_v2-bottom": _encoder(
        (1, 3, (1, 1), 1, 32, 16),
        (1, 3, (2, 2), 6, 16, 24),
        (1, 5, (2, 2), 6, 24, 40),
        (3, 3, (2, 2), 6, 40, 80),
        (4, 5, (1, 1), 6, 80, 112),
        (4, 5, (2, 2), 6, 112, 192),
        (2, 3, (1, 1), 6, 192, 320),
    ),
    # Table A.14
    "3d-mobilenet_v2-top": _encoder(
        (2, 3, (1, 1, 1), 1, 16, 8),
        (2, 3, (1, 2, 2), 6, 8, 12),
        (2, 5, (2, 2, 2), 6, 12, 20),
        (2, 3, (2, 2, 2), 6, 20, 40),
        (2, 5, (1, 1, 1), 6, 40, 56),
        (3, 5, (1, 2, 2), 6, 56, 96),
        (1, 3, (1, 1, 1), 6, 96, 160),
    ),
    # Table A.12
    "3d-mobilenet_v2-default": _encoder(
        (1, 3, (1, 1, 1), 1, 16, 8),
        (2, 3, (1, 2, 2), 6, 8, 12),
        (2, 5, (2, 2, 2), 6, 12, 20),
        (3, 3, (2, 2, 2), 6, 20, 40),
        (3, 5, (1, 1, 1), 6, 40, 56),
        (4, 5, (1, 2, 2), 6, 56, 96),
        (1, 3, (1, 1, 1), 6, 96, 160),
    ),
    # Table A.13
    "3d-mobilenet_v2-bottom": _encoder(
        (1, 3, (1, 1, 1), 1, 16, 8),
        (2, 3, (1, 2, 2), 6, 8, 12),
        (2, 5, (2, 2, 2), 6, 12, 20),
        (3, 3, (2, 2, 2), 6, 20, 40),
        (4, 5, (1, 1, 1), 6, 40, 56),
        (4, 5, (1, 2, 2), 6, 56, 96),
        (4, 3, (1, 1, 1), 6, 96, 160),
    ),
}
