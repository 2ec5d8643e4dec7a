import pytest

from lits_toolkit.study.jobs import sensible_jobs

LITS = 512 * 512 * 400
"""Voxels of a usual CT: 1.68 GB to score it, and 0.4 for its process."""


@pytest.mark.parametrize(
    ("voxels", "gigabytes", "processors", "jobs"),
    [
        ([LITS] * 70, 64, 8, 8),
        ([LITS] * 70, 9, 8, 4),  # 2.08 GB each
        ([LITS] * 69 + [2 * LITS], 9, 8, 2),  # the largest two may meet
        ([LITS] * 3, 64, 8, 3),
        ([LITS] * 70, 1, 8, 1),
        ([64 * 64 * 24] * 6, 64, 8, 1),  # not worth a process
        ([], 64, 8, 1),
    ],
)
def test_as_many_as_processors_memory_and_cases_allow(voxels, gigabytes, processors, jobs):
    assert sensible_jobs(voxels, gigabytes * 10**9, processors) == jobs


def test_this_machine_has_room_for_one_at_least():
    assert sensible_jobs([LITS] * 3) in (1, 2, 3)
