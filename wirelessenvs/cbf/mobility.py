"""Users that walk through their cell: path loss, directions and shadowing change with the slots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.channels import FadingChannel
from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.layout import Layout, bearings, path_loss_db
from wirelessenvs.streams import Streams

__all__ = ["MovingChannel"]


class MovingChannel(FadingChannel):
    """Fading whose large-scale part follows the users.

    Each walks straight on at `speed_mps`. Where the next step would leave its cell, between
    `min_distance_m` and the cell's radius (or where it began, if that is outside), it waits a slot
    and turns into a random direction. Shadowing is a first-order process in the distance walked
    (M. Gudmundson, "Correlation model for shadow fading in mobile radio systems", Electronics
    Letters 27(23), 1991). Every path keeps its angle beside the bearing. What a link's fading gains
    in a slot has the power and directions of the new place; what it keeps has those of the old.
    """

    def __init__(self, config: CBFConfig, num_envs: int) -> None:
        super().__init__(config, num_envs, shared=False)
        cells = config.num_cells
        self._step_m = config.speed_mps * config.slot_duration_s
        self._memory = float(np.exp(-self._step_m / config.shadowing_distance_m))
        self._heading = np.zeros((num_envs, cells))
        #: `(B, 2, K)` least and greatest distance of each user from its BS.
        self._bounds = np.zeros((num_envs, 2, cells))
        self._shadowing_db = np.zeros((num_envs, cells, cells))
        self._deviation = np.zeros((num_envs, cells, cells, config.num_paths))
        self._streams: list[np.random.Generator | None] = [None] * num_envs
        #: Whether the layout is that of the coming slot.
        self._there = np.ones(num_envs, np.bool_)

    def begin(self, env: int, streams: Streams) -> None:
        """Starts an episode in one environment where its layout says."""
        super().begin(env, streams)
        config = self.config
        layout = self.layouts[env]
        assert layout is not None
        bearing, distance = bearings(config, layout.ue_positions)
        loss_db = path_loss_db(config, distance)
        self._shadowing_db[env] = -10 * np.log10(layout.path_gain) - loss_db
        self._deviation[env] = layout.departure_angles - bearing[..., None]
        own = np.diag(distance)
        self._bounds[env] = (
            np.minimum(config.min_distance_m, own),
            np.maximum(config.cells.radii_m, own),
        )
        self._streams[env] = streams.mobility
        self._heading[env] = 2 * np.pi * streams.mobility.random(config.num_cells)
        self._there[env] = True

    def draw(self, env: int) -> None:
        """Moves the users of one environment, unless it has just begun, and draws."""
        if not self._there[env]:
            self._move(env)
        self._there[env] = False
        super().draw(env)

    def _move(self, env: int) -> None:
        rng, config = self._streams[env], self.config
        assert rng is not None
        # Drawn whether needed or not: the stream is the same wherever users go.
        fresh = 2 * np.pi * rng.random(config.num_cells)
        innovation: NDArray[np.float64] = rng.standard_normal(self._shadowing_db[env].shape)
        heading = self._heading[env]
        step = self._step_m * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        wanted = self.users[env] + step
        away = np.hypot(*(wanted - config.cells.sites).T)
        inside = (away >= self._bounds[env, 0]) & (away <= self._bounds[env, 1])
        users = np.where(inside[:, None], wanted, self.users[env])
        self._heading[env] = np.where(inside, heading, fresh)
        scale = config.shadowing_db * np.sqrt(1 - self._memory**2)
        self._shadowing_db[env] = self._memory * self._shadowing_db[env] + scale * innovation
        bearing, distance = bearings(config, users)
        loss_db = path_loss_db(config, distance) + self._shadowing_db[env]
        gain = np.minimum(10 ** (-loss_db / 10), 1.0)
        self._lay_out(env, Layout(users, gain, bearing[..., None] + self._deviation[env]))
