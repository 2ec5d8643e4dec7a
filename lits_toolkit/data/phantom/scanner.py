"""What a scanner adds: noise with the correlation of a reconstruction, streaks from metal, padding."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from lits_toolkit.data.phantom.space import Part

LOWEST_HU, HIGHEST_HU = -1024, 3071
CUTOFF_PER_MM = (0.14, 0.6)
"""From a CT that was resampled to coarse voxels to the sharpest kernel for soft tissue."""


@dataclass(frozen=True)
class Scanner:
    """One protocol: dose, kernel, and its flaws."""

    sigma_hu: float
    """Deviation of the noise in the middle of the body."""
    cutoff_per_mm: float
    """Where the kernel's pass band ends: a smooth one low, a sharp one high."""
    between_slices: float
    """Share of a slice's noise that its neighbour has too."""
    lying: float
    """How much stronger the noise is along x, through shoulders, hips and arms."""
    metal: tuple[float, float, float] | None
    """z, y, x of a clip or stent in mm, if there is one."""
    padding: int
    """HU outside the round field of view."""
    round_field: bool

    @property
    def blur_mm(self) -> float:
        """Over which the kernel blurs an edge: what lets no fine noise pass lets no sharp edge pass either."""
        return 0.65 / self.cutoff_per_mm


def draw_scanner(random: np.random.Generator, spacing_mm: tuple[float, float, float]) -> Scanner:
    """Any protocol; the thinner the slices and the smaller the pixels, the more noise."""
    dose = (0.75 / spacing_mm[1]) ** 0.6 * (2.5 / spacing_mm[0]) ** 0.35
    metal = (random.uniform(-60, 60), random.uniform(-60, 60), random.uniform(-80, 80))
    return Scanner(
        sigma_hu=float(np.clip(random.uniform(9, 21) * dose, 4, 45)),
        cutoff_per_mm=float(np.exp(random.uniform(*np.log(CUTOFF_PER_MM)))),
        between_slices=float(np.clip(random.uniform(0.1, 0.6) / spacing_mm[0], 0, 0.6)),
        lying=random.uniform(0, 1.4),
        metal=metal if random.random() < 0.05 else None,
        padding=int(random.choice([-1024, -1000, -2048, -3024], p=[0.55, 0.15, 0.2, 0.1])),
        round_field=bool(random.random() < 0.5),
    )


def noise_filter(scanner: Scanner, shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
    """(y, x // 2 + 1) float32: the amplitude of each spatial frequency, so that white noise gets unit deviation."""
    fy = np.abs(fft.fftfreq(shape[0], pixel_mm))[:, None]
    fx = fft.rfftfreq(shape[1], pixel_mm)[None]
    frequency = np.hypot(fy, fx)
    passed = np.sqrt(frequency + 0.01) * np.exp(-((frequency / scanner.cutoff_per_mm) ** 2))
    passed *= 1 + scanner.lying * np.exp(-((fx / 0.035) ** 2)) * (fy > 0.02)
    weights = np.full(passed.shape, 2.0)  # all but the first and the last column stand for two
    weights[:, 0] = 1
    if shape[1] % 2 == 0:
        weights[:, -1] = 1
    return (passed / np.sqrt((passed**2 * weights).sum() / np.prod(shape))).astype(np.float32)


def add_streaks(part: Part, scanner: Scanner) -> None:
    """Bright and dark rays from the metal, in the slices that hold it."""
    if scanner.metal is None:
        return
    z, y, x = scanner.metal
    near = np.flatnonzero(np.abs(part.axes[0] - z) < 6)
    if len(near) == 0:
        return
    dy, dx = (part.axes[1] - y)[:, None], (part.axes[2] - x)[None]
    distance, angle = np.hypot(dy, dx), np.arctan2(dy, dx)
    rays = np.cos(7 * angle + 1) + 0.8 * np.cos(12 * angle + 2.2) + 0.6 * np.cos(19 * angle)
    streaks = (150 * rays * np.exp(-distance / 28)).astype(np.float32)
    part.hu[near] += np.where(part.hu[near] > -900, streaks, 0.3 * streaks)
    part.hu[near] = np.where(distance < 3, 3000, part.hu[near])


def scan_slice(
    hu: np.ndarray, noise: np.ndarray, scanner: Scanner, strength: np.ndarray, outside: np.ndarray | None
) -> np.ndarray:
    """One slice as the scanner stores it, (y, x) int16: noise added, clipped, padded."""
    stored = np.clip(np.rint(hu + noise * strength), LOWEST_HU, HIGHEST_HU).astype(np.int16)
    if outside is not None:
        stored[outside] = scanner.padding
    return stored
