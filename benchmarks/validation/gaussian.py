"""The decision transformer on Gaussian data, beside the expected action given the return."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.dt.method import DTConfig, DTPolicy
from benchmarks.baselines.shared.returns import ReturnScale
from benchmarks.validation.linear_quadratic_data import (
    PointMassTrajectories,
    gaussian_data,
    gaussian_trajectories,
    trained,
)

__all__ = ["expected_actions"]

Reals = NDArray[np.float64]

#: Small, for observations of two entries, with the learning rate of short budgets.
_OPTIONS: Final[dict[str, Any]] = {
    "hidden_size": 64, "layers": 2, "context": 5, "learning_rate": 1e-3, "gamma": 0.5,
}  # fmt: skip
#: So long that the end of an episode, where fewer rewards make up a return, hardly counts.
_EPISODES, _STEPS = 200, 200
#: Steps of a return; what lies beyond is of no weight.
_FUTURE: Final = 100
_HELD_OUT: Final = 1000


def expected_actions(updates: int, seed: int) -> tuple[Reals, Reals, Reals]:
    """Trains on Gaussian data and asks for returns, each as likely as in the data.

    A step earns its action. Earlier steps say nothing about the action that the present state and
    return do not: the expectation given these two is exact for every context.

    Returns:
        Actions `(B,)` of held-out windows: the transformer's, their expectation given state and
        return, and that given the state alone.
    """
    config = DTConfig(steps=updates, seed=seed, **_OPTIONS)
    data, rng = gaussian_data((0.0, 0.0), 1.0, config.gamma, _FUTURE), np.random.default_rng(seed)
    policy = trained("dt", gaussian_trajectories(data, _EPISODES, _STEPS, rng).offline(), config)
    assert isinstance(policy, DTPolicy)
    held = gaussian_trajectories(data, _HELD_OUT, config.context, rng)
    present = held.observations[:, 0, config.context - 1].astype(np.float64)
    mean, deviation = data.return_moments(present)
    asked = mean + deviation * rng.normal(size=len(present))
    # A mean of rewards ahead, weighted by powers of gamma, is the return times 1 - gamma.
    returns = np.empty((_HELD_OUT, config.context))
    returns[:, -1] = (1 - config.gamma) * asked
    for t in reversed(range(config.context - 1)):
        returns[:, t] = (1 - config.gamma) * held.rewards[:, 0, t] + config.gamma * returns[
            :, t + 1
        ]
    actions = _actions(policy, held, returns)
    return actions, data.action_for_return(present, asked), data.action_for_return(present, mean)


@torch.inference_mode()
def _actions(policy: DTPolicy, held: PointMassTrajectories, returns: Reals) -> Reals:
    """Actions `(E,)` of the last steps of windows, with returns ahead `(E, T)`."""
    scale = ReturnScale(*(policy.spec.extra[name] for name in ("return_offset", "return_unit")))
    seen = policy.scaling(torch.from_numpy(held.observations[:, 0, :-1]))
    taken = policy.codec.encode(held.actions[:, 0])
    out = policy.network(torch.from_numpy(scale.scaled(returns)), seen, taken)[:, -1]
    return np.asarray(policy.codec.decode(out)[:, 0], np.float64)
