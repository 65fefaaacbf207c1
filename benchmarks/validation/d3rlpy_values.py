"""The same methods in d3rlpy (T. Seno and M. Imai, JMLR 2022), with options set to ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.cql.method import CQLConfig
from benchmarks.baselines.iql import IQLConfig
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.validation.control_data import ControlData

__all__ = ["peer_data", "train_peer"]


def _algorithm(library: Any, config: BaselineConfig, discrete: bool) -> Any:
    """d3rlpy's algorithm with the options of ours; all else as it comes."""
    algos, shared = library.algos, {"batch_size": config.batch_size, "gamma": config.gamma}
    rate = config.learning_rate
    if isinstance(config, BCConfig):
        kind = algos.DiscreteBCConfig if discrete else algos.BCConfig
        return kind(learning_rate=rate, **shared)
    if isinstance(config, IQLConfig):
        return algos.IQLConfig(
            actor_learning_rate=rate, critic_learning_rate=rate, tau=config.tau,
            expectile=config.expectile, weight_temp=config.beta,
            max_weight=config.greatest_weight, **shared,
        )  # fmt: skip
    assert isinstance(config, CQLConfig)
    if discrete:
        return algos.DiscreteCQLConfig(
            learning_rate=rate, alpha=config.weight(True),
            target_update_interval=config.target_every, **shared,
        )  # fmt: skip
    # Its multiplier stays at 1 without a learning rate: the weight is ours, as without Lagrange.
    return algos.CQLConfig(
        critic_learning_rate=rate, actor_learning_rate=config.actor_learning_rate,
        temp_learning_rate=config.actor_learning_rate, alpha_learning_rate=0.0, initial_alpha=1.0,
        conservative_weight=config.weight(False), n_action_samples=config.num_samples,
        tau=config.tau, **shared,
    )  # fmt: skip


def peer_data(data: ControlData, seed: int, unit: float = 1.0) -> tuple[Any, Any]:
    """The library with its seed set, and the data as it keeps them.

    Args:
        data: to learn from.
        seed: of the training.
        unit: that rewards are divided by.

    Raises:
        ImportError: if d3rlpy is not installed.
    """
    try:
        import d3rlpy  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ImportError("d3rlpy is not installed: pip install d3rlpy.") from None

    d3rlpy.seed(seed)
    torch.manual_seed(seed)
    return d3rlpy, d3rlpy.dataset.MDPDataset(
        data.observations,
        data.actions.reshape(len(data.rewards), -1),
        data.rewards / np.float32(unit),
        data.terminals.astype(np.float32),
        timeouts=(data.ends & ~data.terminals).astype(np.float32),
    )


def train_peer(
    data: ControlData, config: BaselineConfig
) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Trains d3rlpy on the same data for as many updates of as many transitions.

    Returns:
        Its greedy policy, from `(B, d)` standardised observations to actions as in the data.

    Raises:
        ImportError: if d3rlpy is not installed.
    """
    d3rlpy, dataset = peer_data(data, config.seed)
    discrete = np.issubdtype(data.actions.dtype, np.integer)
    algorithm = _algorithm(d3rlpy, config, discrete).create(device="cpu:0")
    algorithm.build_with_dataset(dataset)
    for _ in range(config.steps):
        algorithm.update(dataset.sample_transition_batch(config.batch_size))

    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        actions: NDArray[Any] = algorithm.predict(observations)
        return actions if discrete else np.clip(actions, -1, 1)

    return act
