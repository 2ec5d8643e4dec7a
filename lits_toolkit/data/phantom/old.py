"""A phantom abdomen: a synthetic CT with liver and tumours, so that everything runs where there is no data.

Everything is drawn in millimetres, so that a matrix of 128 or 512 shows the same patient. What makes it hard is
what makes real CT hard: the liver's HU vary from patient to patient and within it, tumours are darker or brighter
than it, vessels are too, cysts and fat are darker than any tumour, and the noise is correlated and as large as
the contrast. No HU threshold finds the tumours; their shape and neighbourhood do.
"""

from dataclasses import dataclass

import edt
import numpy as np
from scipy import ndimage

from lits_toolkit.data.case import BACKGROUND, LIVER, TUMOR, Case, Grid

FIELD_OF_VIEW_MM = (310.0, 430.0)
COVERAGE_MM = (205.0, 235.0)
LIVER_HU = (42.0, 160.0)
"""From a fatty liver without contrast to a healthy one in the portal-venous phase."""
LESION_VOXELS = {"small": (220, 850), "medium": (1300, 7000), "large": (12500, 26000)}
"""Ranges of target sizes, in voxels of the phantom's own matrix, well inside the size groups' limits."""


def make_phantom(index: int, seed: int = 0, size: int = 256, slices: int = 48) -> Case:
    """The phantom case `index` of the cohort `seed`: the same numbers on every call.

    `size` is the matrix in y and x; the case is named "volume-INDEX". The volume is (slices, size, size) int16
    in HU, with a reference mask.
    """
    random = np.random.default_rng([seed, index])
    scene = _Scene.draw(random, size, slices)
    hu, liver = _anatomy(scene)
    parenchyma = _liver_tissue(scene, hu, liver)
    tumor = _tumors(scene, hu, liver, parenchyma)
    hu = _scan(scene, hu)
    mask = np.full(hu.shape, BACKGROUND, np.uint8)
    mask[liver] = LIVER
    mask[tumor] = TUMOR
    return Case(f"volume-{index}", hu, _grid(scene), mask)


@dataclass(frozen=True, eq=False)
class _Scene:
    """The patient's frame: coordinates in mm around the body's centre, broadcastable to (z, y, x)."""

    random: np.random.Generator
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    scale: float
    """The patient's size relative to the drawing."""

    @classmethod
    def draw(cls, random: np.random.Generator, size: int, slices: int) -> "_Scene":
        field_mm = random.uniform(*FIELD_OF_VIEW_MM)
        spacing = (random.uniform(*COVERAGE_MM) / slices, field_mm / size, field_mm / size)
        shape = (slices, size, size)
        # the body fills most of the field, whose centre it rarely hits; the table takes room at the back
        offset = (random.uniform(-12, 12), random.uniform(-6, 2), random.uniform(-5, 5))
        axes = [
            (np.arange(count) - (count - 1) / 2) * step - shift
            for count, step, shift in zip(shape, spacing, offset, strict=True)
        ]
        z, y, x = np.ix_(*[axis.astype(np.float32) for axis in axes])
        return cls(random, shape, spacing, z, y, x, scale=field_mm / 400)

    def around(self, *centre: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(z, y, x) in units of the drawing, relative to a centre (z in mm, y and x in the drawing's mm)."""
        z, y, x = centre
        return self.z - z, self.y / self.scale - y, self.x / self.scale - x

    def ellipsoid(self, centre: tuple[float, ...], radii: tuple[float, ...], power: float = 2.0) -> np.ndarray:
        """Signed level of a (super-)ellipsoid: below 1 inside."""
        z, y, x = (np.abs(axis / r) ** power for axis, r in zip(self.around(*centre), radii, strict=True))
        return z + y + x

    def field(self, correlation_mm: float, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """A smooth random field of zero mean and unit deviation, (z, y, x) float32; the whole volume or a box."""
        shape = shape or self.shape
        step = max(correlation_mm / 2, max(self.spacing_mm))
        coarse = [max(4, int(np.ceil(n * s / step)) + 3) for n, s in zip(shape, self.spacing_mm, strict=True)]
        noise = ndimage.gaussian_filter(self.random.standard_normal(coarse).astype(np.float32), 1.0)
        noise /= noise.std()
        for axis, (count, spacing) in enumerate(zip(shape, self.spacing_mm, strict=True)):
            noise = _interpolate(noise, axis, np.arange(count) * spacing / step + 1)
        return noise

    def jitter(self, value: float, share: float = 0.1) -> float:
        return float(value * self.random.uniform(1 - share, 1 + share))


def _interpolate(array: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """Linear interpolation along one axis at fractional positions."""
    low = np.minimum(positions.astype(int), array.shape[axis] - 2)
    weight = (positions - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return array.take(low, axis) * (1 - weight) + array.take(low + 1, axis) * weight


def _anatomy(scene: _Scene) -> tuple[np.ndarray, np.ndarray]:
    """HU of the body without noise or tumours, float32, and where the liver is."""
    random, jitter = scene.random, scene.jitter
    shift = scene.field(70) * 0.055
    body = scene.ellipsoid((0, 0, 0), (1e6, jitter(118, 0.06), jitter(168, 0.05)), 2.3) + 0.5 * shift
    fat_mm = random.uniform(0.07, 0.2)
    hu = np.full(scene.shape, -1000, np.float32)
    hu[body < 1] = -105
    wall = 1 - fat_mm
    hu[body < wall] = 58  # muscle
    inside = body < wall - 0.16
    hu[inside] = -95 + 6 * scene.field(25)[inside]  # fat between the organs
    _table(scene, hu)

    phase = random.uniform(0, 1)  # from late (pale vessels) to portal-venous (bright ones)
    blood = 75 + 110 * phase
    soft = [  # centre, radii, HU
        ((-40, 45, 52), (60, 24, 22), 60),  # bowel and its mesentery
        ((-85, -20, -10), (40, 45, 75), 45),
    ]
    for centre, radii, value in soft:
        level = scene.ellipsoid(centre, radii) + 5 * shift
        hu[inside & (level < 1)] = value
    _stomach(scene, hu, inside, shift)
    spleen = scene.ellipsoid((45, 42, 98), (jitter(45), jitter(36), jitter(26))) + 3 * shift
    hu[inside & (spleen < 1)] = jitter(85, 0.05) + 30 * phase
    for side in (-1, 1):
        kidney = scene.ellipsoid((-50 + 6 * side, 52, 62 * side), (jitter(50), jitter(27), jitter(24))) + shift
        hu[inside & (kidney < 1)] = 120 + 70 * phase
        hu[inside & (kidney < 0.45)] = 90 + 50 * phase
    liver = _liver(scene, inside, shift)
    hu[liver] = random.uniform(*LIVER_HU)
    bladder = scene.ellipsoid((-25, -42, -42), (jitter(28), jitter(16), jitter(15)))
    gall = inside & (bladder < 1)
    hu[gall] = jitter(9, 0.4)
    liver &= ~gall
    lungs = _lungs(scene, inside, shift)
    hu[lungs] = -860 + 25 * scene.field(8)[lungs]
    liver &= ~lungs
    _spine_and_ribs(scene, hu, body, wall, liver)
    for centre, radius in (((0, 42, 12), 11.5), ((0, 32, -20), 12.5)):  # aorta, vena cava
        vessel = scene.ellipsoid(centre, (1e6, jitter(radius), jitter(radius)))
        hu[vessel < 1] = blood
        liver &= vessel >= 1
    return hu, _largest(liver)


def _liver(scene: _Scene, inside: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """A right lobe, a left lobe across the midline, cut by the body's wall."""
    jitter = scene.jitter
    right = scene.ellipsoid((18, 2, -72), (jitter(88, 0.08), jitter(76, 0.08), jitter(62, 0.08)), 2.4)
    left = scene.ellipsoid((38, -38, -5), (jitter(42), jitter(34), jitter(76)))
    hollow = scene.ellipsoid((-40, 10, 0), (60, 60, 48))  # where the other organs press against it
    level = np.minimum(right, left) + 2.6 * shift
    return inside & (level < 1) & (hollow > 1)


def _lungs(scene: _Scene, inside: np.ndarray, shift: np.ndarray) -> np.ndarray:
    lungs = np.zeros(scene.shape, bool)
    for side in (-1, 1):
        dome = scene.ellipsoid((118, 8, 78 * side), (62, 92, 72), 2.5) + shift
        recess = scene.ellipsoid((100, 70, 80 * side), (95, 34, 52)) + shift  # behind the liver, further down
        lungs |= (dome < 1) | (recess < 1)
    return inside & lungs


def _stomach(scene: _Scene, hu: np.ndarray, inside: np.ndarray, shift: np.ndarray) -> None:
    centre = (32, -28, 72)
    level = scene.ellipsoid(centre, (scene.jitter(50), scene.jitter(44), scene.jitter(42))) + 2 * shift
    hu[inside & (level < 1)] = 70
    contents = inside & (level < 0.8)
    hu[contents] = scene.random.uniform(5, 45)
    gas_level = scene.around(*centre)[1] < scene.random.uniform(-30, -12)
    hu[contents & gas_level] = -900


def _spine_and_ribs(scene: _Scene, hu: np.ndarray, body: np.ndarray, wall: float, liver: np.ndarray) -> None:
    z, y, x = scene.around(0, 0, 0)
    muscle = scene.ellipsoid((0, 86, 0), (1e6, 28, 62), 3.0)
    hu[(muscle < 1) & (body < wall)] = 55
    vertebra = scene.ellipsoid((0, 68, 0), (1e6, 18, 23))
    disc = np.abs((z + 500) % 34 - 17) < 3.5
    marrow = 190 + 35 * scene.field(6)
    hu[vertebra < 1] = np.broadcast_to(np.where(disc, 85, 430), scene.shape)[vertebra < 1]
    spongy = (vertebra < 0.72) & ~disc
    hu[spongy] = marrow[spongy]
    hu[scene.ellipsoid((0, 93, 0), (1e6, 8, 10)) < 1] = 35  # the canal
    arch = scene.ellipsoid((0, 98, 0), (1e6, 15, 26), 3.0)
    hu[(arch < 1) & (arch > 0.55) & (y > 92)] = 380
    # ribs slope downwards to the front, so that an axial slice cuts several of them
    slope = z + 0.42 * y + 0.05 * np.abs(x)
    rib = (body > wall - 0.125) & (body < wall - 0.025) & (np.abs((slope + 500) % 27 - 13.5) < 5.5) & (z > -75)
    hu[rib] = 420
    hu[rib & (body > wall - 0.1) & (body < wall - 0.05)] = 210
    liver &= ~((muscle < 1) | (vertebra < 1) | rib)


def _table(scene: _Scene, hu: np.ndarray) -> None:
    top = scene.y - 128 * scene.scale
    hu[np.broadcast_to((top > 0) & (top < 4), hu.shape) & (hu < -900)] = -350


def _liver_tissue(scene: _Scene, hu: np.ndarray, liver: np.ndarray) -> np.ndarray:
    """Draw into the liver what is not tumour: uneven perfusion, vessels, cysts, fat. Returns its plain HU."""
    random = scene.random
    plain = float(hu[liver].mean()) + 8 * scene.field(55)
    hu[liver] = plain[liver] + 4 * scene.field(7)[liver]
    contrast = random.choice([-1, 1], p=[0.5, 0.5]) * random.uniform(16, 30)
    distance = _vessel_tree(scene, liver)
    hu[liver & distance] += contrast
    for _ in range(random.poisson(3.0)):
        cyst = _blob(scene, _random_voxel(random, liver), random.uniform(3.5, 10), 0.1)
        hu[liver & cyst] = random.uniform(-5, 22)
    fissure_y = -14 + 0.5 * (scene.around(0, 0, -30)[2])
    _, y, x = scene.around(0, 0, 0)
    fissure = (np.abs(y - fissure_y) < 2.2) & (np.abs(x + 30) < 16) & (scene.z < 25)
    hu[liver & fissure] = -30
    return plain


def _vessel_tree(scene: _Scene, liver: np.ndarray) -> np.ndarray:
    """Branching tubes of falling calibre from the hilum and from the vena cava, as a boolean volume."""
    random = scene.random
    voxels = np.argwhere(liver)
    spacing = np.array(scene.spacing_mm)
    tree = np.zeros(scene.shape, bool)
    calibres: dict[float, list[np.ndarray]] = {5.4: [], 3.5: [], 2.1: []}
    for start_share in (0.25, 0.85):  # portal vein below, hepatic veins above
        middle = voxels.mean(0)
        start = middle + np.array([(start_share - 0.5) * np.ptp(voxels[:, 0]), 20 / spacing[1], 30 / spacing[2]])
        for _ in range(5):
            end = voxels[random.integers(len(voxels))].astype(float)
            trunk = _curve(random, start, start + 0.5 * (end - start), spacing)
            branch = _curve(random, trunk[-1], end, spacing)
            calibres[5.4].append(trunk)
            calibres[3.5].append(branch)
            for _ in range(3):
                fork = branch[random.integers(len(branch))]
                twig_end = voxels[random.integers(len(voxels))]
                reach = min(1.0, 45 / max(1.0, float(np.linalg.norm((twig_end - fork) * spacing))))
                calibres[2.1].append(_curve(random, fork, fork + reach * (twig_end - fork), spacing))
    box = tuple(slice(low, high + 1) for low, high in zip(voxels.min(0), voxels.max(0), strict=True))
    for radius, curves in calibres.items():
        axis = np.ones(scene.shape, bool)
        points = np.rint(np.concatenate(curves)).astype(int)
        points = points[((points >= 0) & (points < scene.shape)).all(1)]
        axis[tuple(points.T)] = False
        tree[box] |= edt.edt(np.ascontiguousarray(axis[box]), anisotropy=scene.spacing_mm) < radius
    return tree & liver


def _curve(random: np.random.Generator, start: np.ndarray, end: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Points (n, 3), in voxels, on a bent line, dense enough to leave no gap."""
    length = float(np.linalg.norm((end - start) * spacing))
    steps = np.linspace(0, 1, max(2, int(length)))[:, None]
    bend = random.normal(0, 0.12 * length, 3) / spacing
    return start + steps * (end - start) + np.sin(np.pi * steps) * bend


def _tumors(scene: _Scene, hu: np.ndarray, liver: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """Draw the tumours into `hu`; returns where they are. None touches another."""
    random = scene.random
    counts = {"large": random.integers(0, 2), "medium": random.integers(0, 3), "small": random.integers(1, 5)}
    tumor = np.zeros(scene.shape, bool)
    tissue = plain + 6 * scene.field(6)
    depth = edt.edt(liver, anisotropy=scene.spacing_mm)
    voxel_mm3 = float(np.prod(scene.spacing_mm))
    for group, count in counts.items():
        for _ in range(count):
            voxels = np.exp(random.uniform(*np.log(LESION_VOXELS[group])))
            radius = (3 * voxels * voxel_mm3 / (4 * np.pi)) ** (1 / 3)
            tumor |= _tumor(scene, hu, depth, tissue, tumor, radius)
    return tumor


def _tumor(
    scene: _Scene,
    hu: np.ndarray,
    depth: np.ndarray,
    tissue: np.ndarray,
    others: np.ndarray,
    radius_mm: float,
) -> np.ndarray:
    """Draw one tumour of about that radius where there is room for it; returns where it is, maybe nowhere.

    `depth` is the distance to the liver's surface in mm, `tissue` the HU that the tumour's contrast is added to.
    """
    random = scene.random
    room = depth > 0.55 * radius_mm
    if others.any():
        room &= edt.edt(~others, anisotropy=scene.spacing_mm) > 1.45 * radius_mm + 8
    if not room.any():
        return np.zeros_like(others)
    lesion = _blob(scene, _random_voxel(random, room), radius_mm, 0.22) & (depth > 0)
    # as many take up more contrast medium than the liver as take up less, so that no threshold has them all
    contrast = random.uniform(29, 48) if random.random() < 0.5 else -random.uniform(31, 54)
    hu[lesion] = tissue[lesion] + contrast
    if radius_mm > 16:  # a large tumour outgrows its blood supply, and a rim of it takes up contrast
        inner = edt.edt(lesion, anisotropy=scene.spacing_mm)
        hu[inner > random.uniform(0.45, 0.7) * inner.max()] -= random.uniform(5, 22)
        if random.random() < 0.5:
            hu[lesion & (inner < 3)] -= 0.55 * contrast
    return lesion


def _blob(scene: _Scene, centre: np.ndarray, radius_mm: float, roughness: float) -> np.ndarray:
    """A lumpy ellipsoid of the volume of a ball of that radius, boolean."""
    random = scene.random
    stretch = np.exp(random.normal(0, 0.16, 3))
    stretch /= np.prod(stretch) ** (1 / 3)
    reach = [int(np.ceil(2 * radius_mm * s / step)) + 1 for s, step in zip(stretch, scene.spacing_mm, strict=True)]
    box = tuple(slice(max(0, c - r), min(n, c + r + 1)) for c, r, n in zip(centre, reach, scene.shape, strict=True))
    axes = np.ix_(*[np.arange(part.start, part.stop) for part in box])
    squared = sum(
        ((axis - c) * step / (radius_mm * s)) ** 2
        for axis, c, step, s in zip(axes, centre, scene.spacing_mm, stretch, strict=True)
    )
    lumps = scene.field(max(0.9 * radius_mm, 5), tuple(axis.size for axis in axes))
    blob = np.zeros(scene.shape, bool)
    blob[box] = _largest(np.sqrt(squared) + roughness * lumps < 1)  # less what the lumps cut off
    return blob


def _scan(scene: _Scene, hu: np.ndarray) -> np.ndarray:
    """What a scanner makes of it: partial volume, and noise with the correlation of a reconstruction; int16 HU."""
    random = scene.random
    pixel_mm = scene.spacing_mm[1]
    blur = 0.8 / pixel_mm
    hu = ndimage.gaussian_filter(hu, (0.35, blur, blur))
    white = random.standard_normal(scene.shape).astype(np.float32)
    fine = max(0.5, 0.9 / pixel_mm)
    noise = ndimage.gaussian_filter(white, (0.3, fine, fine)) - ndimage.gaussian_filter(
        white, (0.3, 3.2 * fine, 3.2 * fine)
    )
    noise /= noise.std()
    centre = scene.ellipsoid((0, 0, 0), (1e6, 150, 190))  # the middle of the body sees the fewest photons
    sigma = random.uniform(8, 13) * np.clip(1.15 - 0.5 * centre, 0.45, None)
    hu = hu + noise * sigma
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)


def _grid(scene: _Scene) -> Grid:
    """Stored as scanners do it: x towards the patient's left, y towards the back (LPS)."""
    z, y, x = scene.spacing_mm
    affine = np.diag([-x, -y, z, 1.0])
    affine[:3, 3] = [x * (scene.shape[2] - 1) / 2, y * (scene.shape[1] - 1) / 2, -z * (scene.shape[0] - 1) / 2]
    return Grid((scene.shape[2], scene.shape[1], scene.shape[0]), affine)


def _random_voxel(random: np.random.Generator, where: np.ndarray) -> np.ndarray:
    voxels = np.flatnonzero(where)
    return np.array(np.unravel_index(voxels[random.integers(len(voxels))], where.shape))


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component."""
    import cc3d

    return cc3d.largest_k(np.ascontiguousarray(mask), k=1, connectivity=6).astype(bool) if mask.any() else mask
