"""Coordinated beamforming in a multi-cell MISO downlink: the batched simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf import kernels
from wirelessenvs.cbf.channels import make_channel
from wirelessenvs.cbf.codebook import codebook, power_levels_mw
from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.spaces import feature_scaling, observation_bounds
from wirelessenvs.context import Context
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.policy import Information, PolicySpec, Privileged
from wirelessenvs.simulator import Simulator
from wirelessenvs.streams import Streams

__all__ = ["CBFSimulator", "CBFView"]


@dataclass(frozen=True)
class CBFView(Privileged):
    """Channel state that no single agent has; arrays are copies.

    Args:
        information: central: `channel` is that of the finished slot; genie and above: that of
            the slot to come.
        channel: `(B, K, K, N)` complex: from BS to UE per antenna. A UE receives `channel @ w`,
            without conjugation.
        beams: `(B, K, N)` complex: beamformers of the finished slot in sqrt(mW).
    """

    channel: NDArray[np.complex128]
    beams: NDArray[np.complex128]


class CBFSimulator(Simulator[CBFConfig]):
    """`num_envs` cellular networks, each with K cells of one BS (the agent) and one UE.

    One step is one slot: the beams of all BSs meet channel H(t), rates and rewards are measured,
    the channel fades to H(t+1), and what the old beams give on it is measured again. The module
    `wirelessenvs.cbf_v0` documents spaces, reward and episode.

    Example:
        >>> simulator = CBFSimulator(CBFConfig(), num_envs=2)
        >>> simulator.reset(seeds=0).shape
        (2, 19, 62)
        >>> simulator.step(np.full((2, 19), 4)).rewards.shape
        (2, 19)
    """

    task: ClassVar[str] = "cbf-v0"
    metric_names: tuple[str, ...] = (
        "rate",
        "power",
        "interference_db",
        "sinr_db",
    )

    def __init__(self, config: CBFConfig, num_envs: int = 1) -> None:
        super().__init__(config, num_envs)
        cells, antennas = config.num_cells, config.num_antennas
        self.agents = tuple(f"bs_{i}" for i in range(cells))
        #: `(K, 2)` BS coordinates in metres.
        self.bs_positions = config.cells.sites
        self._channel = make_channel(config, num_envs)
        #: `(B, K, 2)` UE coordinates in metres; nan where a bank does not tell them.
        self.ue_positions = self._channel.users
        self._neighbors = self._own_graph(
            NeighborGraph(self.agents, config.cells.adjacency, self.bs_positions)
        )
        self._make_spaces()

        self._codebook = codebook(antennas, config.num_beams)
        self._codewords = np.stack([self._codebook.real, self._codebook.imag])
        self._levels_mw = power_levels_mw(config.num_power_levels, config.max_power_mw)
        self._scale, self._logarithmic = feature_scaling(config)
        self._constants = (
            self._channel.rho,
            self._channel.scale,
            self._codewords,
            config.noise_mw,
            config.max_power_mw,
        )
        self._factors, self._noise = self._channel.factors, self._channel.noise

        size = config.num_interferers
        width = self.observation_space.shape[0]
        self._arrays = kernels.State(
            channel=np.zeros((num_envs, 2, antennas, cells, cells)),
            finished_channel=np.zeros((num_envs, 2, antennas, cells, cells)),
            beams=np.zeros((num_envs, 2, antennas, cells)),
            power_mw=np.zeros((num_envs, cells)),
            code=np.zeros((num_envs, cells), np.int64),
            features=np.zeros((num_envs, cells, width)),
            interferers=np.full((num_envs, cells, size), -1),
            interfered=np.full((num_envs, cells, size), -1),
        )
        correlation, shadowing_db = self._channel.context
        self._declare_context(
            Context.of(
                cells,
                num_cells=("cells", cells),
                neighbors=("cells", self._neighbors.degrees),
                correlation=("", correlation),
                shadowing_db=("dB", shadowing_db),
            )
        )

    def _make_spaces(self) -> None:
        config = self.config
        cells, antennas = config.num_cells, config.num_antennas
        low, high = observation_bounds(config)
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        if config.action == "codebook":
            self.action_space = gymnasium.spaces.Discrete(config.num_actions)
        else:
            # Rounded up, so that full power on one antenna stays inside in float64, too.
            limit = np.sqrt(config.max_power_mw)
            bound = np.nextafter(np.float32(limit), np.float32(np.inf))
            self.action_space = gymnasium.spaces.Box(-bound, bound, (2 * antennas,), np.float32)
        links = np.full(cells * cells, np.inf, np.float32)
        self.state_space = gymnasium.spaces.Box(
            np.concatenate([np.tile(low, cells), np.zeros_like(links)]),
            np.concatenate([np.tile(high, cells), links]),
            dtype=np.float32,
        )

    # ------------------------------------------------------------------ graph
    @property
    def graph(self) -> NeighborGraph:  # type: ignore[override]
        """Neighbour graph; with `graph="interferers"` that of environment 0 as it is now."""
        if self.config.graph == "hexagonal":
            return self._neighbors
        return NeighborGraph(self.agents, self._heard(0), self.bs_positions)

    @property
    def spec(self) -> PolicySpec:
        """The static knowledge that a policy is built from; its graph is the static one."""
        return PolicySpec(
            self.task, self.config, self._neighbors, self.observation_space, self.action_space
        )

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """`(B, N, N)` current neighbour relation of every environment."""
        if self.config.graph == "hexagonal":
            return super().adjacency
        return np.stack([self._heard(env) for env in range(self.num_envs)])

    def _heard(self, env: int) -> NDArray[np.bool_]:
        """`(K, K)` true where BS j is among the strongest interferers of cell i."""
        heard = np.zeros((self.num_agents, self.num_agents), np.bool_)
        order = self._arrays.interferers[env]
        if order[0, 0] >= 0:  # nothing is heard before the first reset
            np.put_along_axis(heard, order, True, axis=1)
        return heard

    # ------------------------------------------------------------------- slot
    def _reset_env(self, env: int, streams: Streams) -> None:
        config = self.config
        self._place(env, streams)
        # First and warm-up beams are random whatever the action mode.
        warm_up = self._warm_up_actions(streams)
        one = self._arrays.of(env)
        factors = self._factors if len(self._factors) == 1 else self._factors[env : env + 1]
        noise, active = self._noise[env : env + 1], np.ones(1, np.bool_)
        out = np.empty((5, 1, self.num_agents))

        self._draw_noise(env)
        kernels.set_codebook_beams(one, warm_up[:1], self._codewords, self._levels_mw, active)
        first = self._channel.first_scale
        kernels.begin(one, factors, noise, first, self._codewords, config.noise_mw, active)
        for slot in range(1, len(warm_up)):
            beams = warm_up[slot : slot + 1]
            kernels.set_codebook_beams(one, beams, self._codewords, self._levels_mw, active)
            self._draw_noise(env)
            kernels.advance(one, factors, noise, *self._constants, active, out)

    def _place(self, env: int, streams: Streams) -> None:
        """Starts the channels of one environment."""
        self._channel.begin(env, streams)

    def _warm_up_actions(self, streams: Streams) -> NDArray[np.int64]:
        """`(W + 1, K)` codebook actions: of the beams on air at first, then per warm-up slot."""
        shape = (self.config.warm_up_slots + 1, self.num_agents)
        return streams.traffic.integers(self.config.num_actions, size=shape)

    def _draw_noise(self, env: int) -> None:
        """Draws what the channels of one environment fade with in one slot."""
        self._channel.draw(env)

    def _advance(
        self, actions: NDArray[Any], active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        state = self._arrays
        if self.config.action == "codebook":
            kernels.set_codebook_beams(state, actions, self._codewords, self._levels_mw, active)
        else:
            limit = self.config.max_power_mw
            kernels.set_beams(state, actions, self._codewords, limit, active)
        for env, on in enumerate(active.tolist()):
            if on:
                self._draw_noise(env)
        out = np.zeros((5, self.num_envs, self.num_agents))
        kernels.advance(state, self._factors, self._noise, *self._constants, active, out)
        return self._observe(), out[0], dict(zip(self.metric_names, out[1:], strict=True))

    # ------------------------------------------------------------------ views
    @property
    def beams(self) -> NDArray[np.complex128]:
        """`(B, K, N)` beamformers of the finished slot in sqrt(mW), in a fresh array."""
        unit = (self._arrays.beams[:, 0] + 1j * self._arrays.beams[:, 1]).swapaxes(1, 2)
        return np.sqrt(self._arrays.power_mw)[..., None] * unit

    @property
    def beam_indices(self) -> NDArray[np.int64]:
        """`(B, K)` codewords of the finished slot, or the best-aligned ones; a fresh array."""
        return self._arrays.code.copy()

    def _observe(self) -> NDArray[np.float32]:
        observations = np.empty(self._arrays.features.shape, np.float32)
        kernels.write_observations(
            self._arrays.features, self._scale, self._logarithmic, observations
        )
        return observations

    def _state(self) -> NDArray[np.float32]:
        config = self.config
        gain = (self._arrays.channel**2).sum((1, 2))
        links = np.log10(1 + config.max_power_mw / config.noise_mw * gain) / 5
        parts = [self._observe().reshape(self.num_envs, -1), links.reshape(self.num_envs, -1)]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def _privileged(self, information: Information) -> CBFView:
        state = self._arrays
        measured = information is Information.CENTRAL
        parts = state.finished_channel if measured else state.channel
        channel = np.empty((*parts.shape[:1], *parts.shape[3:], parts.shape[2]), np.complex128)
        channel.real, channel.imag = np.moveaxis(parts[:, 0], 1, 3), np.moveaxis(parts[:, 1], 1, 3)
        return CBFView(information, channel, self.beams)
