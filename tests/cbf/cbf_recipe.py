"""The random-number recipe of the published simulation, with local legacy generators."""

import random

import numpy as np
from cbf_replay import World


class PublishedWorld(World):
    """Layout, first beams, warm-up and fading as the published code draws them after seeding."""

    def __init__(self, num_beams, seed=2019, cells=19, paths=4, block=200):
        self.beams_rng = random.Random(seed)
        self.rng = np.random.RandomState(seed)
        self.num_actions, self.cells, self.paths, self.block = 5 * num_beams, cells, paths, block
        towers = [(0.0, 0.0)]
        towers += [polar(400, angle) for angle in range(-30, 330, 60)]
        towers += [polar(800, angle) for angle in range(-30, 330, 60)]
        towers += [polar(400 * 3**0.5, angle) for angle in range(0, 360, 60)]
        first = []
        for _ in range(cells):
            for _ in range(6):
                self.rng.randint(int(10e6))
            first.append(
                self.beams_rng.randint(0, num_beams - 1) * 5 + self.beams_rng.randint(0, 4)
            )
        users = []
        for x, y in towers[:cells]:
            azimuth = 2 * np.pi * self.rng.rand()
            radius = 10 + 190 * self.rng.rand()
            users.append((x + radius * np.cos(azimuth), y + radius * np.sin(azimuth)))
        gain = np.empty((cells, cells))
        angles = np.empty((cells, cells, paths))
        gains = np.empty((cells, cells, paths), complex)
        for i, (bx, by) in enumerate(towers[:cells]):
            for k, (ux, uy) in enumerate(users):
                distance_km = np.hypot(ux - bx, uy - by) / 1000
                loss = 120.9 + 37.6 * np.log10(distance_km) + self.rng.normal(0, 8)
                gain[i, k] = 10 ** (-loss / 10)
                spread = (0.5 * self.rng.rand(paths) - 1) * np.deg2rad(3)
                angles[i, k] = np.arctan2(uy - by, ux - bx) + spread
                real, imag = self.rng.randn(1, paths), self.rng.randn(1, paths)
                gains[i, k] = (real + 1j * imag) / np.sqrt(2 * paths)
        self.users = np.array(users)
        warm_up = [first] + [self.random_actions() for _ in range(10)]
        super().__init__(gain, angles, gains, np.array(warm_up), self._fading())

    def random_actions(self):
        return [self.beams_rng.randint(0, self.num_actions - 1) for _ in range(self.cells)]

    def _fading(self):
        while True:  # in blocks: the legacy stream does not care how many are drawn at once
            normals = self.rng.randn(self.block, self.cells, self.cells, 2, self.paths)
            yield from (normals[:, :, :, 0] + 1j * normals[:, :, :, 1]) / np.sqrt(2)


def polar(radius, degrees):
    return radius * np.cos(np.deg2rad(degrees)), radius * np.sin(np.deg2rad(degrees))
