"""Configuration of the RB task: frame, traffic, rules, and where each number is from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.checks import (
    check_choice,
    check_flag,
    check_int,
    check_matrix,
    check_real,
    check_vector,
    shown,
)
from wirelessenvs.config import TaskConfig
from wirelessenvs.inputs import check_counts, check_traced, check_whole, frozen, read_table

__all__ = ["ARBITRATIONS", "GRAPHS", "OBSERVATIONS", "REWARDS", "TRAFFICS", "UNITS", "RBConfig"]

TRAFFICS = ("mmpp", "poisson", "bernoulli", "trace")
ARBITRATIONS = ("rotating", "max-min", "collision")
OBSERVATIONS = ("full", "paper")
UNITS = ("natural", "fair-share")
REWARDS = ("own", "neighbors", "global")
GRAPHS = ("ring-2", "ring-1", "complete", "geometric", "conflict", "none")

#: The six links of Zhang and Guo (arXiv:2312.05746): row i has a 1 where link j conflicts with i.
SIX_LINKS = (
    (0, 1, 0, 1, 1, 0),
    (1, 0, 1, 1, 0, 0),
    (0, 1, 0, 1, 0, 1),
    (1, 1, 1, 0, 1, 0),
    (1, 0, 0, 1, 0, 1),
    (0, 0, 1, 0, 1, 0),
)

Matrix = Sequence[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class RBConfig(TaskConfig):
    """Everything that defines an RB environment.

    Meng et al. (IEEE Trans. Commun. 73(12), 2025) simulate an MF-TDMA cluster in OPNET and publish
    the frame of 4 x 10 resource blocks (RBs), but neither the traffic law nor the reward. Fields
    without another source are choices of this package, consistent with every published sentence.

    Args:
        max_steps: frames per episode.
        num_nodes: member nodes N = agents, 2 to `num_slots * num_frequencies`. The paper's
            clusters have 8 or 9.
        num_slots: time slots S per frame (Meng et al.: 10). A node has one transmit radio, hence
            at most S RBs per frame; an action is 0..S.
        num_frequencies: frequencies per slot (Meng et al.: 4).
        frame_ms: duration of a frame in milliseconds; turns frames into time in pictures, nothing
            else.
        traffic: law of the packets g_i that arrive in a frame. "mmpp": Poisson whose rate is
            switched by a hidden two-state Markov chain per node; "poisson": at the mean rate;
            "bernoulli": one packet per slot with probability rate / S; "trace": counts of `trace`.
        mean_rate: packets per frame, one number for all nodes or one per node, 0 to 500.
        modulation: relative swing of the two MMPP rates around the mean, 0 to 1: 0.5 gives 2 and
            6 packets per frame.
        switch_probability: chance that a node's MMPP mode changes after a frame, 0 to 1.
        load: if given, `mean_rate` is scaled so that the rates sum to `load` times the RBs per
            frame; above 0, at most 10. Not for a trace.
        trace: `(T, N)` packets per frame, repeated cyclically; a matrix, or a CSV or .npy file of
            one. Fractions are carried from frame to frame. For `traffic="trace"` only.
        trace_random_start: whether an episode starts at a random row of the trace, or at its
            first.
        queue_capacity: packets that a node's FIFO queue holds after service; more are dropped from
            the tail.
        erasure_probability: chance that a transmitted packet is lost on air and stays queued, 0 to
            1, one number or one per node.
        arbitration: who gets RBs when more are asked for than exist. "rotating": nodes in turn,
            beginning with node t mod N; "max-min": one RB each in rounds; "collision": no
            coordination, a node puts its packets on random RBs and those that conflict are lost.
        conflicts: `(N, N)` symmetric 0/1 matrix of nodes that cannot share an RB, several clusters
            on the same frequencies, or a file of it. None: one cluster, nobody shares.
        observation: "full" (arrivals, queue, grant, age) or "paper" (arrivals, queue).
        units: "natural" (packets and RBs), or "fair-share": observed packets and RBs, and the RBs
            asked for, are multiples of the node's fair share of the frame, R / N in a cluster. A
            request becomes RBs by rounding half up, at most `num_slots`.
        reward: "own", the mean over the node and its neighbours ("neighbors"), or the mean over
            all nodes ("global"); or a function of a step's metrics, also as `module:function`.
        served_reward: reward per packet served.
        delay_cost: cost per packet in the queue after service, that is per frame of waiting.
        drop_cost: cost per packet dropped. Without it, dropping pays.
        waste_cost: cost per RB occupied without a delivery.
        graph: who hears whom: "ring-2" (two nodes on each side), "ring-1", "complete",
            "geometric" (nodes dropped in the unit square hear those within `graph_radius`),
            "conflict" (the conflict graph), "none", or a symmetric `(N, N)` 0/1 matrix. It says
            what is observable; interference is the business of `conflicts`.
        graph_radius: of the geometric graph, in sides of the unit square, above 0.
        graph_seed: of the geometric graph, drawn once and the same in every episode.
    """

    num_nodes: int = 8
    num_slots: int = 10
    num_frequencies: int = 4
    frame_ms: float = 25.0
    traffic: str = "mmpp"
    mean_rate: float | Sequence[float] = 4.0
    modulation: float = 0.5
    switch_probability: float = 0.2
    load: float | None = None
    trace: str | Matrix | NDArray[Any] | None = None
    trace_random_start: bool = True
    queue_capacity: int = 40
    erasure_probability: float | Sequence[float] = 0.0
    arbitration: str = "rotating"
    conflicts: str | Matrix | NDArray[Any] | None = None
    observation: str = "full"
    units: str = "natural"
    reward: Any = "own"
    served_reward: float = 0.1
    delay_cost: float = 1.0
    drop_cost: float = 10.0
    waste_cost: float = 0.0
    graph: str | Matrix | NDArray[Any] = "ring-2"
    graph_radius: float = 0.4
    graph_seed: int = 0

    rewards: ClassVar[tuple[str, ...]] = REWARDS
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "rb-8": {},
        "rb-9": {"num_nodes": 9},
        "conflict": {
            "num_nodes": 6,
            "num_slots": 1,
            "num_frequencies": 1,
            "traffic": "poisson",
            "mean_rate": 0.15,
            "conflicts": SIX_LINKS,
            "graph": "conflict",
            "queue_capacity": 100,
        },
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("num_slots", self.num_slots, 1, 1000)
        # Frequencies are bits of a 64-bit word where RBs are placed one by one.
        check_int("num_frequencies", self.num_frequencies, 1, 60)
        check_int("num_nodes", self.num_nodes, 2)
        if self.num_nodes > self.num_rbs and self.conflicts is None:
            raise ValueError(
                f"num_nodes must be at most num_slots * num_frequencies = {self.num_rbs}, "
                f"got {shown(self.num_nodes)}."
            )
        check_real("frame_ms", self.frame_ms, 0, low_open=True)
        self._check_traffic()
        check_int("queue_capacity", self.queue_capacity, 1, 100_000)
        self._check_per_node("erasure_probability", 1.0)
        check_choice("arbitration", self.arbitration, ARBITRATIONS)
        check_choice("observation", self.observation, OBSERVATIONS)
        check_choice("units", self.units, UNITS)
        check_real("served_reward", self.served_reward)
        check_real("delay_cost", self.delay_cost)
        check_real("drop_cost", self.drop_cost)
        check_real("waste_cost", self.waste_cost)
        if self.conflicts is not None:
            self._check_relation("conflicts")
        if isinstance(self.graph, str):
            check_choice("graph", self.graph, GRAPHS)
            if self.graph == "conflict" and self.conflicts is None:
                raise ValueError('graph must not be "conflict" without conflicts, got None.')
        else:
            self._check_relation("graph")
        check_real("graph_radius", self.graph_radius, 0, low_open=True)
        check_int("graph_seed", self.graph_seed, 0)
        if self.adjacency is not None and not isinstance(self.graph, str):
            raise ValueError("adjacency must be None with a matrix for graph: give one of them.")
        self._check_own(self.num_nodes)

    def _check_traffic(self) -> None:
        check_choice("traffic", self.traffic, TRAFFICS)
        self._check_per_node("mean_rate", 500.0)
        check_real("modulation", self.modulation, 0, 1)
        check_real("switch_probability", self.switch_probability, 0, 1)
        check_flag("trace_random_start", self.trace_random_start)
        check_traced(self.trace, self.traffic)
        if self.load is not None:
            check_real("load", self.load, 0, 10, low_open=True)
            if self.traffic == "trace":
                raise ValueError(f"load must be None for a trace, got {self.load:g}.")
            if not np.any(self.mean_rate):
                raise ValueError("mean_rate must be above 0 for some node if load is given.")
        if self.trace is not None:
            table = check_matrix("trace", read_table("trace", self.trace), None, 0, 30_000)
            object.__setattr__(self, "trace", frozen(check_counts("trace", table)))
            if len(self.trace) == 0 or len(self.trace[0]) != self.num_nodes:
                raise ValueError(
                    f"trace must have at least one row and {self.num_nodes} columns, "
                    f"got shape {table.shape}."
                )
        highest = float(self.node_rates.max())
        if highest > 500:
            raise ValueError(f"load must keep every node's rate at most 500, got {highest:g}.")
        if self.traffic == "bernoulli" and highest > self.num_slots:
            raise ValueError(
                f'mean_rate must be at most num_slots = {self.num_slots} for traffic "bernoulli", '
                f"got {highest:g}."
            )

    def _check_per_node(self, name: str, high: float) -> None:
        """Checks a number or one per node, and stores the latter as a tuple of floats."""
        value = getattr(self, name)
        if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
            entries = check_vector(name, value, self.num_nodes, 0, high)
            object.__setattr__(self, name, tuple(entries.tolist()))
        else:
            check_real(name, value, 0, high)

    def _check_relation(self, name: str) -> None:
        n = self.num_nodes
        matrix = check_matrix(name, read_table(name, getattr(self, name)), (n, n), 0, 1)
        self._freeze_matrix(name, matrix)
        if (matrix != matrix.T).any():
            raise ValueError(f"{name} must be symmetric.")
        if matrix.diagonal().any():
            raise ValueError(f"{name} must be zero on the diagonal.")

    def _freeze_matrix(self, name: str, matrix: NDArray[np.float64]) -> None:
        """Stores whole numbers as nested tuples: immutable, comparable, hashable."""
        object.__setattr__(self, name, frozen(check_whole(name, matrix)))

    @property
    def num_rbs(self) -> int:
        """RBs per frame R = slots times frequencies."""
        return self.num_slots * self.num_frequencies

    @property
    def node_rates(self) -> NDArray[np.float64]:
        """`(N,)` mean packets per frame, after scaling to `load`; a trace's own means."""
        if self.trace is not None:
            return np.asarray(self.trace, np.float64).mean(0)
        rates = np.full(self.num_nodes, self.mean_rate, np.float64)
        if self.load is not None:
            rates *= self.load * self.num_rbs / rates.sum()
        return rates

    @property
    def fair_shares(self) -> NDArray[np.float64]:
        """`(N,)` RBs over the nodes that compete for them: R / N in a cluster."""
        return self.num_rbs / (1.0 + self.conflict_matrix.sum(1))

    @property
    def mode_rates(self) -> NDArray[np.float64]:
        """`(M, N)` packets per frame in each hidden mode: low and high for "mmpp", else one row."""
        rates = self.node_rates
        if self.traffic != "mmpp":
            return rates[None]
        return np.stack([rates * (1 - self.modulation), rates * (1 + self.modulation)])

    @property
    def conflict_matrix(self) -> NDArray[np.bool_]:
        """`(N, N)` pairs that cannot share an RB; all pairs in a single cluster."""
        if self.conflicts is None:
            return ~np.eye(self.num_nodes, dtype=np.bool_)
        return np.asarray(self.conflicts, np.bool_)

    @property
    def offered_load(self) -> float:
        """Mean packets per frame over RBs per frame."""
        return float(self.node_rates.sum() / self.num_rbs)

    def replace(self, **changes: Any) -> RBConfig:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)
