"""Policies of the slicing task, from random to clairvoyant."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from wirelessenvs.policy import Information, Policy, PolicySpec
from wirelessenvs.slicing.config import SlicingConfig
from wirelessenvs.slicing.model import slice_model
from wirelessenvs.slicing.search import SplitSearch
from wirelessenvs.slicing.simulator import SlicingView
from wirelessenvs.slicing.splits import nearest_units, random_splits, split_index
from wirelessenvs.slicing.traffic import mean_packet_bits

__all__ = [
    "POLICIES",
    "BitsPolicy",
    "ExpertPolicy",
    "HardPolicy",
    "OraclePolicy",
    "PacketsPolicy",
    "RandomPolicy",
    "StaticPolicy",
    "UsersPolicy",
]


class SplitPolicy(Policy):
    """A policy that chooses splits in units, whatever the action space."""

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        if not isinstance(spec.config, SlicingConfig):
            raise ValueError(f"policy {self.name!r} plays slicing-v0, got {spec.task!r}.")
        self.config = spec.config
        self.shape = (self.num_envs, spec.num_agents, spec.config.num_slices)

    def _act(self, observations: NDArray[np.float32], privileged: Any) -> NDArray[Any]:
        # Demands of the last window come first in every observation mode.
        units = self._split(observations[..., : self.shape[-1]].astype(np.float64), privileged)
        if isinstance(self.spec.action_space, gymnasium.spaces.Discrete):
            return split_index(units, self.config.num_units)
        return units * self.config.unit_hz

    @abc.abstractmethod
    def _split(self, demand: NDArray[np.float64], view: SlicingView | None, /) -> NDArray[np.int64]:
        """`(B, N, K)` units from the last window's packets per slice `(B, N, K)`."""

    def _in_proportion(self, weights: NDArray[Any]) -> NDArray[np.int64]:
        return nearest_units(np.asarray(weights, np.float64), self.config.num_units)


class RandomPolicy(SplitPolicy):
    """Every split with at least one unit for each slice is as likely as the others."""

    name: ClassVar[str] = "random"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._rng = np.random.default_rng(self.seed)

    def _split(
        self, _demand: NDArray[np.float64], _view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        envs, agents, slices = self.shape
        return random_splits(self._rng, (envs, agents), self.config.num_units, slices)


class HardPolicy(SplitPolicy):
    """Equal shares for ever: "hard slicing" of Hua et al. (2020)."""

    name: ClassVar[str] = "hard"
    information: ClassVar[Information] = Information.LOCAL

    def _split(
        self, _demand: NDArray[np.float64], _view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        return self._in_proportion(np.ones(self.shape))


class UsersPolicy(SplitPolicy):
    """Splits the band in proportion to the users of each slice in the cell.

    Central: a base station knows its own users, but its observation does not hold their number.
    """

    name: ClassVar[str] = "users"
    information: ClassVar[Information] = Information.CENTRAL

    def _split(
        self, _demand: NDArray[np.float64], view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        assert view is not None
        return self._in_proportion(view.users)


class PacketsPolicy(SplitPolicy):
    """Splits the band in proportion to the packets of the last window."""

    name: ClassVar[str] = "packets"
    information: ClassVar[Information] = Information.LOCAL

    def _split(
        self, demand: NDArray[np.float64], _view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        return self._in_proportion(demand)


class BitsPolicy(SplitPolicy):
    """Splits the band in proportion to the last window's bits: packets times mean packet size."""

    name: ClassVar[str] = "bits"
    information: ClassVar[Information] = Information.LOCAL

    def _split(
        self, demand: NDArray[np.float64], _view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        return self._in_proportion(demand * mean_packet_bits(self.config))


class StaticPolicy(SplitPolicy):
    """The best fixed split of the configuration, found by search over simulated windows."""

    name: ClassVar[str] = "static"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._static = slice_model(self.config).static

    def _split(
        self, _demand: NDArray[np.float64], _view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        return np.broadcast_to(self._static, self.shape)


class ExpertPolicy(SplitPolicy):
    """The expert: the split with the best expected reward given the last window's packets.

    Every slice has a table of expected outcomes by resource blocks and last demand, learnt from
    simulation (`wirelessenvs.slicing.model`). Given the split slices do not interact, so the search
    over splits is exact for the model.
    """

    name: ClassVar[str] = "expert"
    information: ClassVar[Information] = Information.LOCAL

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._search = SplitSearch(self.config)
        self._model = slice_model(self.config)

    def _split(
        self, demand: NDArray[np.float64], _view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        model, search = self._model, self._search
        if search.splits is None:
            return search.best(model.at(model.ssr, demand), model.at(model.se, demand))
        assert search.index is not None
        expected = model.expected_rewards(self.config, demand, search.index)
        return search.splits[expected.argmax(-1)]


class OraclePolicy(SplitPolicy):
    """The best split of the coming window, on its true random numbers: an upper bound.

    With wiped queues and without interference no policy has a greater reward in any window.
    """

    name: ClassVar[str] = "oracle"
    information: ClassVar[Information] = Information.CLAIRVOYANT

    def __init__(self, spec: PolicySpec, num_envs: int = 1, seed: int = 0) -> None:
        super().__init__(spec, num_envs, seed)
        self._search = SplitSearch(self.config)

    def _split(
        self, _demand: NDArray[np.float64], view: SlicingView | None, /
    ) -> NDArray[np.int64]:
        assert view is not None
        tables = view.tables
        assert tables is not None
        return self._search.best(tables.ssr, tables.se)


#: Every shipped policy by name.
POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        RandomPolicy,
        HardPolicy,
        UsersPolicy,
        PacketsPolicy,
        BitsPolicy,
        StaticPolicy,
        ExpertPolicy,
        OraclePolicy,
    )
}
