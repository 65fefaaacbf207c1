"""The RB simulator: a batch of MF-TDMA clusters, frame by frame."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.context import Context
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.policy import Information
from wirelessenvs.rb.config import RBConfig
from wirelessenvs.rb.frame import wrap_around_grid
from wirelessenvs.rb.kernels import (
    AGE,
    COLLIDED,
    DROPPED,
    FIELDS,
    GENERATED,
    GRANTED,
    MAX_MIN,
    PLACED,
    QUEUE,
    ROTATING,
    SERVED,
    advance,
    place,
)
from wirelessenvs.rb.traffic import arrival_table, draw_arrivals, success_table
from wirelessenvs.rb.views import RBView
from wirelessenvs.simulator import Simulator
from wirelessenvs.streams import Streams
from wirelessenvs.topology import random_geometric, ring_lattice

__all__ = ["RBSimulator"]

#: Frames whose random numbers are drawn at once. A part of the random-number recipe: changing it
#: changes erasures and collisions, though not arrivals.
BLOCK = 64

_RULES = {"rotating": ROTATING, "max-min": MAX_MIN, "collision": COLLIDED}


class RBSimulator(Simulator[RBConfig]):
    """Nodes of a cluster share the resource blocks (RBs) of a frame; one step is one frame.

    Order of a step: requests a_i; grants n_i by the arbitration rule; arrivals g_i; service
    d_i = min(q_i + g_i, n_i), oldest packets first (each lost on air with the erasure
    probability); the rest y_i = q_i + g_i - d_i waits, of which max(y_i - capacity, 0) packets are
    dropped from the tail. Requests are made before the arrivals are known.

    Random numbers: the traffic stream gives N uniforms for the first modes (MMPP) or one integer
    for the first row (trace), then per frame N uniforms for arrivals and, for MMPP, N for mode
    switches. The channel stream gives per frame and node one uniform for erasures and two per slot
    for uncoordinated access, where these are on. Nothing depends on actions.

    Args:
        config: of the task.
        num_envs: batch size B.

    Example:
        >>> simulator = RBSimulator(RBConfig(num_nodes=9), num_envs=2)
        >>> simulator.reset(seeds=0).shape
        (2, 9, 4)
        >>> step = simulator.step(np.full((2, 9), 4))
        >>> bool((step.metrics["granted"] == 4).all())
        True
    """

    task: ClassVar[str] = "rb-v0"
    metric_names: tuple[str, ...] = (
        "served",
        "waited",
        "dropped",
        "wasted",
        "granted",
        "generated",
    )
    rounds_real_actions: ClassVar[bool] = True

    def __init__(self, config: RBConfig | None = None, num_envs: int = 1) -> None:
        super().__init__(RBConfig() if config is None else config, num_envs)
        config = self.config
        n, slots = config.num_nodes, config.num_slots
        self.agents = tuple(f"node_{i}" for i in range(n))
        self.graph = self._own_graph(self._make_graph())
        #: `(N, D)` what an entry of an observation is counted in; None for natural units.
        self._units: NDArray[np.float32] | None = None
        self.action_space = gymnasium.spaces.Discrete(slots + 1)

        self._table = arrival_table(config) if config.trace is None else np.ones((1, n, 1))
        self._trace = None if config.trace is None else np.asarray(config.trace, np.int64)
        self._mode_rates = config.mode_rates
        self._conflicts = config.conflict_matrix
        self._prices = np.array(
            [config.served_reward, config.delay_cost, config.drop_cost, config.waste_cost],
            np.float64,
        )
        # One cluster needs counts only: any n_i <= S that sum to at most R fit the frame. Conflict
        # graphs and uncoordinated access need to know which RBs.
        self._rule = _RULES[config.arbitration]
        self._places = config.conflicts is not None or self._rule == COLLIDED
        counted = PLACED if self._places and self._rule != COLLIDED else self._rule
        mixed = config.built_in_reward != "own"
        self._limits = np.array([config.num_rbs, counted, mixed], np.int64)
        self._mixing = self._reward_weights()
        self._erasures = bool(np.any(config.erasure_probability))
        self._passing = success_table(config) if self._erasures else np.ones((0, 1, 1))

        b = self.num_envs
        most = self._table.shape[2] - 1 if self._trace is None else int(self._trace.max())
        self._nodes = np.zeros((b, n, FIELDS), np.int64)
        self._stamps = np.zeros((b, n, config.queue_capacity), np.int32)
        self._clocks = np.zeros((b, 2), np.int64)
        self._arrivals = np.zeros((b, BLOCK, n), np.uint16)
        self._mode_history = np.zeros((b, BLOCK, n), np.uint8)
        self._modes = np.zeros((b, n), np.int64)
        width = 1 + 2 * slots if self._rule == COLLIDED else int(self._erasures)
        self._luck = np.zeros((b, BLOCK, n, width))
        self._placed = np.full((b if self._places else 0, n, slots), -1, np.int64)
        self._row = np.zeros(b, np.int64)
        self._traffic: list[np.random.Generator | None] = [None] * b
        self._channel: list[np.random.Generator | None] = [None] * b

        # Of the age, the largest count that a clock holds: policies outlive an episode's length.
        entries = [most, config.queue_capacity, slots, np.iinfo(self._stamps.dtype).max]
        high = np.array(entries[: self._width], np.float32)
        self.observation_space = gymnasium.spaces.Box(np.zeros_like(high), high, dtype=np.float32)
        if config.units == "fair-share":
            self._use_fair_shares()
        bounds = np.concatenate([np.tile(high, n), np.ones(n, np.float32)])
        self.state_space = gymnasium.spaces.Box(np.zeros_like(bounds), bounds, dtype=np.float32)
        self._declare_context(
            Context.of(
                n,
                num_nodes=("nodes", n),
                fair_share=("RBs per frame", config.fair_shares),
                neighbors=("nodes", self.graph.degrees),
                mean_rate=("packets per frame", config.node_rates),
            )
        )

    def _use_fair_shares(self) -> None:
        """Observations and actions in multiples of the fair share."""
        shares = self.config.fair_shares.astype(np.float32)
        self._units = np.ones((self.num_agents, self._width), np.float32)
        self._units[:, :3] = shares[:, None]  # all but the age
        high = self.observation_space.high / self._units.min(0)
        self.observation_space = gymnasium.spaces.Box(np.zeros_like(high), high, dtype=np.float32)
        # The same in every cluster: fair shares are one RB or more where all nodes compete.
        most = np.float32(self.config.num_slots * max(1.0, (1 / shares).max()))
        self.action_space = gymnasium.spaces.Box(0.0, most, (1,), np.float32)

    @property
    def _width(self) -> int:
        return 4 if self.config.observation == "full" else 2

    def _make_graph(self) -> NeighborGraph:
        config = self.config
        n = config.num_nodes
        if not isinstance(config.graph, str):
            return NeighborGraph(self.agents, np.asarray(config.graph))
        if config.graph == "complete":
            return NeighborGraph.complete(self.agents)
        if config.graph == "none":
            return NeighborGraph(self.agents, np.zeros((n, n), np.bool_))
        if config.graph == "conflict":
            return NeighborGraph(self.agents, config.conflict_matrix)
        if config.graph == "geometric":
            rng = np.random.Generator(np.random.PCG64(config.graph_seed))
            positions, adjacency = random_geometric(n, config.graph_radius, rng)
            return NeighborGraph(self.agents, adjacency, positions)
        angles = 2 * np.pi * np.arange(n) / n
        circle = np.stack([np.cos(angles), np.sin(angles)], 1)
        reach = 2 if config.graph == "ring-2" else 1
        return NeighborGraph(self.agents, ring_lattice(n, reach), circle)

    def _reward_weights(self) -> NDArray[np.float64]:
        n = self.config.num_nodes
        heard = np.eye(n)
        if self.config.built_in_reward == "neighbors":
            heard += self.graph.adjacency
        elif self.config.built_in_reward == "global":
            heard[:] = 1
        return heard / heard.sum(1, keepdims=True)

    # ------------------------------------------------------------------ reset
    def _reset_env(self, env: int, streams: Streams) -> None:
        self._nodes[env] = 0
        self._clocks[env] = 0
        self._traffic[env] = streams.traffic
        self._channel[env] = streams.channel
        if self._places:
            self._placed[env] = -1
        self._modes[env] = 0
        self._row[env] = 0
        if self._mode_rates.shape[0] == 2:
            # The chain is symmetric: both modes are equally likely in the long run.
            self._modes[env] = streams.traffic.random(self.num_agents) < 0.5
        elif self._trace is not None and self.config.trace_random_start:
            self._row[env] = streams.traffic.integers(len(self._trace))
        self._draw_block(env)

    def _draw_block(self, env: int) -> None:
        """Draws the randomness of the next `BLOCK` frames of one environment."""
        traffic, channel = self._traffic[env], self._channel[env]
        assert traffic is not None
        assert channel is not None
        self._clocks[env, 1] = 0
        if self._trace is not None:
            rows = (self._row[env] + np.arange(BLOCK)) % len(self._trace)
            self._arrivals[env] = self._trace[rows]
            self._row[env] = (rows[-1] + 1) % len(self._trace)
        else:
            draw_arrivals(
                traffic.random((BLOCK, self._mode_rates.shape[0], self.num_agents)),
                self._table,
                self.config.switch_probability,
                self._modes[env],
                self._arrivals[env],
                self._mode_history[env],
            )
        if self._luck.shape[3]:
            channel.random(out=self._luck[env])

    # ------------------------------------------------------------------- step
    def _advance(
        self, actions: NDArray[Any], active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        if self._units is not None:
            wanted = np.floor(actions[..., 0] * self.config.fair_shares + 0.5)
            actions = np.minimum(wanted, self.config.num_slots).astype(np.int64)
        if self._places:
            place(
                actions,
                active,
                self._nodes,
                self._clocks,
                self._arrivals,
                self._conflicts,
                self.config.num_frequencies,
                self._rule,
                self._luck,
                self._placed,
            )
        observations = np.empty((*actions.shape, self._width), np.float32)
        values = np.zeros((7, *actions.shape))
        exhausted = advance(
            actions,
            active,
            self._nodes,
            self._stamps,
            self._clocks,
            self._arrivals,
            self._limits,
            self._prices,
            self._mixing,
            self._luck,
            self._passing,
            observations,
            values,
        )
        if exhausted:
            # At once, not when needed: a clairvoyant policy may look at the next arrivals first.
            for env in np.flatnonzero(self._clocks[:, 1] == BLOCK):
                self._draw_block(int(env))
        if self._units is not None:
            observations /= self._units
        rewards, *metrics = values
        return observations, rewards, dict(zip(self.metric_names, metrics, strict=True))

    # ------------------------------------------------------------------ views
    def _observe(self) -> NDArray[np.float32]:
        counts = self._nodes[..., : self._width].astype(np.float32)
        return counts if self._units is None else counts / self._units

    def _state(self) -> NDArray[np.float32]:
        flat = self._nodes[..., : self._width].astype(np.float32).reshape(self.num_envs, -1)
        return np.concatenate([flat, self.modes.astype(np.float32)], axis=1)

    def _coming(self, block: NDArray[Any]) -> NDArray[np.int64]:
        """`(B, N)` entry of the frame to come in an array of drawn frames."""
        return block[np.arange(self.num_envs), self._clocks[:, 1]].astype(np.int64)

    @property
    def modes(self) -> NDArray[np.int64]:
        """`(B, N)` hidden traffic modes of the frame to come: 0 low, 1 high; 0 if not MMPP."""
        return self._coming(self._mode_history)

    def _privileged(self, information: Information) -> RBView:
        rates = arrivals = None
        if information in (Information.GENIE, Information.CLAIRVOYANT):
            rates = self._mode_rates[self.modes, np.arange(self.num_agents)]
        if information is Information.CLAIRVOYANT:
            arrivals = self._coming(self._arrivals)
        return RBView(
            information=information,
            frame=self._clocks[:, 0].copy(),
            queues=self._nodes[..., QUEUE].copy(),
            generated=self._nodes[..., GENERATED].copy(),
            served=self._nodes[..., SERVED].copy(),
            rates=rates,
            arrivals=arrivals,
        )

    @property
    def queues(self) -> NDArray[np.int64]:
        """`(B, N)` packets waiting."""
        return self._nodes[..., QUEUE].copy()

    @property
    def grants(self) -> NDArray[np.int64]:
        """`(B, N)` RBs granted in the last frame."""
        return self._nodes[..., GRANTED].copy()

    @property
    def ages(self) -> NDArray[np.int64]:
        """`(B, N)` frames for which each head-of-line packet has waited; 0 if there is none."""
        return self._nodes[..., AGE].copy()

    @property
    def generated(self) -> NDArray[np.int64]:
        """`(B, N)` packets that arrived in the last frame."""
        return self._nodes[..., GENERATED].copy()

    @property
    def served(self) -> NDArray[np.int64]:
        """`(B, N)` packets delivered in the last frame."""
        return self._nodes[..., SERVED].copy()

    @property
    def dropped(self) -> NDArray[np.int64]:
        """`(B, N)` packets dropped in the last frame."""
        return self._nodes[..., DROPPED].copy()

    def usage(self, env: int = 0) -> NDArray[np.int64]:
        """What each node did with each slot of the last frame.

        Returns:
            `(N, S)`: the frequency on which the node held an RB, -1 for none, -2 - f for a
            transmission on frequency f that was lost in a collision.
        """
        if self._places:
            return self._placed[env].copy()
        grid = wrap_around_grid(
            self._nodes[env, :, GRANTED], self.config.num_slots, self.config.num_frequencies
        )
        usage = np.full((self.num_agents, self.config.num_slots), -1, np.int64)
        frequencies, slots = np.nonzero(grid >= 0)
        usage[grid[frequencies, slots], slots] = frequencies
        return usage

    def grid(self, env: int = 0) -> NDArray[np.int64]:
        """Which node held which RB in the last frame.

        Returns:
            `(F, S)` node indices, -1 for a free RB (or one lost in a collision). Where a conflict
            graph lets several nodes share an RB, the first of them; `usage` tells all.
        """
        grid = np.full((self.config.num_frequencies, self.config.num_slots), -1, np.int64)
        for node, row in reversed(list(enumerate(self.usage(env)))):
            slots = np.flatnonzero(row >= 0)
            grid[row[slots], slots] = node
        return grid
