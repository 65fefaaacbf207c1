"""A data set as a table of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.faults import needs_extra

if TYPE_CHECKING:
    from networld_agent.data.dataset import TrajectoryDataset

__all__ = ["to_pandas"]


def to_pandas(dataset: TrajectoryDataset) -> Any:
    """See `TrajectoryDataset.to_pandas`."""
    with needs_extra("pandas", "pandas"):
        import pandas
    about, chosen = dataset.description, dataset.episodes
    episodes, agents, steps = dataset.num_episodes, dataset.num_agents, dataset.num_steps
    shape = (episodes, agents, steps)
    position, agent, step = (axis.ravel() for axis in np.indices(shape, np.int32))
    columns: dict[str, Any] = {
        "episode": position,
        "seed": np.array(dataset.seeds)[position],
        "policy": pandas.Categorical(np.array(about.episode_policies)[chosen][position]),
        "agent": pandas.Categorical.from_codes(agent, list(about.agents)),
        "step": step,
    }

    def add(prefix: str, names: tuple[str, ...], values: NDArray[Any]) -> None:
        rows = values.reshape(position.size, -1)
        for k, name in enumerate(names):
            if (column := f"{prefix}.{name}") in columns:
                raise ValueError(
                    f"names of a data set must differ to become columns, got {column!r} twice."
                )
            columns[column] = rows[:, k]

    add("observation", about.observation.names, dataset.observations[chosen][:, :, :-1])
    add("action", about.action.names, dataset.actions[chosen])
    columns["reward"] = dataset.rewards[chosen].ravel()
    if about.metrics:
        names = tuple(metric.name for metric in about.metrics)
        add("metric", names, dataset.array("metrics")[chosen])
    columns["terminated"] = np.repeat(dataset.terminations[chosen], agents, 0).ravel()
    return pandas.DataFrame(columns)
