"""Random data of the tasks' shapes, in memory: how fast training is does not depend on its values.

5,000 steps per episode, as in preset `paper`, and few episodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from networld_agent.data import TrajectoryDataset
from networld_agent.data.metadata import (
    ActionInfo,
    ArrayInfo,
    Description,
    Metadata,
    ObservationInfo,
)
from networld_agent.data.windows import WindowSource
from networld_agent.model.config import WorldModelConfig
from networld_agent.model.task_spec import ActionSpec
from networld_agent.training.batches import BatchSampler
from wirelessenvs.topology import ring_lattice

__all__ = ["SHAPES", "TaskShape", "random_batches", "random_dataset", "ring"]


@dataclass(frozen=True)
class TaskShape:
    """Sizes of a task at the preset that the experiment plays.

    Args:
        agents: N.
        observation_size: entries of an observation.
        choices: of a discrete action; 0 for reals.
        reals: of a real action, in [0, 1]; 0 for choices.
    """

    agents: int
    observation_size: int
    choices: int = 0
    reals: int = 0

    @property
    def action(self) -> ActionSpec:
        """One agent's action."""
        if self.choices:
            return ActionSpec("discrete", sizes=(self.choices,))
        return ActionSpec("box", low=(0.0,) * self.reals, high=(1.0,) * self.reals)


SHAPES: Final = {
    "rb-v0": TaskShape(8, 4, choices=11),
    "cbf-v0": TaskShape(19, 62, choices=40),
    "slicing-v0": TaskShape(19, 12, reals=3),
}


@cache
def ring(agents: int) -> NDArray[np.bool_]:
    """`(N, N)` adjacency of a ring with two neighbours on either side, as far as there are any."""
    adjacency = ring_lattice(agents, min(2, (agents - 1) // 2))
    # What cannot change is the same graph at every decision.
    adjacency.setflags(write=False)
    return adjacency


def random_batches(
    config: WorldModelConfig, batch_size: int, episodes: int = 2, steps: int = 200
) -> BatchSampler:
    """Batches for a world model, on random data of all tasks.

    Args:
        config: of the model.
        batch_size: joint windows of a batch.
        episodes: E of each task.
        steps: T of each.
    """
    sources = [WindowSource(random_dataset(task, episodes, steps)) for task in SHAPES]
    return BatchSampler(sources, config, batch_size, 0)


@cache
def random_dataset(task: str, episodes: int, steps: int) -> TrajectoryDataset:
    """Random trajectories of a task's shape; there is no file behind them.

    Args:
        task: in `SHAPES`.
        episodes: E.
        steps: T of each.
    """
    shape = SHAPES[task]
    size, agents = shape.observation_size, shape.agents
    names = tuple(f"entry {i}" for i in range(size))
    open_ = (None,) * size
    low: tuple[float, ...]
    high: tuple[float, ...]
    if shape.choices:
        action = ActionInfo("discrete", "<i4", ("choice",), ("",), sizes=(shape.choices,))
        low, high = (0.0,), (shape.choices - 1.0,)
    else:
        reals = tuple(f"real {i}" for i in range(shape.reals))
        low, high = (0.0,) * shape.reals, (1.0,) * shape.reals
        action = ActionInfo("box", "<f4", reals, ("",) * shape.reals, low=low, high=high)
    description = Description(
        task=task,
        environment={},
        versions={},
        policy="random",
        epsilon=0.0,
        seeds=tuple(range(episodes)),
        episode_policies=("random",) * episodes,
        steps=steps,
        agents=tuple(f"agent_{i}" for i in range(agents)),
        observation=ObservationInfo(names, ("",) * size, open_, open_),
        action=action,
        metrics=(),
        forms={},
        adjacency=tuple(map(tuple, ring(agents).astype(int).tolist())),
        graph_given=True,
    )
    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {}
    for name, layout in description.layouts().items():
        if name == "actions" and shape.choices:
            arrays[name] = rng.integers(shape.choices, size=layout.shape, dtype=np.int32)
        elif name == "actions":
            arrays[name] = rng.random(layout.shape, np.float32)
        elif name == "rewards":
            arrays[name] = rng.standard_normal(layout.shape)
        else:
            arrays[name] = rng.standard_normal(layout.shape, np.float32)
    info = {
        name: ArrayInfo(layout, "0" * 64, (0,) * episodes)
        for name, layout in description.layouts().items()
    }
    metadata = Metadata(description, {"actions": {"min": list(low), "max": list(high)}}, info)
    return TrajectoryDataset(Path("random"), metadata, arrays, np.arange(episodes))
