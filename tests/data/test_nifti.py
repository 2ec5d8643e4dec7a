import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lits_toolkit.data.case import Grid
from lits_toolkit.data.nifti import decode_nifti, read_nifti, read_nifti_grid, write_mask, write_volume
from lits_toolkit.data.reading import read_case, read_grid, read_mask
from lits_toolkit.errors import GeometryError, InputError, OutputError

AFFINE = np.array([[-0.7, 0, 0, 80], [0, 0.8, 0, -90], [0, 0, -2.5, 300], [0, 0, 0, 1.0]])


def write(path, array, affine=AFFINE, sform=2, qform=1):
    image = nib.Nifti1Image(array, affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    image.header["descrip"] = b"a scanner's own words"
    nib.save(image, path)
    return image


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_ct_reads_as_nibabel_reads_it(tmp_path, ending):
    hu = np.random.default_rng(0).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)
    write(tmp_path / f"volume-3{ending}", hu)
    case = read_case(tmp_path / f"volume-3{ending}")
    closest = nib.as_closest_canonical(nib.load(tmp_path / f"volume-3{ending}"))
    expected = np.asarray(closest.dataobj)[::-1, ::-1].transpose(2, 1, 0)  # RAS to LPS, then (z, y, x)
    np.testing.assert_array_equal(case.volume, expected)
    assert case.volume.dtype == np.int16
    assert case.name == "volume-3"
    np.testing.assert_allclose(case.spacing_mm, (2.5, 0.8, 0.7))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_mask_gets_back_the_cts_grid_affine_and_header(tmp_path, ending):
    write(tmp_path / "volume-0.nii.gz", np.zeros((5, 6, 7), np.int16), sform=2, qform=1)
    case = read_case(tmp_path / "volume-0.nii.gz")
    mask = np.random.default_rng(0).integers(0, 3, (7, 6, 5)).astype(np.uint8)
    write_mask(mask, case.grid, tmp_path / f"m{ending}")
    ct, written = nib.load(tmp_path / "volume-0.nii.gz"), nib.load(tmp_path / f"m{ending}")
    assert written.shape == ct.shape
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.affine, ct.affine)
    unequal = [key for key in ct.header if not np.array_equal(ct.header[key], written.header[key], equal_nan=False)]
    assert set(unequal) <= {"datatype", "bitpix", "scl_slope", "scl_inter"}
    np.testing.assert_array_equal(read_mask(tmp_path / f"m{ending}", case.grid), mask)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([-1, 1])] * 3))
def test_round_trip_on_any_grid(tmp_path, seed, axes, signs):
    random = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[list(axes)] * signs * random.uniform(0.5, 5, 3)
    affine[:3, :3] += random.uniform(-0.05, 0.05, (3, 3))  # oblique
    affine[:3, 3] = random.uniform(-200, 200, 3)
    grid = Grid(tuple(int(n) for n in random.integers(1, 6, 3)), affine)
    mask = random.integers(0, 3, grid.axial_shape).astype(np.uint8)
    write_mask(mask, grid, tmp_path / "m.nii.gz", overwrite=True)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz", grid), mask)
    np.testing.assert_allclose(read_grid(tmp_path / "m.nii.gz").affine, affine, atol=1e-4)


def test_slope_and_intercept_give_rounded_hu(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, -1000)
    nib.save(image, tmp_path / "a.nii")
    case = read_case(tmp_path / "a.nii")
    assert case.volume.min() == -1000
    assert case.volume.max() == round(-1000 + 0.5 * 23)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_volume_written_onto_a_big_endian_cts_header_keeps_its_numbers(tmp_path, ending):
    hu = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4)
    nib.save(
        nib.Nifti1Image(hu.astype(">i2"), np.diag([-1, -1, 1, 1]), nib.Nifti1Header(endianness=">")), tmp_path / "a.nii"
    )
    assert (tmp_path / "a.nii").read_bytes()[:4] == b"\0\0\1\x5c"  # the header's size, highest byte first
    case = read_case(tmp_path / "a.nii")
    write_volume(case.volume, case.grid, tmp_path / f"b{ending}")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / f"b{ending}").dataobj), hu)


def test_labels_stay_integers(tmp_path):
    write(tmp_path / "m.nii", np.full((2, 2, 2), 1.9999, np.float32))
    assert (read_mask(tmp_path / "m.nii") == 2).all()
    write(tmp_path / "n.nii", np.full((2, 2, 2), 1.4, np.float32))
    with pytest.raises(InputError, match=r"n\.nii.*integer.*1\.4"):
        read_mask(tmp_path / "n.nii")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("this is no CT"), "expected a NIfTI file"),
        (lambda path: path.write_text("this is no CT either, and longer than a header\n" * 30), "its header is none"),
        (lambda path: path.write_bytes(b""), "expected a NIfTI file"),
        (lambda path: write(path, np.zeros((3, 4, 5, 2), np.int16)), "3 dimensions"),
        (lambda path: write(path, np.zeros((3, 4), np.int16)), "3 dimensions"),
        (lambda path: write(path, np.full((3, 4, 5), np.nan, np.float32)), "finite numbers, found 60 voxels"),
        (lambda path: write(path, np.zeros((3, 4, 5), np.complex64)), "real numbers"),
    ],
)
def test_what_is_no_ct_is_told_with_the_file(tmp_path, make, said):
    path = tmp_path / "volume-3.nii"
    make(path)
    with pytest.raises(InputError, match=said) as error:
        read_case(path)
    if "header" in said:
        with pytest.raises(InputError, match=said):
            read_nifti_grid(path)
    assert "volume-3.nii" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_truncated_file_is_told(tmp_path, ending):
    whole = tmp_path / f"whole{ending}"
    write(whole, np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16))
    (tmp_path / f"half{ending}").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match="half"):
        read_case(tmp_path / f"half{ending}")


def test_a_mask_of_another_grid_is_refused_with_expected_and_found(tmp_path):
    write(tmp_path / "volume-1.nii", np.zeros((3, 4, 5), np.int16))
    write(tmp_path / "segmentation-1.nii", np.zeros((3, 4, 6), np.uint8))
    with pytest.raises(GeometryError, match=r"\(3, 4, 5\), found \(3, 4, 6\)"):
        read_case(tmp_path / "volume-1.nii")
    moved = AFFINE.copy()
    moved[0, 3] += 5
    write(tmp_path / "segmentation-1.nii", np.zeros((3, 4, 5), np.uint8), moved)
    with pytest.raises(GeometryError, match="up to 5 mm"):
        read_case(tmp_path / "volume-1.nii")


def test_nothing_is_overwritten_silently_and_nothing_half_written(tmp_path, monkeypatch):
    grid = Grid((3, 4, 5), AFFINE)
    write_mask(np.zeros((5, 4, 3), np.uint8), grid, tmp_path / "m.nii.gz")
    with pytest.raises(OutputError, match="exists already"):
        write_mask(np.ones((5, 4, 3), np.uint8), grid, tmp_path / "m.nii.gz")
    with pytest.raises(GeometryError, match="shape"):
        write_mask(np.ones((5, 4, 4), np.uint8), grid, tmp_path / "n.nii.gz")
    with pytest.raises(OutputError, match="ends in"):
        write_mask(np.ones((5, 4, 3), np.uint8), grid, tmp_path / "n.mha")
    assert [path.name for path in tmp_path.iterdir()] == ["m.nii.gz"]


def test_gzip_of_any_tool_can_read_what_is_written(tmp_path):
    grid = Grid((3, 4, 5), AFFINE)
    volume = np.random.default_rng(0).integers(-1000, 1000, (5, 4, 3)).astype(np.int16)
    write_volume(volume, grid, tmp_path / "v.nii.gz")
    stored = nib.Nifti1Image.from_bytes(gzip.decompress((tmp_path / "v.nii.gz").read_bytes()))
    np.testing.assert_array_equal(grid.to_axial(np.asarray(stored.dataobj)), volume)


def test_real_ct_goes_there_and_back(real_ct, tmp_path):
    for path in sorted(real_ct.glob("volume-*.nii.gz")):
        case = read_case(path)
        mask = (case.volume > 100).astype(np.uint8)
        write_mask(mask, case.grid, tmp_path / path.name)
        ct, written = nib.load(path), nib.load(tmp_path / path.name)
        assert written.shape == ct.shape
        np.testing.assert_array_equal(written.affine, ct.affine)
        assert nib.aff2axcodes(written.affine) == nib.aff2axcodes(ct.affine)
        np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(ct.dataobj) > 100)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "<u2", "<f4", "<i4"])
@pytest.mark.parametrize("scaling", [(1, 0), (2, -1024), (0.5, 10), (3000, 0)])
def test_voxels_are_nibabels_whatever_their_form(tmp_path, ending, kind, dtype, scaling):
    array = np.random.default_rng(0).integers(0, 200, (3, 4, 5)).astype(dtype)
    image = kind(array, AFFINE)
    image.header.set_data_dtype(dtype)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 1000))  # behind a header's own end
    image.header.set_slope_inter(*scaling)
    nib.save(image, tmp_path / f"v{ending}")
    peer = np.asanyarray(nib.load(tmp_path / f"v{ending}").dataobj)
    found = read_nifti(tmp_path / f"v{ending}")
    np.testing.assert_array_equal(found.voxels, peer)
    if dtype[1] in "iu" and dtype[2:] != "4" and scaling == (2, -1024):
        assert found.voxels.dtype == np.int16
    np.testing.assert_array_equal(read_nifti_grid(tmp_path / f"v{ending}").affine, found.grid.affine)
    again = decode_nifti((tmp_path / "v.nii").read_bytes(), "v") if ending == ".nii" else found
    np.testing.assert_array_equal(again.voxels, peer)


def test_a_byte_that_was_changed_is_noticed_by_the_checksum(tmp_path):
    write(tmp_path / "v.nii.gz", np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16))
    damaged = bytearray((tmp_path / "v.nii.gz").read_bytes())
    damaged[-6] ^= 1  # in the checksum itself
    (tmp_path / "v.nii.gz").write_bytes(damaged)
    with pytest.raises(InputError, match=r"v\.nii\.gz"):
        read_nifti(tmp_path / "v.nii.gz")


def test_a_header_that_tells_of_more_than_memory_holds_is_an_error(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float64)
    header["dim"][:4] = 3, 32767, 32767, 32767
    header["vox_offset"] = 352
    header["pixdim"][1:4] = 1
    (tmp_path / "v.nii").write_bytes(header.binaryblock + bytes(104))
    with pytest.raises(InputError, match=r"v\.nii"):
        read_nifti(tmp_path / "v.nii")


def test_a_ct_of_floats_is_in_memory_hardly_larger_than_its_file(tmp_path):
    """As int16 it is half of that, which is there twice only when the floats are gone."""
    hu = np.random.default_rng(0).normal(0, 300, (128, 128, 40)).astype(np.float32)
    hu[0, 0, :2] = 1e6, -1e6
    write(tmp_path / "volume-3.nii", hu)
    tracemalloc.start()
    try:
        case = read_case(tmp_path / "volume-3.nii")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 7 * hu.size
    expected = np.clip(np.rint(hu), -32768, 32767).astype(np.int16)
    np.testing.assert_array_equal(case.volume, case.grid.to_axial(expected))


def test_a_nifti_2_gets_a_nifti_2_without_a_word_of_nibabels(tmp_path, caplog):
    nib.save(nib.Nifti2Image(np.zeros((5, 6, 7), np.int16), AFFINE), tmp_path / "volume-3.nii.gz")
    case = read_case(tmp_path / "volume-3.nii.gz")
    mask = np.random.default_rng(0).integers(0, 3, (7, 6, 5)).astype(np.uint8)
    write_mask(mask, case.grid, tmp_path / "m.nii.gz")
    assert isinstance(nib.load(tmp_path / "m.nii.gz"), nib.Nifti2Image)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz", case.grid), mask)
    assert not caplog.records
