"""Policies for coordinated beamforming, from random beams to fractional programming.

Every policy plays both action modes. Under codebook actions a beamformer is projected: the
best-aligned codeword at the nearest power level. Under beam actions a codeword is sent as it is.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cbf.codebook import (
    codebook,
    codebook_beams,
    nearest_actions,
    power_levels_mw,
)
from wirelessenvs.cbf.config import CBFConfig
from wirelessenvs.cbf.precoders import (
    coordinate_ascent,
    greedy_codewords,
    matched_filter,
    max_slnr,
    wmmse,
)
from wirelessenvs.cbf.simulator import CBFView
from wirelessenvs.policy import Information, Policy, PolicySpec

__all__ = [
    "POLICIES",
    "CoordinateAscent",
    "CoordinateAscentGenie",
    "Expert",
    "FractionalProgramming",
    "FractionalProgrammingCausal",
    "FractionalProgrammingCausalWarm",
    "FractionalProgrammingWarm",
    "Greedy",
    "MatchedFilter",
    "MaxSLNR",
    "RandomBeams",
    "Sweep",
]


class CBFPolicy(Policy):
    """Base of this task's policies: codebook, power levels, conversion of actions."""

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        config = spec.config
        if not isinstance(config, CBFConfig):
            raise ValueError(f"policy {self.name!r} plays cbf-v0, got {spec.task!r}.")
        self.config = config
        self.codewords = codebook(config.num_antennas, config.num_beams)
        self.levels_mw = power_levels_mw(config.num_power_levels, config.max_power_mw)

    def from_codewords(self, actions: NDArray[np.int64]) -> NDArray[Any]:
        """Actions of the task for `(B, K)` codebook indices."""
        if self.config.action == "codebook":
            return actions
        return self.from_beams(codebook_beams(actions, self.codewords, self.levels_mw))

    def from_beams(self, beams: NDArray[np.complex128]) -> NDArray[Any]:
        """Actions of the task for `(B, K, N)` beamformers in sqrt(mW)."""
        if self.config.action == "codebook":
            return nearest_actions(beams, self.codewords, self.levels_mw)
        return np.concatenate([beams.real, beams.imag], axis=-1)

    def at_full_power(self, codes: NDArray[np.int64]) -> NDArray[Any]:
        """Actions of the task for `(B, K)` codewords sent at the power limit."""
        return self.from_codewords((codes + 1) * self.config.num_power_levels - 1)


class RandomBeams(CBFPolicy):
    """A uniform codeword and power level; under beam actions a uniform direction and power."""

    name: ClassVar[str] = "random"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._rng = np.random.default_rng(seed)

    def _act(self, observations: NDArray[np.float32], privileged: Any) -> NDArray[Any]:
        shape = observations.shape[:2]
        if self.config.action == "codebook":
            return self._rng.integers(self.config.num_actions, size=shape)
        reals = self._rng.standard_normal((*shape, 2 * self.config.num_antennas))
        power_mw = self.config.max_power_mw * self._rng.random((*shape, 1))
        return reals * np.sqrt(power_mw / (reals**2).sum(-1, keepdims=True))


class Greedy(CBFPolicy):
    """Full power on the codeword that the own UE receives best now; blind to interference."""

    name: ClassVar[str] = "greedy"
    information: ClassVar[Information] = Information.GENIE

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        return self.at_full_power(greedy_codewords(privileged.channel, self.codewords))


class Sweep(CBFPolicy):
    """Greedy without a genie: the best beam of the sweep in the agent's own observation."""

    name: ClassVar[str] = "sweep"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        if self.config.observation != "sweep":
            raise ValueError(
                f"policy 'sweep' needs observation='sweep', got {self.config.observation!r}."
            )

    def _act(self, observations: NDArray[np.float32], privileged: Any) -> NDArray[Any]:
        first = self.config.num_official_features
        gains = observations[..., first : first + self.config.num_beams]
        return self.at_full_power(gains.argmax(-1))


class MatchedFilter(CBFPolicy):
    """Maximum-ratio transmission at full power."""

    name: ClassVar[str] = "mrt"
    information: ClassVar[Information] = Information.GENIE

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        return self.from_beams(matched_filter(privileged.channel, self.config.max_power_mw))


class MaxSLNR(CBFPolicy):
    """Full power in the direction of the largest signal-to-leakage-and-noise ratio."""

    name: ClassVar[str] = "slnr"
    information: ClassVar[Information] = Information.GENIE

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        config = self.config
        return self.from_beams(max_slnr(privileged.channel, config.noise_mw, config.max_power_mw))


# --------------------------------------------------------------------------- codebook search
class CoordinateAscent(CBFPolicy):
    """Discrete coordinate ascent on the sum rate of the finished slot; at most 6 sweeps.

    Starts from the beams on air, so that beams that are still good are kept.
    """

    name: ClassVar[str] = "coordinate-ascent"
    information: ClassVar[Information] = Information.CENTRAL

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        start = nearest_actions(privileged.beams, self.codewords, self.levels_mw)
        noise_mw = self.config.noise_mw
        return self.from_codewords(
            coordinate_ascent(privileged.channel, start, self.codewords, self.levels_mw, noise_mw)
        )


class CoordinateAscentGenie(CoordinateAscent):
    """The same on the channel of the slot to come."""

    name: ClassVar[str] = "coordinate-ascent-genie"
    information: ClassVar[Information] = Information.GENIE


# ------------------------------------------------------------------- fractional programming
class FractionalProgramming(CBFPolicy):
    """FP / WMMSE on the channel of the slot to come, 20 iterations from the max-SLNR beams."""

    name: ClassVar[str] = "fp"
    information: ClassVar[Information] = Information.GENIE
    iterations: ClassVar[int] = 20

    def _start(self, view: CBFView) -> NDArray[np.complex128]:
        return max_slnr(view.channel, self.config.noise_mw, self.config.max_power_mw)

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        beams = wmmse(
            privileged.channel,
            self._start(privileged),
            self.iterations,
            self.config.noise_mw,
            self.config.max_power_mw,
        )
        return self.from_beams(beams)


class FractionalProgrammingCausal(FractionalProgramming):
    """FP on the channel of the finished slot: realisable with a delay-free backhaul."""

    name: ClassVar[str] = "fp-causal"
    information: ClassVar[Information] = Information.CENTRAL


class FractionalProgrammingWarm(FractionalProgramming):
    """FP with 5 iterations per slot from its own beams of the slot before.

    FP never wakes a silent BS, so that its silence would outlive the channel that asked for it:
    every BS below `floor` of the power limit restarts there with its max-SLNR direction.
    """

    name: ClassVar[str] = "fp-warm"
    iterations: ClassVar[int] = 5
    floor: ClassVar[float] = 1e-3

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        shape = (num_envs, self.config.num_cells, self.config.num_antennas)
        self._beams = np.zeros(shape, np.complex128)
        self._known = np.zeros(num_envs, np.bool_)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Forgets the beams of the environments where `mask` is true (all by default)."""
        self._known[slice(None) if mask is None else mask] = False

    def _start(self, view: CBFView) -> NDArray[np.complex128]:
        fresh = super()._start(view)
        silent = (np.abs(self._beams) ** 2).sum(-1) < self.floor * self.config.max_power_mw
        warm = np.where(silent[..., None], np.sqrt(self.floor) * fresh, self._beams)
        return np.where(self._known[:, None, None], warm, fresh)

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        self._beams = wmmse(
            privileged.channel,
            self._start(privileged),
            self.iterations,
            self.config.noise_mw,
            self.config.max_power_mw,
        )
        self._known[:] = True
        return self.from_beams(self._beams)


class FractionalProgrammingCausalWarm(FractionalProgrammingWarm):
    """Warm-started FP on the channel of the finished slot."""

    name: ClassVar[str] = "fp-causal-warm"
    information: ClassVar[Information] = Information.CENTRAL


class Expert(CBFPolicy):
    """The causal expert that data sets are made with.

    Coordinate ascent for codebook actions, warm-started FP for beam actions, both on the channel
    of the finished slot.
    """

    name: ClassVar[str] = "expert"
    information: ClassVar[Information] = Information.CENTRAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        discrete = self.config.action == "codebook"
        rule = CoordinateAscent if discrete else FractionalProgrammingCausalWarm
        self._rule: Policy = rule(spec, num_envs, seed)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Forgets the environments where `mask` is true (all by default)."""
        self._rule.reset(mask)

    def _act(self, observations: NDArray[np.float32], privileged: CBFView) -> NDArray[Any]:
        return self._rule._act(observations, privileged)


POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        RandomBeams,
        Sweep,
        Greedy,
        MatchedFilter,
        MaxSLNR,
        CoordinateAscent,
        CoordinateAscentGenie,
        FractionalProgramming,
        FractionalProgrammingWarm,
        FractionalProgrammingCausal,
        FractionalProgrammingCausalWarm,
        Expert,
    )
}
