"""Policies for the RB task, from random requests to a clairvoyant controller."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.policy import Information, Policy, PolicySpec
from wirelessenvs.rb.allocation import (
    colors,
    filter_modes,
    longest_first,
    max_weight,
    maximal_independent_sets,
    mean_field,
    newsvendor,
    proportional_fair,
)
from wirelessenvs.rb.config import RBConfig
from wirelessenvs.rb.views import RBView

__all__ = ["POLICIES"]

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]

#: Columns of an observation.
GENERATED, QUEUE, GRANTED = 0, 1, 2

#: Weight of the newest frame in estimates of arrival rates.
RATE_WEIGHT = 0.2


class _RBPolicy(Policy):
    """Base: the configuration, and whether an environment has just been reset."""

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        if not isinstance(spec.config, RBConfig):
            raise ValueError(f"policy {self.name!r} plays rb-v0 only, got {spec.task!r}.")
        self.config: RBConfig = spec.config
        self._fresh = np.ones(num_envs, np.bool_)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        self._fresh[slice(None) if mask is None else mask] = True

    def _act(self, observations: NDArray[np.float32], privileged: Any) -> NDArray[Any]:
        if self.config.units == "natural":
            return self._requests(observations, privileged)
        # Rules count packets and RBs; rounding takes back what float32 has cost.
        shares = self.config.fair_shares
        counts = np.rint(observations[..., :3] * shares[:, None])
        requests = self._requests(counts.astype(np.float32), privileged) / shares
        return np.minimum(requests[..., None], self.spec.action_space.high)  # type: ignore[union-attr]

    @abc.abstractmethod
    def _requests(self, observations: NDArray[np.float32], privileged: Any) -> Counts:
        """`(B, N)` RBs asked for, from observations in packets and RBs."""

    def _whole(self, requests: Reals) -> Counts:
        """Requests rounded to the nearest whole number, within 0..S."""
        return np.clip(np.floor(requests + 0.5), 0, self.config.num_slots).astype(np.int64)


class _MeanEstimate:
    """Exponentially weighted means per node, started from a known value in each episode."""

    def __init__(self, num_envs: int, start: Reals, weight: float) -> None:
        self.weight = weight
        self._start = start
        self.means = np.tile(start, (num_envs, 1))

    def update(self, values: NDArray[Any], fresh: NDArray[np.bool_]) -> Reals:
        """Takes in a frame's values; an environment just reset has had no frame yet."""
        self.means += self.weight * (values - self.means)
        if fresh.any():
            self.means[fresh] = self._start
        return self.means


class Random(_RBPolicy):
    """Every node asks for 0..S RBs, uniformly."""

    name: ClassVar[str] = "random"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._rng = np.random.default_rng(seed)

    def _requests(self, observations: NDArray[np.float32], privileged: None) -> Counts:
        return self._rng.integers(0, self.config.num_slots + 1, observations.shape[:2])


class RoundRobin(_RBPolicy):
    """Every node always asks for its equal share: floor(R / N) RBs in a single cluster.

    On a conflict graph, R is divided by the number of colours of a greedy colouring instead of N.
    If that leaves less than one RB, the colours take turns, one frame each.
    """

    name: ClassVar[str] = "round-robin"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._colors = colors(self.config.conflict_matrix)
        self._frames = np.zeros(num_envs, np.int64)

    def _requests(self, observations: NDArray[np.float32], privileged: None) -> Counts:
        self._frames[self._fresh] = 0
        self._fresh[:] = False
        most, count = self.config.num_slots, int(self._colors.max()) + 1
        share = self.config.num_rbs // count
        if share > 0:
            return np.full(observations.shape[:2], min(share, most), np.int64)
        turn = self._frames % count
        self._frames += 1
        return np.where(turn[:, None] == self._colors, min(self.config.num_rbs, most), 0)


class Demand(_RBPolicy):
    """Every node asks for what it has: a_i = min(q_i, S)."""

    name: ClassVar[str] = "demand"
    information: ClassVar[Information] = Information.LOCAL

    def _requests(self, observations: NDArray[np.float32], privileged: None) -> Counts:
        return self._whole(observations[..., QUEUE].astype(np.float64))


class DemandMean(_RBPolicy):
    """Every node asks for what it has and what comes on average: a_i = min(q_i + rate_i, S)."""

    name: ClassVar[str] = "demand-mean"
    information: ClassVar[Information] = Information.LOCAL

    def _requests(self, observations: NDArray[np.float32], privileged: None) -> Counts:
        return self._whole(observations[..., QUEUE] + self.config.node_rates)


class Hysteresis(_RBPolicy):
    """The 75/25 % rule of RFC 9033 (6TiSCH Minimal Scheduling Function, section 5.1).

    A node counts the RBs it was granted and those it used. Once it has counted 100 (the RFC's
    MAX_NUM_CELLS), it asks for one RB more if it used more than 75 % of them, for one less if it
    used less than 25 %, and starts to count anew. It begins with its equal share R / N and always
    keeps one. With `observation="paper"` it cannot see its grants and takes them for its requests.
    """

    name: ClassVar[str] = "hysteresis"
    information: ClassVar[Information] = Information.LOCAL
    window: ClassVar[int] = 100
    high: ClassVar[float] = 0.75
    low: ClassVar[float] = 0.25

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        shape = (num_envs, spec.num_agents)
        self._cells = np.zeros(shape, np.int64)
        self._elapsed = np.zeros(shape)
        self._used = np.zeros(shape)
        self._queue = np.zeros(shape)

    def _requests(self, observations: NDArray[np.float32], privileged: None) -> Counts:
        queue = observations[..., QUEUE].astype(np.float64)
        granted = observations[..., GRANTED] if self.config.observation == "full" else self._cells
        served = self._queue + observations[..., GENERATED] - queue
        # Where packets may have been dropped, the balance says too much: a full queue uses all.
        self._used += np.where(queue < self.config.queue_capacity, served, granted)
        self._elapsed += granted
        self._queue = queue
        decided = self._elapsed >= self.window
        ratio = self._used / np.maximum(self._elapsed, 1)
        change = (ratio > self.high).astype(np.int64) - (ratio < self.low)
        self._cells = np.clip(self._cells + change * decided, 1, self.config.num_slots)
        if self._fresh.any():
            share = self.config.num_rbs // self.spec.num_agents
            self._cells[self._fresh] = np.clip(share, 1, self.config.num_slots)
            decided |= self._fresh[:, None]
            self._fresh[:] = False
        self._elapsed[decided] = 0
        self._used[decided] = 0
        return self._cells.copy()


class MeanField(_RBPolicy):
    r"""Every node scales its own need by what it hears of its neighbours' needs.

    With the need x_i = q_i + r_i, r_i the exponentially weighted mean (weight 0.2) of its arrivals,
    the k_i neighbours' mean m_i of x, the fair share s_i = R / (1 + conflicts of i) (R / N in a
    cluster) and the confidence w_i = k_i / (k_i + 1) in what it hears,

        a_i = min(S, floor(x_i s_i / (w_i m_i + (1 - w_i) s_i) + w_i / 2)).

    The fair share counts like one more neighbour, so that a node that hears nobody asks for its
    own need. If all hear all and R is the mean need times N, each gets just its need; when needs
    exceed the frame all requests shrink alike. A node rounds up from 1 - w_i / 2: the less it
    hears, the more likely it takes RBs that others miss. Where shares are below one RB, rounding
    would silence everybody: a node with a packet and at least its neighbours' mean need always
    asks for one.
    """

    name: ClassVar[str] = "mean-field"
    information: ClassVar[Information] = Information.NEIGHBORS

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._rates = _MeanEstimate(num_envs, self.config.node_rates, RATE_WEIGHT)
        self._share = self.config.fair_shares
        self._confidence = spec.graph.degrees / (spec.graph.degrees + 1)

    def _requests(self, observations: NDArray[np.float32], privileged: None) -> Counts:
        rates = self._rates.update(observations[..., GENERATED], self._fresh)
        self._fresh[:] = False
        return mean_field(
            observations[..., QUEUE].astype(np.float64),
            rates,
            self.spec.graph.mean_weights,
            self._share,
            self._confidence,
            self.config.num_slots,
        )


class _Controller(_RBPolicy):
    """Base of the central policies: one controller divides the frame."""

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        config = self.config
        self._conflicts = config.conflict_matrix
        self._single = config.conflicts is None
        self._prices = np.array([config.served_reward + config.delay_cost, config.waste_cost])

    def _newsvendor(self, queues: Counts, rates: Reals, weights: Reals | None = None) -> Counts:
        """Counts for `(B, N)` rates, or for `(B, M, N)` rates of modes with their weights."""
        if weights is None:
            rates = rates[:, None]
            weights = np.ones(rates.shape)
        counts = np.empty_like(queues)
        newsvendor(
            queues,
            rates,
            weights,
            self._prices,
            self.config.num_slots,
            self.config.num_frequencies,
            self._conflicts,
            self._single,
            counts,
        )
        return counts


class Expert(_Controller):
    """Newsvendor-greedy on estimated rates: what data sets are made with.

    RBs go one by one to the largest P(q_i + G_i >= n_i + 1) with G_i ~ Poisson(r_i), r_i the
    exponentially weighted mean (weight 0.2) of the node's arrivals. Optimal for one frame if the
    rates are right; it does not plan further.
    """

    name: ClassVar[str] = "expert"
    information: ClassVar[Information] = Information.CENTRAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._rates = _MeanEstimate(num_envs, self.config.node_rates, RATE_WEIGHT)

    def _requests(self, observations: NDArray[np.float32], privileged: RBView) -> Counts:
        rates = self._rates.update(privileged.generated, self._fresh)
        self._fresh[:] = False
        return self._newsvendor(privileged.queues, rates)


class Bayes(_Controller):
    """Newsvendor-greedy on all that can be known of the coming frame's arrivals.

    Like `expert`, but with the exact law instead of an average: the forward recursion of each
    node's hidden traffic mode gives the mode's distribution for the frame to come, and G_i is the
    mixture of both modes' Poisson laws. With traffic of one mode that law never changes. It knows
    the parameters of the traffic, as a genie's filter would; the modes themselves it must infer.
    """

    name: ClassVar[str] = "bayes"
    information: ClassVar[Information] = Information.CENTRAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        if self.config.traffic not in ("mmpp", "poisson"):
            raise ValueError(
                f"policy 'bayes' needs traffic 'mmpp' or 'poisson', got {self.config.traffic!r}."
            )
        self._rates = self.config.mode_rates
        # The chain is symmetric: both modes are equally likely before the first frame.
        self._high = np.full((num_envs, spec.num_agents), 0.5)

    @property
    def beliefs(self) -> Reals:
        """`(B, N)` probability that a node's traffic is in its high mode in the coming frame."""
        return self._high.copy()

    def _requests(self, observations: NDArray[np.float32], privileged: RBView) -> Counts:
        weights = np.ones((self.num_envs, *self._rates.shape))
        if len(self._rates) == 2:
            filter_modes(
                self._high, privileged.generated, self._rates, self.config.switch_probability
            )
            self._high[self._fresh] = 0.5
            weights[:, 0], weights[:, 1] = 1 - self._high, self._high
        self._fresh[:] = False
        rates = np.broadcast_to(self._rates, weights.shape)
        return self._newsvendor(privileged.queues, np.ascontiguousarray(rates), weights)


class Genie(_Controller):
    """Newsvendor-greedy on the true rates of the coming frame, which the hidden modes set."""

    name: ClassVar[str] = "genie"
    information: ClassVar[Information] = Information.GENIE

    def _requests(self, observations: NDArray[np.float32], privileged: RBView) -> Counts:
        assert privileged.rates is not None
        return self._newsvendor(privileged.queues, privileged.rates)


class Clairvoyant(_Controller):
    """Serves as many packets as a frame can, arrivals of the frame known beforehand."""

    name: ClassVar[str] = "clairvoyant"
    information: ClassVar[Information] = Information.CLAIRVOYANT

    def _requests(self, observations: NDArray[np.float32], privileged: RBView) -> Counts:
        assert privileged.arrivals is not None
        packets = privileged.queues + privileged.arrivals
        return self._newsvendor(packets, np.zeros(packets.shape))


class MaxWeight(_Controller):
    """Every RB goes to the independent set of nodes with the longest queues in sum.

    Tassiulas and Ephremides (IEEE Trans. Autom. Control 37(12), 1992). In a single cluster: the
    longest queue first, and what no waiting packet needs is spread evenly. On a conflict graph with
    more than 20,000 maximal independent sets it refuses to play.
    """

    name: ClassVar[str] = "maxweight"
    information: ClassVar[Information] = Information.CENTRAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        if not self._single:
            self._sets = maximal_independent_sets(self._conflicts, 20_000)

    def _requests(self, observations: NDArray[np.float32], privileged: RBView) -> Counts:
        config = self.config
        queues, frame = privileged.queues, privileged.frame
        counts = np.empty_like(queues)
        if self._single:
            longest_first(queues, frame, config.num_slots, config.num_rbs, counts)
        else:
            max_weight(queues, frame, self._sets, config.num_slots, config.num_frequencies, counts)
        return counts


class ProportionalFair(_Controller):
    """RBs go one by one to the backlogged node with the least mean throughput.

    The mean has a time constant of 20 frames.
    """

    name: ClassVar[str] = "proportional-fair"
    information: ClassVar[Information] = Information.CENTRAL
    weight: ClassVar[float] = 0.05

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._throughput = _MeanEstimate(num_envs, self.config.node_rates, self.weight)

    def _requests(self, observations: NDArray[np.float32], privileged: RBView) -> Counts:
        throughput = self._throughput.update(privileged.served, self._fresh)
        self._fresh[:] = False
        counts = np.empty_like(privileged.queues)
        proportional_fair(
            privileged.queues,
            throughput,
            self.weight,
            self.config.num_slots,
            self.config.num_frequencies,
            self._conflicts,
            self._single,
            counts,
        )
        return counts


POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        Random,
        RoundRobin,
        Demand,
        DemandMean,
        Hysteresis,
        MeanField,
        MaxWeight,
        ProportionalFair,
        Expert,
        Bayes,
        Genie,
        Clairvoyant,
    )
}
