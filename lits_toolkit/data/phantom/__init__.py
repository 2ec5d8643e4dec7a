"""A phantom abdomen: a synthetic CT with liver and tumours, so that everything runs where there is no data.

A patient is a stack of layers, each a signed distance in millimetres with its HU, painted from the outside in; a
scanner samples them, slab by slab, and adds what scanners add. The way through the package: `space` (where a voxel
is), `layer` (shapes and how they are painted), `patient` (who it is, and what the contrast medium does), `torso`,
`organs`, `liver`, `vessels`, `tumors` (what is inside), `scanner` (voxels and noise), `case` (one case), `cohort`
(many, on disk).
"""

from lits_toolkit.data.phantom.case import Plan, draw_case, make_phantom
from lits_toolkit.data.phantom.cohort import Estimate, estimate_cohort, plan_dissertation, plan_random, write_cohort

__all__ = [
    "Estimate",
    "Plan",
    "draw_case",
    "estimate_cohort",
    "make_phantom",
    "plan_dissertation",
    "plan_random",
    "write_cohort",
]
