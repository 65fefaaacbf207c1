"""What a model must know of a task, taken from the data that it is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from networld_agent.data.dataset import TrajectoryDataset
from networld_agent.data.family import check_alike
from networld_agent.data.windows import WindowSource, discounted_sums
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.symlog import limit_of, symlog
from networld_agent.model.task_spec import TaskSpec
from wirelessenvs.tasks import TASKS, make_simulator

__all__ = ["make_task_spec"]

#: Bins of standardised returns end at ten standard deviations, for every task alike.
_STANDARD_LIMIT = 10.0
#: Episodes from which the returns' scale is estimated.
_MOST_EPISODES = 64


def make_task_spec(
    name: str, index: int, sources: Sequence[WindowSource], config: WorldModelConfig
) -> TaskSpec:
    """What a model must know of the task that these sources share.

    Raises:
        ValueError: if they are not of one kind of agent.
    """
    first = sources[0].dataset
    for source in sources[1:]:
        check_alike(source.dataset, first)
    returns = np.concatenate([_returns(source, config) for source in sources])
    mean, std, greatest = 0.0, 1.0, float(np.abs(returns).max())
    if config.return_scaling == "standardise":
        # A constant reward says nothing: any scale will do.
        mean, std = float(returns.mean()), float(returns.std()) or 1.0
        greatest = _STANDARD_LIMIT
    seen_mean, seen_std = _moments(sources, config.symlog) if config.standardise else ((), ())
    return TaskSpec(
        name=name,
        index=index,
        observation_size=sources[0].observation_size,
        action=sources[0].action,
        gamma=config.gamma,
        return_mean=mean,
        return_std=std,
        return_range=limit_of(greatest, 1.0 if config.return_scaling == "standardise" else 1.05),
        num_agents=tuple(sorted({source.num_agents for source in sources})),
        observation_mean=seen_mean,
        observation_std=seen_std,
        context_size=_context_size(first),
    )


def _context_size(dataset: TrajectoryDataset) -> int:
    """Entries of the context that the environment has appended to each observation."""
    settings = dataset.description.environment.get("config") or {}
    if dataset.description.task not in TASKS or not settings.get("context"):
        return 0
    # Its names are the same wherever a task is played: the data's own network may need code or
    # files that are not here.
    return len(make_simulator(dataset.description.task).context.names)


def _moments(
    sources: Sequence[WindowSource], compress: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of every entry of the observations, after symlog."""
    parts = []
    for source in sources:
        segments = source.segments[:: max(1, -(-len(source.segments) // _MOST_EPISODES))]
        for episode, start, end in segments:
            seen = source.dataset.observations[episode, :, start:end]
            parts.append(seen.reshape(-1, seen.shape[-1]))
    entries = torch.from_numpy(np.concatenate(parts))
    scaled = (symlog(entries) if compress else entries).double()
    std = scaled.std(0, correction=0)
    # An entry that never changes in the data says nothing: any scale will do.
    std = torch.where(std > 1e-4, std, 1.0)
    return tuple(scaled.mean(0).float().tolist()), tuple(std.float().tolist())


def _returns(source: WindowSource, config: WorldModelConfig) -> NDArray[np.float64]:
    """Discounted returns of windows all over the source, flat."""
    counts = source.starts(config.horizon)
    rows = np.flatnonzero(counts)
    rows = rows[:: max(1, -(-len(rows) // _MOST_EPISODES))]
    parts = []
    for row in rows:
        episode, start, end = source.segments[row]
        rewards = source.dataset.rewards[episode, :, start : end - 1]
        parts.append(discounted_sums(rewards, config.gamma, config.horizon - 1).ravel())
    return np.concatenate(parts)
