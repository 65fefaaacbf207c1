"""The decision diffuser on a linear-quadratic problem, beside what is known exactly of it.

No other library has one to compare with (d3rlpy has none). Two questions instead:

* On data that is jointly Gaussian: are its plans the expectation of the next state given present
  state and return, and its actions that of the action given two states?
* On data of mixed quality: does asking for a high return beat cloning the same data, and how near
  does it come to the optimum?
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.dd.method import DDConfig, DDPolicy
from benchmarks.validation.linear_quadratic import POINT_MASS
from benchmarks.validation.linear_quadratic_data import (
    Behaviour,
    gaussian_data,
    gaussian_trajectories,
    mean_rewards,
    recorded,
    trained,
)
from networld_agent.evaluation.scores import bootstrap_interval
from networld_agent.model.symlog import symexp
from networld_agent.planning.samplers import sampler_steps, trailing_levels

__all__ = ["expectations", "mixed_quality"]

Reals = NDArray[np.float64]

#: Small, for observations of two entries; the averages follow in short budgets.
_OPTIONS: Final[dict[str, Any]] = {
    "batch_size": 64, "horizon": 16, "channels": 16, "hidden_size": 128, "learning_rate": 2e-3,
    "ema_decay": 0.99,
}  # fmt: skip
_STEPS, _EPISODES = 50, 300
#: Shares of the best gain in the data of mixed quality, and the noise of its actions.
_GAINS: Final = (0.1, 0.3, 1.0)
_NOISE: Final = 0.3
#: Returns to ask for, as in the main experiment; chosen on other starts than the score is from.
_TARGETS: Final = (0.7, 1.0, 1.3)
_VALIDATION, _TEST = 20_000, 30_000


def expectations(updates: int, seed: int) -> dict[str, Any]:
    """Trains on Gaussian data and measures how far plans and actions are from the expectations.

    A step earns its position.

    Returns:
        "return_effect": what asking for a return changes in the planned velocity, as a share of
        what it changes in its expectation (1 is exact); "next_velocity": root mean squared error of
        the planned change of velocity, fitted linearly over all plans, as a share of the exact one;
        "inverse": that of the inverse dynamics' mean on recorded transitions, as a share of the
        actions' deviation.
    """
    config = DDConfig(steps=updates, seed=seed, **_OPTIONS)
    data = gaussian_data((1.0, 0.0), 0.0, config.gamma, config.horizon - config.history)
    rng = np.random.default_rng(seed)
    policy = trained("dd", gaussian_trajectories(data, 200, 200, rng).offline(), config)
    assert isinstance(policy, DDPolicy)
    # Many states, each with a return that is as likely as in the data.
    held = gaussian_trajectories(data, 1_000, config.history, rng)
    states = held.observations[:, 0, config.history - 1].astype(np.float64)
    mean, deviation = data.return_moments(states)
    offset, unit = (policy.spec.extra[name] for name in ("return_offset", "return_unit"))
    # The method takes what lies beyond the data's percentiles for these.
    asked = np.clip((mean + deviation * rng.normal(size=len(states)) - offset) / unit, 0, 1)
    planned = _planned(policy, held.observations[:, 0, : config.history], asked, seed)
    exact = data.next_state(states, offset + unit * asked)
    free = data.next_state(states)
    effect, effect_exact = (planned - free)[:, 1], (exact - free)[:, 1]
    features = np.column_stack([np.ones(len(states)), states, asked])
    fitted = features @ np.linalg.lstsq(features, planned[:, 1], rcond=None)[0]
    before, after = (held.observations[:, 0, t] for t in (0, 1))
    with torch.inference_mode():
        now, then = (policy.scaling(torch.from_numpy(x)) for x in (before, after))
        actions = policy.network.inverse.decode(now, then, "mean").numpy()[:, 0]
    known = data.action(before.astype(np.float64), after.astype(np.float64))
    return {
        "updates": updates,
        "seed": seed,
        "return_effect": float(effect @ effect_exact / (effect_exact @ effect_exact)),
        "next_velocity": _rms(fitted - exact[:, 1]) / _rms(exact[:, 1] - states[:, 1]),
        "inverse": _rms(actions - known) / float(known.std()),
    }


def _rms(values: Reals) -> float:
    return float(np.sqrt(np.mean(values**2)))


@torch.inference_mode()
def _planned(policy: DDPolicy, histories: NDArray[np.float32], asked: Reals, seed: int) -> Reals:
    """Next states `(B, 2)` of plans after histories `(B, C, 2)`, sampled as the policy does.

    The guidance is 1: a condition, without exaggeration.
    """
    config, network = policy.spec.config, policy.network
    assert isinstance(config, DDConfig)
    levels = trailing_levels(config.diffusion_steps, config.sampler_steps)
    steps = sampler_steps(config.sampler, network.schedule.alpha_bar.double(), levels)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(histories), config.horizon, histories.shape[-1])
    plans = network.plan(
        policy.scaling(torch.from_numpy(histories)),
        torch.from_numpy(asked).float(),
        steps,
        lambda _: config.temperature * torch.randn(shape, generator=generator),
        1.0,
    )
    following = plans[:, config.history]
    raw = symexp(following * policy.scaling.deviation + policy.scaling.mean)
    return np.asarray(raw.double().numpy())


def mixed_quality(updates: int, seed: int, episodes: int = 100) -> dict[str, Any]:
    """Trains DD and BC on the same data of three behaviours, and plays both from the same starts.

    Args:
        updates: of DD; BC gets three times as many.
        seed: of data and training.
        episodes: to score.

    Returns:
        Mean rewards per step of "dd", "bc" and "data"; the exact ones of the "behaviours" and the
        "optimum", the best gain without noise; "closed", the share of the way from BC to it; the
        95 % interval of the "lift" over BC, paired by start.
    """
    problem = POINT_MASS
    best = problem.best_gain()
    behaviours = [Behaviour(share * best, _NOISE) for share in _GAINS]
    starts = problem.starts(_EPISODES, np.random.default_rng(seed))
    raw = recorded(problem, behaviours, starts, _STEPS, 8.0, seed)
    data = raw.offline()
    cloned = trained("bc", data, BCConfig(steps=3 * updates, batch_size=64, seed=seed))
    policy = trained("dd", data, DDConfig(steps=updates, seed=seed, **_OPTIONS))
    assert isinstance(policy, DDPolicy)
    tried = {}
    for target in _TARGETS:
        policy.target_return = target
        few = max(episodes // 4, 1)
        tried[target] = float(mean_rewards(problem, policy, few, _STEPS, _VALIDATION + seed).mean())
    policy.target_return = max(tried, key=lambda target: tried[target])
    ours = mean_rewards(problem, policy, episodes, _STEPS, _TEST + seed)
    clone = mean_rewards(problem, cloned, episodes, _STEPS, _TEST + seed)
    optimum = problem.exact_reward(best, 0.0, _STEPS)
    return {
        "updates": updates,
        "seed": seed,
        "dd": float(ours.mean()),
        "bc": float(clone.mean()),
        "data": float(raw.rewards.mean()),
        "behaviours": [problem.exact_reward(b.gain, b.noise, _STEPS) for b in behaviours],
        "optimum": optimum,
        "target": policy.target_return,
        "validation": {str(target): reward for target, reward in tried.items()},
        "closed": float((ours.mean() - clone.mean()) / (optimum - clone.mean())),
        "lift": list(bootstrap_interval(ours - clone)),
    }
