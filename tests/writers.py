"""Cases written out in every layout, for tests: `from writers import small_case, write_ircadb`."""

import json
import shutil
import warnings
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.data.nifti import write_mask, write_volume

ORIENTATIONS = tuple(
    "".join(pair[sign] for pair, sign in zip(axes, signs, strict=True))
    for axes in permutations(("LR", "PA", "SI"))
    for signs in product((0, 1), repeat=3)
)
"""All 48 ways in which a file's axes can point."""


def small_grid(orientation="LPS", spacing_mm=(2.5, 0.8, 0.7), turn_degrees=0.0, shape=(5, 6, 7)):
    """A grid whose axial shape is `shape`, (z, y, x), stored in an orientation, turned about the axis (1, 2, 3)."""
    lps = np.diag([-spacing_mm[2], -spacing_mm[1], spacing_mm[0], 1.0])
    lps[:3, 3] = [83.5, 97.25, -310.5]
    axial_axes = nib.orientations.axcodes2ornt(tuple(orientation), (("R", "L"), ("A", "P"), ("I", "S")))
    affine = lps @ nib.orientations.inv_ornt_aff(axial_axes, shape[::-1])
    axis = np.array([1.0, 2, 3]) / np.sqrt(14)
    cross = np.cross(np.eye(3), axis)
    angle = np.deg2rad(turn_degrees)
    turn = np.eye(4)
    turn[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    axes = axial_axes[:, 0].astype(int)
    stored_shape = np.empty(3, int)
    stored_shape[axes] = shape[::-1]
    return Grid(tuple(int(size) for size in stored_shape), turn @ affine)


def small_case(name="volume-1", grid=None, seed=0):
    """Random HU with a liver, two tumours in it and a cyst at the voxel (1, 1, 1), which is liver."""
    grid = grid or small_grid()
    random = np.random.default_rng(seed)
    mask = np.zeros(grid.axial_shape, np.uint8)
    mask[1:4, 1:5, 1:6] = 1
    mask[2, 2, 2:4] = mask[3, 4, 5] = 2
    return Case(name, random.integers(-1000, 2000, grid.axial_shape).astype(np.int16), grid, mask)


def write_lits(folder, case):
    write_volume(case.volume, case.grid, folder / f"{case.name}.nii.gz")
    write_mask(case.reference, case.grid, folder / f"{case.name.replace('volume-', 'segmentation-')}.nii.gz")


def write_decathlon(folder, case, channel="", part="Tr", labels=None):
    """The Medical Segmentation Decathlon's folders; with `channel="_0000"`, nnU-Net's."""
    write_volume(case.volume, case.grid, folder / f"images{part}" / f"{case.name}{channel}.nii.gz")
    if case.reference is not None:
        write_mask(case.reference, case.grid, folder / f"labels{part}" / f"{case.name}.nii.gz")
    labels = labels or {"0": "background", "1": "liver", "2": "cancer"}
    (folder / "dataset.json").write_text(json.dumps({"name": "Liver", "labels": labels}))


def dicom_slices(array, grid, slope=1, intercept=-1024, signed=False, series=None, number=1):
    """The data sets of an array (i, j, k) stored along `grid`: a row along i, a column along j, a slice per k."""
    series = series or generate_uid()
    study, frame = generate_uid(), generate_uid()
    affine = np.diag([-1.0, -1, 1, 1]) @ grid.affine  # RAS to LPS
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    slices = []
    for k in range(array.shape[2]):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.SeriesNumber, dataset.InstanceNumber = number, k + 1
        dataset.PatientID, dataset.PatientName, dataset.StudyID = "1", "Phantom", "1"
        for empty in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
                      "ReferringPhysicianName", "PositionReferenceIndicator", "Manufacturer"):  # fmt: skip
            setattr(dataset, empty, "")
        dataset.ImageOrientationPatient = [f"{v:.10g}"[:16] for v in (affine[:3, :2] / sizes[:2]).T.ravel()]
        dataset.ImagePositionPatient = [f"{v:.10g}"[:16] for v in affine[:3, 3] + k * affine[:3, 2]]
        dataset.PixelSpacing, dataset.SliceThickness = [sizes[1], sizes[0]], sizes[2]
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.Columns, dataset.Rows = array.shape[:2]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = int(signed)
        stored = (array[:, :, k].T.astype(float) - intercept) / slope
        dataset.PixelData = np.rint(stored).astype("<i2" if signed else "<u2").tobytes()
        slices.append(dataset)
    return slices


def write_dicom(folder, slices, prefix="image_"):
    """Save data sets in an order of names that is not that of their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in zip(np.random.default_rng(0).permutation(len(slices)), slices, strict=True):
        dataset.save_as(folder / f"{prefix}{number}", enforce_file_format=True)


def write_dicom_case(folder, case, **settings):
    write_dicom(folder, dicom_slices(case.grid.from_axial(case.volume), case.grid, **settings))


def write_ircadb(folder, case, zipped=False):
    """3D-IRCADb-01: 0/255 masks of liver, two tumours, a cyst and a kidney, each in a folder, zipped or not."""
    write_dicom_case(folder / "PATIENT_DICOM", case)
    tumor = case.reference == 2
    cyst = np.zeros_like(tumor)
    cyst[1, 1, 1] = True
    first = tumor.copy()
    first[3] = False
    structures = {
        "liver": (case.reference > 0) & ~cyst,
        "livertumor01": first,
        "livertumor02": tumor & ~first,
        "livercyst": cyst,
        "leftkidney": np.ones_like(tumor),
    }
    for name, structure in structures.items():
        stored = case.grid.from_axial(structure.astype(np.uint8) * 255)
        write_dicom(folder / "MASKS_DICOM" / name, dicom_slices(stored, case.grid, intercept=0))
    if zipped:
        for name in ("PATIENT_DICOM", "MASKS_DICOM"):
            shutil.make_archive(str(folder / name), "zip", folder, name)
            shutil.rmtree(folder / name)


def write_seg(path, slices, segments, fractional=False):
    """A DICOM-SEG, written by highdicom, of {name: array (k, j, i) bool} on the slices of `dicom_slices`."""
    import highdicom
    from pydicom.sr.codedict import codes

    described = [
        highdicom.seg.SegmentDescription(
            number, name, codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL", tracking_id=name, tracking_uid=generate_uid()
        )
        for number, name in enumerate(segments, start=1)
    ]
    kind = highdicom.seg.SegmentationTypeValues
    pixels = np.stack(list(segments.values()), axis=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = highdicom.seg.Segmentation(
            slices,
            pixels.astype(float) if fractional else pixels.astype(np.uint8),
            kind.FRACTIONAL if fractional else kind.BINARY,
            described,
            generate_uid(), 7, generate_uid(), 1, "lits", "phantom", "1", "1",
        )  # fmt: skip
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
