"""The slicing simulator: every cell splits its band among K services, once per window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.context import Context
from wirelessenvs.graph import NeighborGraph
from wirelessenvs.policy import Information, Privileged
from wirelessenvs.simulator import Simulator
from wirelessenvs.slicing.classes import greatest
from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.kernels import (
    COUNTS,
    Radio,
    Users,
    first_gaps,
    simulate_windows,
    tabulate_windows,
)
from wirelessenvs.slicing.mobility import associate, interference, move
from wirelessenvs.slicing.rewards import lstm_a2c_shaping, reward_of, utility
from wirelessenvs.slicing.splits import (
    all_splits,
    block_choices,
    block_splits,
    nearest_units,
    units_to_blocks,
)
from wirelessenvs.slicing.threads import run_in_pieces
from wirelessenvs.slicing.trace import WindowTrace
from wirelessenvs.slicing.traffic import mean_packet_bits, traffic_tables
from wirelessenvs.streams import Streams

__all__ = ["SlicingSimulator", "SlicingView", "WindowTables"]


@dataclass(frozen=True)
class SlicingView(Privileged):
    """What a controller of all cells knows when a window begins.

    Args:
        information: class of the view.
        users: `(B, N, K)` users of each slice in each cell.
        queued: `(B, N, K)` packets waiting from the window before (only with `carry_over`).
        tables: the coming window under every allocation; only in a clairvoyant view.
    """

    users: NDArray[np.int64]
    queued: NDArray[np.int64]
    tables: WindowTables | None = None


@dataclass(frozen=True)
class WindowTables:
    """One window of each slice for every number of resource blocks, on the true random numbers.

    Args:
        choices: `(R,)` numbers of resource blocks.
        splits: `(S, K)` splits in units that differ in resource blocks; None of more than three
            slices, which may have millions.
        ssr: `(B, N, K, R)` satisfaction ratio.
        se: `(B, N, K, R)` contribution to the cell's spectral efficiency.
    """

    choices: NDArray[np.int32]
    splits: NDArray[np.int64] | None
    ssr: NDArray[np.float64]
    se: NDArray[np.float64]


class SlicingSimulator(Simulator[SlicingConfig]):
    """`num_envs` dense cellular networks; one step is one window of 2,000 slots.

    An agent is a base station. Before a window it splits its band among VoLTE, video and URLLC,
    or slices of one's own; the window's reward tells how well the packets of its users met their
    service levels.

    Args:
        config: see `SlicingConfig`.
        num_envs: batch size B.

    Example:
        >>> from wirelessenvs.slicing import SlicingConfig
        >>> simulator = SlicingSimulator(SlicingConfig.from_preset("small"))
        >>> simulator.reset(seeds=1).shape
        (1, 7, 12)
        >>> step = simulator.step(np.full((1, 7, 3), 3.3e6))
        >>> bool((step.rewards <= 1).all())
        True
    """

    task: ClassVar[str] = "slicing-v0"

    def __init__(self, config: SlicingConfig, num_envs: int = 1) -> None:
        super().__init__(config, num_envs)
        self.metric_names = _metric_names(config.slice_names)
        #: K
        self.num_slices = k = config.num_slices
        classes = config.classes
        b, n, u, q = self.num_envs, config.num_cells, config.num_users, config.queue_packets
        cells = config.cells
        self.agents = tuple(f"bs_{i}" for i in range(n))
        self.graph = self._own_graph(NeighborGraph(self.agents, cells.adjacency, cells.sites))
        #: `(2,)` centre of the users' box, which sites and positions are relative to, and its size.
        self.centre, self.box_half = config.box
        self.sites = cells.sites - self.centre
        self.num_units = config.num_units
        self.blocks = units_to_blocks(self.num_units, config.unit_hz, config.rb_hz)
        self.splits = all_splits(self.num_units, k) if config.action == "discrete" else None
        self._set_spaces()

        # SNR at one metre: transmit power + receive gain - path loss - noise on one block.
        noise_dbm = config.noise_dbm_hz + 10.0 * math.log10(config.rb_hz)
        budget_db = config.tx_power_dbm + config.rx_gain_db - noise_dbm
        self.snr_at_1m = (budget_db - 145.4 + 3 * 37.5) / 10.0
        base = 1.0 if config.log_base == "log10" else math.log10(2.0)
        no_limit = config.slot_s * 2.0**40  # in slots, an integer that no packet's age reaches
        latencies = [no_limit if c.latency_s is None else c.latency_s for c in classes]
        limit_slots = np.array(latencies) / config.slot_s
        self.tables = traffic_tables(config)
        self.radio = Radio(
            config.slots_per_window,
            config.slot_s,
            config.rb_hz * config.mimo_gain / base,
            config.shadowing_db / 10.0,
            np.log10(np.maximum(np.arange(config.num_rbs + 1), 1)),
            np.array([0.0 if c.rate_bps is None else c.rate_bps for c in classes]),
            np.ceil(limit_slots - 1e-9).astype(np.int64) - 1,  # strictly below the limit
            np.array([greatest(c.bits) for c in classes]),
            config.interference,
            config.carry_over,
            config.traffic == "trace",
        )
        self._trace = None if config.trace is None else WindowTrace(config, b)

        self.positions = np.zeros((b, u, 2))
        self.displacement = np.zeros((b, u, 2))
        self.slices = np.zeros((b, u), np.int8)
        self.cells = np.full((b, u), -1, np.int32)
        self.users = Users(
            np.zeros((b, u), np.int32),
            np.zeros((b, 1 if self._trace is None else u), np.int32),
            np.zeros((b, u)),
            np.zeros((b, u)),
            np.zeros((b, u), np.int32),
            np.zeros((b, k * n + 1), np.int32),
            np.zeros((b, u), np.int32),
            # A window of one empty place where queues are wiped: only its shape is read.
            *(
                np.zeros((b, u if config.carry_over else 1, q), kind)
                for kind in (np.int32, np.uint32, np.float64)
            ),
        )
        self.window = np.zeros(b, np.int64)
        self._keys = np.zeros((b, 2), np.uint64)
        self.demand_history = np.zeros((b, config.history, n, k))
        self.allocation = np.zeros((b, n, k), np.int64)  # units
        self.ssr = np.zeros((b, n, k))
        self.load = np.zeros((b, n))
        self._counts = np.zeros((b, n, k, len(COUNTS)), np.int64)
        self._rates = np.zeros((b, n, k))
        shares = _shares(config)
        #: Bounds of the classes in a uniform draw, and the speed of each.
        self._mix, self._speeds = np.cumsum(shares), np.array([c.speed_mps for c in classes])
        if config.user_classes is not None:
            shares = np.bincount(config.user_classes, minlength=k) / u
        packets: dict[str, tuple[str, float]] = {
            f"packet_{c.name}": ("kB", float(bits) / 8e3)
            for c, bits in zip(classes, mean_packet_bits(config), strict=True)
        }
        if config.slices is None:
            packets = {"urllc_packet": ("kB", float(np.mean(config.urllc_bits) / 8e3))}
        self._declare_context(
            Context.of(
                n,
                num_cells=("cells", n),
                neighbors=("cells", self.graph.degrees),
                users_per_cell=("users", u / n),
                **{
                    f"share_{s}": ("of users", share)
                    for s, share in zip(config.slice_names, shares, strict=True)
                },
                **packets,
            )
        )

    def _set_spaces(self) -> None:
        config, k = self.config, self.num_slices
        # A user sends at most one packet per slot.
        packets = float(config.num_users * config.slots_per_window)
        high = [packets] * (k * config.history)
        if config.observation == "full":
            high += [config.bandwidth_hz / 1e6] * k + [1.0] * k
        self.observation_space = gymnasium.spaces.Box(
            np.zeros(len(high), np.float32), np.array(high, np.float32), dtype=np.float32
        )
        if self.splits is None:
            self.action_space = gymnasium.spaces.Box(
                0.0, config.bandwidth_hz, (k,), dtype=np.float32
            )
        else:
            self.action_space = gymnasium.spaces.Discrete(len(self.splits))
        users = float(config.num_users)
        local = [users] * k + [users * config.queue_packets] * k
        local += [packets] * k + [config.bandwidth_hz / 1e6] * k + [1.0] * (k + 1)
        bound = np.tile(np.array(local, np.float32), config.num_cells)
        self.state_space = gymnasium.spaces.Box(np.zeros_like(bound), bound, dtype=np.float32)

    # ------------------------------------------------------------------ episode
    def _reset_env(self, env: int, streams: Streams) -> None:
        config = self.config
        u = config.num_users
        drawn = np.searchsorted(self._mix, streams.layout.random(u), "right")
        self.slices[env] = np.minimum(drawn, self.num_slices - 1)
        if config.user_classes is not None:
            self.slices[env] = config.user_classes
        if config.users is None:
            self.positions[env] = streams.layout.uniform(-1.0, 1.0, (u, 2)) * self.box_half
        else:
            self.positions[env] = np.array(config.users) - self.centre
        angle = streams.mobility.uniform(0.0, 2.0 * np.pi, u)
        window_s = config.slots_per_window * config.slot_s
        step_m = self._speeds[self.slices[env]] * window_s
        self.displacement[env] = step_m[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        self._keys[env, 0] = streams.traffic.integers(2**64, dtype=np.uint64)
        self._keys[env, 1] = streams.channel.integers(2**64, dtype=np.uint64)
        self.window[env] = 0
        self.users.gap[env] = first_gaps(self._keys[env, 0], self.slices[env], self.tables)
        if self._trace is not None:
            self._trace.begin(env, self.slices[env], streams.traffic)
            self._trace.fill(env, self.slices[env], self.users.packets[env])
        self.users.queue_length[env] = 0
        self.load[env] = 0.0
        self._associate(env)
        # The first observation shows real demands: windows under equal shares come before it.
        only = np.zeros(self.num_envs, np.bool_)
        only[env] = True
        equal = nearest_units(np.ones(self.num_slices), self.num_units)
        for _ in range(config.history):
            self.allocation[env] = equal
            self._simulate(only)

    def _associate(self, env: int) -> None:
        users, config = self.users, self.config
        coverage = math.inf if config.coverage_m is None else config.coverage_m
        associate(
            self.positions[env], self.slices[env], self.sites, coverage, self.snr_at_1m,
            self.cells[env], users.log_snr[env], users.members[env], users.offsets[env],
        )  # fmt: skip
        if config.interference:
            interference(
                self.positions[env], self.cells[env], self.sites, self.load[env], self.snr_at_1m,
                users.interference[env],
            )  # fmt: skip

    def _jobs(self, active: NDArray[np.bool_]) -> NDArray[np.int64]:
        n = self.num_agents
        return (np.flatnonzero(active)[:, None] * n + np.arange(n)).ravel()

    def _simulate(self, active: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Simulates the window under `self.allocation`, then moves users; counts handovers."""
        config, counts = self.config, self._counts
        rbs = self.blocks[self.allocation]
        run_in_pieces(
            config.num_threads,
            simulate_windows,
            self._jobs(active),
            rbs,
            self.users,
            self._keys,
            self.window,
            self.radio,
            self.tables,
            counts,
            self._rates,
        )
        offered = counts[..., 1] + counts[..., 3]
        ssr = np.where(offered > 0, counts[..., 0] / np.maximum(offered, 1), 1.0)
        used = (rbs * counts[..., 4]).sum(-1) / (config.num_rbs * config.slots_per_window)
        self.ssr[active] = ssr[active]
        self.load[active] = used[active]
        handovers = np.zeros((self.num_envs, self.num_agents))
        for env in np.flatnonzero(active):
            history = self.demand_history[env]
            history[1:] = history[:-1].copy()
            history[0] = counts[env, ..., 1]
            self.window[env] += 1
            if self._trace is not None:
                self._trace.fill(int(env), self.slices[env], self.users.packets[env])
            before = self.cells[env].copy()
            if self._speeds.any():
                move(self.positions[env], self.displacement[env], self.box_half)
            self._associate(int(env))
            left = before[(before != self.cells[env]) & (before >= 0)]
            handovers[env] = np.bincount(left, minlength=self.num_agents)
        return handovers

    def _advance(
        self, actions: NDArray[Any], active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        config = self.config
        if self.splits is None:
            units = nearest_units(actions, self.num_units)
        else:
            units = self.splits[actions]
        self.allocation[active] = units[active]
        handovers = self._simulate(active)
        on = active[:, None]
        ssr = np.where(on[..., None], self.ssr, 0.0)
        counts = np.where(on[..., None, None], self._counts, 0)
        rates = np.where(on[..., None], self._rates, 0.0)
        se = rates.sum(-1) / (config.bandwidth_hz * config.slots_per_window)
        values = [*np.moveaxis(ssr, -1, 0), ssr.sum(-1) / self.num_slices, se]
        values += [utility(ssr, se, config.betas), lstm_a2c_shaping(ssr, se)]
        values += [*np.moveaxis(counts[..., 1], -1, 0), *np.moveaxis(counts[..., 2], -1, 0)]
        values += [*np.moveaxis(units * config.unit_hz, -1, 0), self.load]
        values += [(counts[..., 1] + counts[..., 3] == 0).sum(-1), handovers]
        metrics = {
            name: np.where(on, value, 0.0)
            for name, value in zip(self.metric_names, values, strict=True)
        }
        rewards = np.where(on, reward_of(config, ssr, se), 0.0)
        return self._observe(), rewards, metrics

    # -------------------------------------------------------------------- views
    def _observe(self) -> NDArray[np.float32]:
        b, n = self.num_envs, self.num_agents
        demands = np.moveaxis(self.demand_history, 1, 2).reshape(b, n, -1)
        if self.config.observation == "paper":
            return demands.astype(np.float32)
        megahertz = self.allocation * (self.config.unit_hz / 1e6)
        return np.concatenate([demands, megahertz, self.ssr], axis=-1, dtype=np.float32)

    def _users_per_slice(self) -> NDArray[np.int64]:
        counts = np.diff(self.users.offsets, axis=1).astype(np.int64)
        return counts.reshape(self.num_envs, self.num_agents, self.num_slices)

    def _queued_per_slice(self) -> NDArray[np.int64]:
        b, n, k = self.num_envs, self.num_agents, self.num_slices
        queued = np.zeros((b, k * n), np.int64)
        if self.config.carry_over:
            for env in range(b):
                served = self.cells[env] >= 0
                group = k * self.cells[env, served] + self.slices[env, served]
                weights = self.users.queue_length[env, served]
                queued[env] = np.bincount(group, weights=weights, minlength=k * n)
        return queued.reshape(b, n, k)

    def _state(self) -> NDArray[np.float32]:
        parts = [
            self._users_per_slice(),
            self._queued_per_slice(),
            self.demand_history[:, 0],
            self.allocation * (self.config.unit_hz / 1e6),
            self.ssr,
            self.load[..., None],
        ]
        return np.concatenate(parts, axis=-1, dtype=np.float32).reshape(self.num_envs, -1)

    def _privileged(self, information: Information) -> Privileged:
        tables = self.window_tables() if information is Information.CLAIRVOYANT else None
        return SlicingView(information, self._users_per_slice(), self._queued_per_slice(), tables)

    def window_tables(self, every: int = 1) -> WindowTables:
        """Simulates the coming window under every allocation, on its own random numbers.

        Given a split, the slices of a cell do not interact: one run per slice and number of
        resource blocks tells the outcome of every split. Nothing in the simulator changes.

        Args:
            every: tabulate only every so many numbers of resource blocks, and the last.
        """
        config = self.config
        b, n, k = self.num_envs, self.num_agents, self.num_slices
        choices, _ = block_choices(self.blocks, k)
        splits = block_splits(self.blocks, k)[1] if k <= 3 else None
        if every > 1:
            choices = np.unique(np.append(choices[::every], choices[-1]))
        counts = np.zeros((b * n, k, choices.size, len(COUNTS)), np.int64)
        rates = np.zeros((b * n, k, choices.size))
        tabulate_windows(
            np.arange(b * n), choices, n, self.users, self._keys, self.window, self.radio,
            self.tables, counts, rates,
        )  # fmt: skip
        offered = counts[..., 1] + counts[..., 3]
        ssr = np.where(offered > 0, counts[..., 0] / np.maximum(offered, 1), 1.0)
        se = rates / (config.bandwidth_hz * config.slots_per_window)
        shape = (b, n, k, choices.size)
        return WindowTables(choices, splits, ssr.reshape(shape), se.reshape(shape))


def _metric_names(slices: tuple[str, ...]) -> tuple[str, ...]:
    per_slice = {
        kind: [f"{kind}_{name}" for name in slices]
        for kind in ("ssr", "demand", "dropped", "bandwidth")
    }
    return (
        *per_slice["ssr"], "mean_ssr", "se", "utility", "shaping", *per_slice["demand"],
        *per_slice["dropped"], *per_slice["bandwidth"], "load", "empty_slices", "handovers",
    )  # fmt: skip


def _shares(config: SlicingConfig) -> NDArray[np.float64]:
    mix = [one.share for one in config.classes]
    return np.array(mix) / sum(mix)
