"""The liver's vessels: the portal vein's tree from below, the hepatic veins from the vena cava above."""

from dataclasses import dataclass

import numpy as np

from lits_toolkit.data.phantom.layer import Layer, capsule
from lits_toolkit.data.phantom.patient import Patient
from lits_toolkit.data.phantom.space import Part, Warp

THINNEST_MM = 0.7


@dataclass(frozen=True, eq=False)
class Tree:
    """Branches as cones between points, in the drawing's mm."""

    starts: np.ndarray
    """(n, 3) z, y, x."""
    ends: np.ndarray
    start_radii: np.ndarray
    """(n,)"""
    end_radii: np.ndarray

    def level(self, part: Part, warp: Warp) -> np.ndarray:
        """Signed distance from the nearest branch, at most 50 mm."""
        found = np.full(part.z.shape, 50, np.float32)
        margin = 1.5 * part.edge_mm
        low = np.minimum(self.starts, self.ends) - self.start_radii[:, None] - margin
        high = np.maximum(self.starts, self.ends) + self.start_radii[:, None] + margin
        holder = Part(part.axes, part.z, part.y, part.x, found, part.edge_mm)
        for number in range(len(self.starts)):
            box = tuple(zip(low[number], high[number], strict=True))
            near = holder.within((box[0], box[1], box[2]), warp)
            if near is not None:
                branch = capsule(
                    near, self.starts[number], self.ends[number], self.start_radii[number], self.end_radii[number]
                )
                np.minimum(near.hu, branch, out=near.hu)
        return found


def draw_vessels(patient: Patient, places: np.ndarray) -> tuple[Tree, Tree]:
    """The portal and the hepatic tree, grown towards `places`, (n, 3) points of the liver as z, y, x in mm."""
    random = patient.random
    dome, spine = patient.dome_mm[0], patient.spine_y
    gate = np.array([dome - 74, -4.0, -24.0])
    stem = [(np.array([dome - 118, spine - 44, 2.0]), gate, 6.8, 6.4)]
    portal = stem + _grow(random, gate, 5.6, places, branches=int(random.integers(26, 48)))
    cava = np.array([dome - 16, spine - 38, -18.0])
    hepatic = _grow(random, cava, 5.2, places, branches=int(random.integers(20, 36)))
    return _tree(portal), _tree(hepatic)


def vessel_layers(patient: Patient, trees: tuple[Tree, Tree]) -> list[Layer]:
    """Both trees: the portal one may leave the liver, the hepatic one stays within it."""
    portal, hepatic = trees
    tissues = patient.tissues

    def portal_level(part: Part) -> np.ndarray:
        return np.maximum(portal.level(part, patient.warp), part.landmarks["liver"] - 26)

    def hepatic_level(part: Part) -> np.ndarray:
        return np.maximum(hepatic.level(part, patient.warp), part.landmarks["liver"])

    box = ((-130.0, 105.0), (-110.0, 95.0), (-140.0, 110.0))
    return [Layer(hepatic_level, tissues.hepatic_veins, box), Layer(portal_level, tissues.portal_vein, box)]


Branch = tuple[np.ndarray, np.ndarray, float, float]


def _grow(
    random: np.random.Generator, root: np.ndarray, radius: float, places: np.ndarray, branches: int
) -> list[Branch]:
    """Join one place after the other to the nearest point of the tree; a branch is thinner than what it leaves.

    Far places first, so that trunks come before twigs; the calibres follow how many twigs a trunk feeds.
    """
    chosen = places[random.choice(len(places), min(branches, len(places)), replace=False)]
    chosen = chosen[np.argsort(-np.linalg.norm(chosen - root, axis=1) + random.normal(0, 14, len(chosen)))]
    nodes, parents = [root], [-1]
    for place in chosen:
        known = np.array(nodes)
        # a branch leaves where it has the shortest way, counting part of the way from the root
        depth = np.linalg.norm(known - root, axis=1)
        from_here = int(np.argmin(np.linalg.norm(known - place, axis=1) + 0.35 * depth))
        way = place - known[from_here]
        pieces = max(2, int(np.linalg.norm(way) / 11))
        bend = random.normal(0, 0.09 * np.linalg.norm(way), 3)
        for step in np.linspace(0, 1, pieces + 1)[1:]:
            nodes.append(known[from_here] + step * way + np.sin(np.pi * step) * bend)
            parents.append(from_here if step * pieces <= 1 + 1e-6 else len(nodes) - 2)
    # Murray's law, by the power 2.5 instead of his 3: that of a radius is the sum of those it branches into
    load = np.zeros(len(nodes))
    for node in range(len(nodes) - 1, 0, -1):
        load[node] = max(load[node], 1)
        load[parents[node]] += load[node]
    radii = np.clip(radius * (load / load[0]) ** 0.4, THINNEST_MM, radius)
    return [
        (
            nodes[parent],
            nodes[node],
            float(radii[parent]) if parent else float(min(radius, 1.15 * radii[node])),
            float(radii[node]),
        )
        for node, parent in enumerate(parents)
        if parent >= 0
    ]


def _tree(branches: list[Branch]) -> Tree:
    starts, ends, first, last = zip(*branches, strict=True)
    return Tree(
        np.array(starts, np.float32),
        np.array(ends, np.float32),
        np.array(first, np.float32),
        np.array(last, np.float32),
    )
