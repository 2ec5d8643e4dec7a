from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from lits_toolkit.data.phantom.scanner import (
    HIGHEST_HU,
    LOWEST_HU,
    add_streaks,
    draw_scanner,
    noise_filter,
    scan_slice,
)
from lits_toolkit.data.phantom.space import Part


@pytest.fixture
def scanner():
    return replace(draw_scanner(np.random.default_rng(0), (2.5, 0.75, 0.75)), cutoff_per_mm=0.25, lying=0.0, metal=None)


def filtered(passed, shape, draws=12):
    random = np.random.default_rng(1)
    return np.stack([fft.irfft2(fft.rfft2(random.standard_normal(shape)) * passed, shape) for _ in range(draws)])


@pytest.mark.parametrize("shape", [(96, 96), (75, 81), (64, 97)])
@pytest.mark.parametrize("lying", [0.0, 1.4])
def test_filtered_noise_has_unit_deviation(scanner, shape, lying):
    noise = filtered(noise_filter(replace(scanner, lying=lying), shape, 0.8), shape)
    assert noise.mean() == pytest.approx(0, abs=0.05)
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_power_over_frequency_is_the_kernels(scanner):
    shape, pixel = (128, 128), 0.8
    noise = filtered(noise_filter(scanner, shape, pixel), shape, 30)
    power = (np.abs(fft.fft2(noise)) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(fft.fftfreq(128, pixel), fft.fftfreq(128, pixel)))
    rings = [(frequency >= low) & (frequency < low + 0.04) for low in np.arange(0.02, 0.42, 0.04)]
    kernel = (frequency + 0.01) * np.exp(-2 * (frequency / 0.25) ** 2)
    found, wanted = (np.array([values[ring].mean() for ring in rings]) for values in (power, kernel))
    np.testing.assert_allclose(found / found.sum(), wanted / wanted.sum(), rtol=0.12)


def test_a_sharp_kernel_passes_higher_frequencies(scanner):
    def mean_frequency(cutoff):
        passed = noise_filter(replace(scanner, cutoff_per_mm=cutoff), (96, 96), 0.8) ** 2
        frequency = np.hypot(np.abs(fft.fftfreq(96, 0.8))[:, None], fft.rfftfreq(96, 0.8)[None])
        return (frequency * passed).sum() / passed.sum()

    assert mean_frequency(0.4) > 1.5 * mean_frequency(0.18)


def test_photons_missing_along_x_make_streaks_along_x(scanner):
    noise = filtered(noise_filter(replace(scanner, lying=1.4), (96, 96), 0.8), (96, 96))
    along_x = (noise[:, :, 6:] * noise[:, :, :-6]).mean()
    along_y = (noise[:, 6:] * noise[:, :-6]).mean()
    assert along_x > along_y + 0.05


def test_thin_slices_and_small_pixels_have_more_noise():
    thick, thin = (draw_scanner(np.random.default_rng(3), (slice_mm, 0.9, 0.9)) for slice_mm in (5, 1))
    assert thin.sigma_hu > 1.4 * thick.sigma_hu
    drawn = [draw_scanner(np.random.default_rng(seed), (2, 0.8, 0.8)) for seed in range(100)]
    assert all(4 <= one.sigma_hu <= 45 and 0 <= one.between_slices <= 0.6 for one in drawn)
    assert {one.padding for one in drawn} == {-1024, -1000, -2048, -3024}
    assert 0.3 < np.mean([one.round_field for one in drawn]) < 0.7
    assert any(one.metal for one in drawn)


def test_a_slice_is_rounded_clipped_and_padded(scanner):
    hu = np.array([[-1500.0, 40.4], [40.6, 9000.0]])
    noise = np.array([[0.0, 1.0], [0.0, 0.0]])
    outside = np.zeros((2, 2), bool)
    found = scan_slice(hu, noise, scanner, np.full((2, 2), 10.0), outside)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, [[LOWEST_HU, 50], [41, HIGHEST_HU]])
    outside[1, 0] = True
    padded = scan_slice(hu, noise, replace(scanner, padding=-2048), np.full((2, 2), 10.0), outside)
    np.testing.assert_array_equal(padded, [[LOWEST_HU, 50], [-2048, HIGHEST_HU]])


def test_metal_shines_in_its_own_slices_alone(scanner, cube, straight):
    axes = (np.arange(-30, 31, 5.0), *cube.axes[1:])
    part = Part.empty(axes, straight, 2.0)
    part.hu[:] = 50
    add_streaks(part, scanner)
    assert (part.hu == 50).all()
    add_streaks(part, replace(scanner, metal=(10.0, 0.0, 4.0)))
    changed = (part.hu != 50).any((1, 2))
    np.testing.assert_array_equal(axes[0][changed], [5, 10, 15])
    assert part.hu.max() == 3000
    place = np.unravel_index(part.hu[8].argmax(), part.hu[8].shape)
    assert abs(axes[1][place[0]]) <= 2
    assert abs(axes[2][place[1]] - 4) <= 2
    assert part.hu[8].min() < 20
