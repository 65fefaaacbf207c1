"""Where channels come from: the fading of the model, walking users, or a bank.

The kernels move every channel by h <- rho h + scale F z. Built-in fading draws z from a normal
law; a bank puts its next slot there, with F = 1 and rho = 0. Either way a simulator asks one
object, and its kernels know nothing of it.
"""

from __future__ import annotations

import abc

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.bank import load_bank
from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.layout import Layout, fading_factors, published_layout, random_layout
from wirelessenvs.streams import Streams

__all__ = ["BankChannel", "Channel", "FadingChannel", "make_channel"]


class Channel(abc.ABC):
    """Base: buffers of a batch, and what the kernels need to fade.

    Args:
        config: of the task.
        num_envs: B.
        layouts: different F: 1 if the batch shares one, else B.
        rank: M, numbers z per link.
    """

    #: Correlation between slots, scale of z, and scale of the z of an episode's first slot.
    rho: float
    scale: float
    first_scale: float
    #: Of the context: correlation and shadowing as far as they are known.
    context: tuple[float, float]

    def __init__(self, config: CBFConfig, num_envs: int, layouts: int, rank: int) -> None:
        cells, antennas = config.num_cells, config.num_antennas
        #: `(B or 1, 2, N, M, K * K)` of `fading_factors`.
        self.factors = np.zeros((layouts, 2, antennas, rank, cells * cells))
        #: `(B, M, 2, K * K)` numbers z of the coming slot.
        self.noise = np.zeros((num_envs, rank, 2, cells * cells))
        #: `(B, K, 2)` UE coordinates in metres; nan where nobody knows them.
        self.users = np.zeros((num_envs, cells, 2))

    @abc.abstractmethod
    def begin(self, env: int, streams: Streams) -> None:
        """Starts an episode in one environment."""

    @abc.abstractmethod
    def draw(self, env: int) -> None:
        """Fills `noise` of one environment for the coming slot."""


class FadingChannel(Channel):
    """Path loss and shadowing of a layout, and autoregressive fading."""

    def __init__(self, config: CBFConfig, num_envs: int, *, shared: bool = True) -> None:
        # A fixed layout is shared by the batch, which keeps it in the cache.
        self._fixed = None if config.layout_seed is None else published_layout(config)
        self._shared = shared and self._fixed is not None
        rank = min(config.num_antennas, config.num_paths)
        super().__init__(config, num_envs, 1 if self._shared else num_envs, rank)
        self.config = config
        self.rho, self.scale = config.rho, config.innovation_scale
        self.first_scale = 1 / np.sqrt(config.num_paths)
        self.context = (config.rho, config.shadowing_db)
        self._rngs: list[np.random.Generator | None] = [None] * num_envs
        #: Of each environment, unless the batch shares one.
        self.layouts: list[Layout | None] = [None] * num_envs
        if self._fixed is not None and self._shared:
            self.users[:] = self._fixed.ue_positions
            self.factors[0] = fading_factors(self._fixed, config.num_antennas)

    def begin(self, env: int, streams: Streams) -> None:
        """Starts an episode in one environment, with a layout of its own unless it is fixed."""
        self._rngs[env] = streams.channel
        if not self._shared:
            self._lay_out(env, self._fixed or random_layout(self.config, streams.layout))

    def _lay_out(self, env: int, layout: Layout) -> None:
        self.layouts[env] = layout
        self.users[env] = layout.ue_positions
        self.factors[env] = fading_factors(layout, self.config.num_antennas)

    def draw(self, env: int) -> None:
        """Draws standard normal numbers."""
        rng = self._rngs[env]
        assert rng is not None
        rng.standard_normal(out=self.noise[env])


class BankChannel(Channel):
    """The slots of a bank's drop in their order, from a random one on, again and again."""

    rho, scale, first_scale = 0.0, 1.0, 1.0

    def __init__(self, config: CBFConfig, num_envs: int) -> None:
        super().__init__(config, num_envs, 1, config.num_antennas)
        bank = load_bank(config.bank, config.bank_sha256)
        self._drops: NDArray[np.float64] = bank.channel
        self._places = bank.users
        for antenna in range(config.num_antennas):
            self.factors[0, 0, antenna, antenna] = 1.0
        self.users[:] = np.nan
        self.context = (bank.correlation, 0.0)
        #: `(B, 2)` drop of the episode, and the coming slot.
        self._next = np.zeros((num_envs, 2), np.int64)

    def begin(self, env: int, streams: Streams) -> None:
        """Draws drop and first slot."""
        drop = streams.layout.integers(len(self._drops))
        self._next[env] = drop, streams.layout.integers(self._drops.shape[1])
        if self._places is not None:
            self.users[env] = self._places[drop]

    def draw(self, env: int) -> None:
        """Puts the next slot of the bank where numbers would be drawn."""
        drop, slot = self._next[env]
        self.noise[env] = self._drops[drop, slot]
        self._next[env, 1] = (slot + 1) % self._drops.shape[1]


def make_channel(config: CBFConfig, num_envs: int) -> Channel:
    """The channels that a configuration asks for."""
    if config.speed_mps > 0:
        from wirelessenvs.cbf.mobility import MovingChannel  # built on this module

        return MovingChannel(config, num_envs)
    if config.channel == "bank":
        return BankChannel(config, num_envs)
    return FadingChannel(config, num_envs)
