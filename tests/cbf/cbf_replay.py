"""A simulator whose random world is given: layout, first beams, and path gains slot by slot."""

from dataclasses import dataclass, field

import numpy as np

from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.layout import Layout, fading_factors
from wirelessenvs.cbf.simulator import CBFSimulator


@dataclass
class World:
    """Everything random in one run; path innovations are CN(0, 1) of shape (K, K, L)."""

    path_gain: np.ndarray
    angles: np.ndarray
    first_gains: np.ndarray
    warm_up: np.ndarray
    innovations: object = field(repr=False)  # iterator over (K, K, L) arrays


class ReplaySimulator(CBFSimulator):
    """Feeds path gains through the whitened form: with A^H = Q R, A e equals R^H (Q^H e)."""

    def __init__(self, config: CBFConfig, world: World):
        super().__init__(config, 1)
        self.world = world
        antenna = np.arange(config.num_antennas)
        phase = np.pi * np.cos(world.angles)[..., None] * antenna
        paths = np.exp(1j * phase) / np.sqrt(config.num_antennas)
        self._whitening = np.linalg.qr(paths.conj())[0].conj().swapaxes(2, 3)

    def _place(self, env, streams):
        layout = Layout(self.ue_positions[0], self.world.path_gain, self.world.angles)
        self._factors[0] = fading_factors(layout, self.config.num_antennas)
        self._pending = self.world.first_gains * np.sqrt(self.config.num_paths)

    def _warm_up_actions(self, streams):
        return np.asarray(self.world.warm_up)

    def _draw_noise(self, env):
        path = next(self.world.innovations) if self._pending is None else self._pending
        self._pending = None
        white = np.sqrt(2) * (self._whitening @ path[..., None])[..., 0]
        by_link = white.transpose(2, 0, 1).reshape(white.shape[2], -1)
        self._noise[0] = np.stack([by_link.real, by_link.imag], axis=1)
