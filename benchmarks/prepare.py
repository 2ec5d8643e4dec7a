"""Prepared cases against `np.savez_compressed` in the same run: time to write, size, time to read 9 adjacent slices."""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from smoke import parse_arguments

from lits_toolkit.data.doctor import check_case
from lits_toolkit.data.layouts import find_cases
from lits_toolkit.data.network_grid import mask_to_network_grid, to_network_grid
from lits_toolkit.data.nifti import write_mask, write_volume
from lits_toolkit.data.phantom import make_phantom
from lits_toolkit.data.prepare import write_prepared
from lits_toolkit.data.prepared import FORMATS, PreparedCase, normalise
from lits_toolkit.data.reading import read_case
from lits_toolkit.models.timing import seconds

Reading = Callable[[int, int], np.ndarray]
"""Slices from the first to before the last."""


def main() -> None:
    """Print one line per step of preparing, then one per form of the prepared case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ct", type=Path, help="a CT file; a phantom without")
    parser.add_argument("--slices", type=int, default=120, help="of the phantom, 512 × 512")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parse_arguments(parser, slices=16, size=64, repeat=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(arguments.ct or write_phantom(folder, arguments.slices), folder, arguments.size, arguments.repeat)


def write_phantom(folder: Path, slices: int) -> Path:
    """A phantom CT with its mask beside it, as LiTS NIfTI."""
    case = make_phantom(0, size=512, slices=slices)
    assert case.reference is not None
    write_mask(case.reference, case.grid, folder / "segmentation-0.nii.gz")
    write_volume(case.volume, case.grid, folder / "volume-0.nii.gz")
    return folder / "volume-0.nii.gz"


def measure(ct: Path, folder: Path, size: int, repeat: int) -> None:
    """Every number that is printed."""
    (files,) = find_cases(ct)
    case = read_case(files)
    hu = to_network_grid(case.volume, size)
    mask = np.zeros_like(hu, np.uint8) if case.reference is None else mask_to_network_grid(case.reference, size)
    shape = "×".join(map(str, case.volume.shape))
    print(f"{case.name}, {shape} to {size}×{size}: check {seconds(lambda: check_case(files), 1):.2f} s, "
          f"read {seconds(lambda: read_case(files), 1):.2f} s, "
          f"resize {seconds(lambda: to_network_grid(case.volume, size), repeat):.2f} s")  # fmt: skip
    print(f"{'form':32}{'write s':>9}{'MB':>8}{'9 slices ms':>13}")
    for format in FORMATS:
        path = folder / f"prepared.{format}"
        written = seconds(lambda: write_prepared(case, path, size), 1)  # noqa: B023
        prepared = PreparedCase(path)
        line(f"prepared, .{format}, from the CT", written, path, prepared.volume_slices, len(hu), repeat)
    path = folder / "plain.npz"
    written = seconds(lambda: np.savez_compressed(path, volume=normalise(hu, (-200, 200)), mask=mask), 1)
    line("np.savez_compressed of the same", written, path, read_plain(path), len(hu), repeat)


def line(name: str, written: float, path: Path, read: Reading, slices: int, repeat: int) -> None:
    """Write, size and the median read of 9 slices at random, after one to warm up."""
    starts = np.random.default_rng(0).integers(0, max(slices - 9, 1), 10 * repeat if path.suffix == ".b2nd" else repeat)
    read(0, 9)
    times = [seconds(lambda: read(start, start + 9), 1) for start in starts.tolist()]  # noqa: B023
    print(f"{name:32}{written:9.2f}{path.stat().st_size / 1e6:8.1f}{1000 * statistics.median(times):13.2f}")


def read_plain(path: Path) -> Reading:
    """Slices of a plain .npz, which is decompressed whole."""

    def read(start: int, stop: int) -> np.ndarray:
        with np.load(path, allow_pickle=False) as stored:
            return stored["volume"][start:stop]

    return read


if __name__ == "__main__":
    main()
