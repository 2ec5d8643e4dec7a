"""Cohorts of phantoms on disk: random ones, and one with the tumour counts and sizes of LiTS."""

from collections.abc import Sequence

from lits_toolkit.data.phantom.case import Plan


def plan_random(cases: int, seed: int = 0, size: int = 256, slices: int | None = 48) -> list[Plan]:
    return [Plan(f"volume-{i}", (seed, i), size, slices) for i in range(cases)]


def plan_dissertation(): ...
def estimate_cohort(): ...
def write_cohort(): ...
