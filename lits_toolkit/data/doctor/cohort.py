"""The same CT under two names, as 3D-IRCADb's patients are in LiTS."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

SHARED = 0.5
"""The share of the smaller case's slices that two cases have to have in common."""


@dataclass(frozen=True)
class Twin:
    """A case of which another one, earlier in the cohort, holds the slices."""

    case: str
    earlier: str
    shared: int
    """Slices of the case that the earlier one has too."""
    slices: int
    """Slices of the case in all, but for empty ones."""


def slice_prints(hu: np.ndarray) -> frozenset[bytes]:
    """A fingerprint of each axial slice of a (z, y, x) int16 volume that is not of one value.

    It is a hash of how often each HU occurs, so that it does not change when the slice is mirrored or turned, nor
    when the slices change their order; padding counts as air. No two slices of different scans have the same counts.
    """
    prints = set()
    for plane in hu:
        counts = np.bincount(np.clip(plane, -1024, 3071).ravel().astype(np.int64) + 1024, minlength=4096)
        if np.count_nonzero(counts) > 1:
            prints.add(hashlib.blake2b(counts.tobytes(), digest_size=8).digest())
    return frozenset(prints)


def find_twins(prints: Mapping[str, Iterable[bytes]]) -> list[Twin]:
    """The cases, by name in order, of which an earlier one holds at least half of the slices (or the other way)."""
    slices = {name: frozenset(found) for name, found in prints.items()}
    holders: dict[bytes, list[str]] = {}
    twins = []
    for name, own in slices.items():
        shared: dict[str, int] = {}
        for key in own:
            for earlier in holders.setdefault(key, []):
                shared[earlier] = shared.get(earlier, 0) + 1
            holders[key].append(name)
        for earlier, count in shared.items():
            if count >= SHARED * min(len(own), len(slices[earlier])):
                twins.append(Twin(name, earlier, count, len(own)))
                break
    return twins
