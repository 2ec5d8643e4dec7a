"""The cascade with real small networks beside a literal slice-by-slice loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional
from writers import ORIENTATIONS, small_grid, write_dicom_case

from lits_toolkit.data.case import Case
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.nifti import write_volume
from lits_toolkit.data.reading import read_case, read_mask
from lits_toolkit.inference.cascade import Thresholds, predict_mask, resize_scan, segment
from lits_toolkit.inference.predict import predict_cases
from lits_toolkit.inference.runtimes import open_model
from lits_toolkit.inference.settings import PredictSettings
from lits_toolkit.models.catalogue import build_model
from lits_toolkit.models.storage import Model

SHAPE = (11, 64, 64)


def model(dimensions: int, stage: str, combine: str = "mask") -> Model:
    """Random weights; batch norms that have seen random images, so that probabilities vary from pixel to pixel."""
    torch.manual_seed(len(stage))
    network = build_model(f"{dimensions}d-mobilenet_v2-top")
    images = torch.rand(4, 9, 32, 32) if dimensions == 2 else torch.rand(4, 1, 8, 32, 32)
    with torch.no_grad():
        for _ in range(20):
            network(images)
    description = {"name": "x", "stage": stage, "window": [-200, 200], "size": 32, "settings": {"combine": combine}}
    return Model(network.eval(), description)


@pytest.fixture(scope="module")
def models():
    return {(d, stage): model(d, stage) for d in (2, 3) for stage in ("liver", "tumor")}


@pytest.fixture(scope="module")
def ct():
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.normal(size=SHAPE), (1, 4, 4))
    return (smooth / smooth.std() * 150).astype(np.int16)


def literal_probability(model, image, wanted):
    """One window at a time over (z, 32, 32) in [0, 1]; zero beyond the ends and on slices not wanted."""
    step, before = (1, 4) if model.network.dimensions == 2 else (4, 2)
    result = np.zeros(image.shape, np.float32)
    for start in range(0, len(image), step):
        if not any(index in wanted for index in range(start, start + step)):
            continue
        window = torch.zeros(step + 2 * before, *image.shape[1:])
        for place in range(len(window)):
            if 0 <= start - before + place < len(image):
                window[place] = torch.from_numpy(image[start - before + place])
        with torch.inference_mode():
            found = torch.softmax(model.network(window[None] if step == 1 else window[None, None]), 1)[0, 1]
        for index, plane in zip(range(start, min(start + step, len(image))), found.reshape(step, 32, 32), strict=False):
            result[index] = plane.numpy()
    return result


def upsampled(probability):
    grown = functional.interpolate(
        torch.from_numpy(probability)[:, None], size=SHAPE[1:], mode="bilinear", align_corners=False
    )
    return grown[:, 0].numpy()


def in_a_gap(values, share):
    """A threshold near a quantile of the values, in the middle of the widest gap there, which no rounding crosses."""
    near = np.unique(values)
    near = near[int(len(near) * (share - 0.02)) : int(len(near) * (share + 0.02))]
    widest = np.diff(near).argmax()
    assert near[widest + 1] - near[widest] > 1e-6
    return float(near[widest : widest + 2].mean())


def literal_cascade(ct, liver_model, tumor_model):
    """§3.1.6 to §3.1.8 word for word, with SciPy; the mask, and the thresholds that it chose."""
    clamped = np.clip(ct, -200, 200).astype(np.float64)
    small = np.rint(clamped.reshape(SHAPE[0], 32, 2, 32, 2).mean(axis=(2, 4)))
    image = ((small + 200) / 400).astype(np.float32)
    probability = upsampled(literal_probability(liver_model, image, range(SHAPE[0])))
    of_liver = in_a_gap(probability, 0.5)
    labels, _ = ndimage.label(probability > of_liver)
    liver = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    inside = liver.reshape(SHAPE[0], 32, 2, 32, 2).sum(axis=(2, 4)) >= 2
    wanted = [z for z in range(SHAPE[0]) if liver[z].any()]
    probability = upsampled(literal_probability(tumor_model, image * inside, wanted))
    of_tumor = in_a_gap(probability[liver], 0.6)
    labels, count = ndimage.label((probability > of_tumor) & liver)
    highest = ndimage.maximum(probability, labels, np.arange(1, count + 1))
    of_component = in_a_gap(highest, 0.5) if count > 50 else float(np.sort(highest)[count // 2] - 1e-6)
    mask = liver.astype(np.uint8)
    for number in range(1, count + 1):
        if highest[number - 1] >= of_component:
            mask[labels == number] = 2
    return mask, Thresholds(of_liver, of_tumor, of_component)


@pytest.mark.parametrize(("liver", "tumor"), [(2, 2), (3, 3), (2, 3)])
def test_the_cascade_is_the_literal_one_whatever_the_batch(models, ct, liver, tumor):
    liver_model, tumor_model = models[liver, "liver"], models[tumor, "tumor"]
    expected, thresholds = literal_cascade(ct, liver_model, tumor_model)
    assert set(np.unique(expected)) == {0, 1, 2}
    runners = open_model(tumor_model), open_model(liver_model)
    for batch_size in (1, 3, 8):
        found = predict_mask(ct, *runners, thresholds=thresholds, batch_size=batch_size)
        np.testing.assert_array_equal(found, expected)
    again = segment(resize_scan(ct, tumor_model, liver_model), *runners, thresholds=thresholds)
    np.testing.assert_array_equal(again.mask, expected)
    assert "resize" not in again.seconds


def test_in_the_livers_box_the_network_sees_the_box_alone(models):
    shapes = []
    tumor = open_model(replace(models[2, "tumor"], description=models[2, "tumor"].description | {"size": 128}))
    runner = replace(tumor, run=lambda windows: (shapes.append(windows.shape[2:]), tumor.run(windows))[1])
    volume = np.random.default_rng(0).integers(-200, 200, (6, 128, 128)).astype(np.int16)
    liver = np.zeros(volume.shape, bool)
    liver[1:5, 40:75, 100:120] = True
    found = segment(volume, runner, liver=liver, thresholds=Thresholds(tumor=0), box=True)
    assert set(shapes) == {(64, 32)}
    rows, columns = (np.flatnonzero(found.tumor_probability.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    assert (len(rows), len(columns)) == (64, 32)
    assert rows[0] <= 40 < 75 <= rows[-1] + 1
    assert columns[0] <= 100 < 120 <= columns[-1] + 1
    everywhere = np.ones_like(liver)
    whole = segment(volume, runner, liver=everywhere, box=False)
    np.testing.assert_array_equal(
        segment(volume, runner, liver=everywhere, box=True).tumor_probability, whole.tumor_probability
    )


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "RAI", "SLP", "PIR", "ASL"])
@pytest.mark.parametrize("form", [".nii", ".nii.gz", "dicom"])
def test_however_a_ct_is_stored_its_mask_is_the_same_in_the_patient(models, ct, tmp_path, orientation, form):
    """Turned obliquely as well."""
    liver_model, tumor_model = models[2, "liver"], models[2, "tumor"]
    expected, thresholds = literal_cascade(ct, liver_model, tumor_model)
    assert orientation in ORIENTATIONS
    grid = small_grid(orientation, turn_degrees=8, shape=SHAPE)
    if form == "dicom":
        write_dicom_case(tmp_path / "ct" / "anna", Case("anna", ct, grid))
        (files,) = find_cases(tmp_path / "ct")
    else:
        (tmp_path / "ct").mkdir()
        write_volume(ct, grid, tmp_path / "ct" / f"anna{form}")
        (files,) = find_cases(tmp_path / "ct" / f"anna{form}")
    predict_cases([files], tmp_path / "out", tumor_model, liver_model, PredictSettings(thresholds))
    place = tmp_path / "out" / "segmentation-anna.nii.gz"
    np.testing.assert_array_equal(read_mask(place, read_case(files).grid), expected)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_around_a_short_liver_the_network_sees_the_slices_that_a_literal_loop_sees(models, dimensions):
    """A liver far from both ends of a long CT, that begins within a block of four."""
    tumor_model = models[dimensions, "tumor"]
    volume = np.random.default_rng(0).integers(-200, 200, (47, 32, 32)).astype(np.int16)
    tumor_model.description["settings"] = {"combine": "add"}
    try:
        for first, last in ((21, 26), (0, 3), (41, 46)):
            liver = np.zeros(volume.shape, bool)
            liver[first : last + 1, 8:24, 8:24] = True
            image = ((volume + 200) / 400).astype(np.float32) + liver
            expected = literal_probability(tumor_model, image, range(first, last + 1))
            found = segment(volume, open_model(tumor_model), liver=liver).tumor_probability
            np.testing.assert_allclose(found, expected, atol=2e-5)
    finally:
        tumor_model.description["settings"] = {"combine": "mask"}
