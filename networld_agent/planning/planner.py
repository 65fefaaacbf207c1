"""The receding-horizon planner: observations and a neighbour graph in, actions out.

Every agent of every environment is one row of one batch, and no row sees another one: what an agent
knows is its own observation and the mean of its neighbours' latents, which they broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networld_agent.device import pick_device
from networld_agent.keyed_random import hashed, stream_keys
from networld_agent.planning.decision import Decision
from networld_agent.planning.messages import FLOAT_BYTES, MessageCount
from networld_agent.planning.neighbors import NeighborCache, Neighbors
from networld_agent.planning.plan_generator import PlanGenerator
from networld_agent.planning.planner_config import PlannerConfig
from networld_agent.planning.planning_model import PlanningModel
from wirelessenvs.checks import check_choice

__all__ = ["Planner"]


class Planner:
    """Acts in one task with a world model.

    Args:
        model: a trained world model, on the device to plan on; used in evaluation mode.
        task: name of the task; None for a model that knows a single one.
        config: how to plan.

    Raises:
        ValueError: for an unknown task, or options that do not fit the model.

    Example:
        planner = Planner.load("runs/rb")
        observations, _ = env.reset(seed=0)
        actions = planner.act(np.stack(list(observations.values())), env.graph)
    """

    def __init__(
        self, model: PlanningModel, task: str | None = None, config: PlannerConfig | None = None
    ) -> None:
        self.config = PlannerConfig() if config is None else config
        names = tuple(model.tasks)
        if task is None:
            if len(names) != 1:
                raise ValueError(f"say which task to plan: the model knows {', '.join(names)}.")
            task = names[0]
        self.model, self.task = model, task
        #: What the model knows of the task.
        self.spec = model.tasks[check_choice("task", task, names)]
        self._decision = Decision(model, task, self.config)
        self._device = model.schedule.alpha_bar.device
        self._latent_size = model.config.latent_size
        self.messages = MessageCount(FLOAT_BYTES * self._latent_size)
        self._neighbors = NeighborCache(self._device)
        self._shape: tuple[int, int] | None = None

    @property
    def generator(self) -> PlanGenerator:
        """The generator of plans."""
        return self._decision.generator

    @property
    def label(self) -> str:
        """What it is, for errors."""
        return f"the model's {self.task}"

    @property
    def votes(self) -> int:
        """Plans drawn per agent and decision."""
        return self._decision.votes

    @classmethod
    def load(
        cls,
        path: str | Path,
        task: str | None = None,
        config: PlannerConfig | None = None,
        device: str = "auto",
    ) -> Planner:
        """A planner from a saved model; needs neither data nor training code.

        Args:
            path: folder of the model.
            task: as in the constructor.
            config: as in the constructor.
            device: "cpu", "cuda" or "auto", which takes a GPU if there is one.

        Raises:
            ValueError: if the model is missing or damaged, or does not know the task.
        """
        from networld_agent.model.world_model import WorldModel

        return cls(WorldModel.load(path, pick_device(device, tf32=False)), task, config)

    def reset(
        self, seeds: Sequence[int] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Forgets the plans of all environments, or of those where `mask` is true.

        Call it when an episode starts. Without a mask, the next call of `act` may have any number
        of environments and agents.

        Args:
            seeds: one per environment, for the noise of its plans; by default its index. An
                environment plans alike in any batch if it has the same seed.
            mask: `(B,)` booleans; the noise of these environments goes on.
        """
        if mask is None or self._shape is None:
            self._shape, self._seeds = None, seeds
        else:
            self._position[np.asarray(mask, np.bool_)] = -1

    def act(self, observations: Any, graph: Any) -> NDArray[Any]:
        """Actions of all agents.

        Args:
            observations: `(B, N, d)`, or `(N, d)` for one environment.
            graph: neighbour graph, or its adjacency `(N, N)` or `(B, N, N)`.

        Returns:
            `(B, N)` int64 or `(B, N, A)` float64; without B if the observations have none.

        Raises:
            ValueError: if the observations do not fit the model or are not finite, or if the batch
                has changed since the last reset.
        """
        array = self._checked(observations)
        single = array.ndim == 2
        if single:
            array = array[None]
        num_envs, num_agents = array.shape[:2]
        neighbors = self._neighbors.of(graph, num_envs, num_agents)
        self._bind(num_envs, num_agents)
        result = self._actions(torch.from_numpy(array), neighbors).cpu().numpy()
        self._position += 1
        self.messages.agent_steps += num_envs * num_agents
        result = result.reshape(num_envs, num_agents, *result.shape[1:])
        result = result.astype(np.float64 if result.dtype.kind == "f" else np.int64)
        return result[0] if single else result

    @property
    def plans(self) -> Tensor:
        """`(B, N, H, 2D)` plans that are being followed; their present is when they were made."""
        if self._shape is None:
            raise RuntimeError("there are no plans before the first call of act.")
        return self._plans.reshape(*self._shape, *self._plans.shape[1:]).clone()

    def _actions(self, observations: Tensor, neighbors: Neighbors) -> Tensor:
        """Actions `(B N, ...)`; plans anew where a plan is missing or has been executed."""
        fresh = self._position < 0
        due = fresh | (self._position >= self.config.execute)
        cold = due if self.config.warm_start == 0 else fresh
        self._position[due] = 0
        found = [
            (envs, act(observations if envs.size == len(due) else observations[envs], envs))
            for envs, act in (
                (np.flatnonzero(cold), lambda seen, envs: self._plan(seen, envs, neighbors, False)),
                (
                    np.flatnonzero(due & ~cold),
                    lambda seen, envs: self._plan(seen, envs, neighbors, True),
                ),
                (np.flatnonzero(~due), self._follow),
            )
            if envs.size
        ]
        self._decisions[due] += 1
        if len(found) == 1:
            return found[0][1]
        # Environments know nothing of each other: each part is a batch of its own.
        first = found[0][1]
        joined = first.new_empty(len(due), observations.shape[1], *first.shape[1:])
        for envs, actions in found:
            joined[torch.from_numpy(envs)] = actions.reshape(len(envs), *joined.shape[1:])
        return joined.flatten(0, 1)

    def _plan(
        self, observations: Tensor, envs: NDArray[np.int64], neighbors: Neighbors, warm: bool
    ) -> Tensor:
        """First actions of new plans in these environments."""
        num_envs, num_agents = observations.shape[:2]
        whole = num_envs == len(self._position)
        hears = self.model.config.communication != "none"
        if hears:
            neighbors = neighbors if whole else neighbors.of(envs)
            alike = num_envs // len(neighbors.broadcasts)
            self.messages.count_round(
                alike * int(neighbors.broadcasts.sum()), alike * int(neighbors.receptions.sum())
            )
        keys = hashed(
            self._env_keys[torch.from_numpy(envs), None],
            torch.from_numpy(self._decisions[envs])[:, None],
            torch.arange(num_agents),
        )
        chosen = torch.from_numpy(envs).to(self._device)
        plans = self._plans.reshape(-1, num_agents, *self._plans.shape[1:])
        previous = None
        if warm:
            previous = self._plans if whole else plans[chosen].flatten(0, 1)
        actions, drawn = self._decision.plan(
            observations, keys, neighbors.tensors if hears else (), previous
        )
        if whole:
            self._plans.copy_(drawn)
        else:
            plans[chosen] = drawn.reshape(num_envs, *plans.shape[1:])
        return actions

    def _follow(self, observations: Tensor, envs: NDArray[np.int64]) -> Tensor:
        """Actions that lead on along the plans of these environments."""
        agents = observations.shape[1]
        rows = torch.from_numpy((envs[:, None] * agents + np.arange(agents)).ravel())
        times = torch.from_numpy(np.repeat(self._position[envs] + 1, agents))
        following = self._plans[rows.to(self._device), times.to(self._device), : self._latent_size]
        return self._decision.follow(observations, following)

    def _bind(self, num_envs: int, num_agents: int) -> None:
        shape = (num_envs, num_agents)
        if self._shape == shape:
            return
        if self._shape is not None:
            raise ValueError(
                f"the batch has changed from {self._shape} environments and agents to {shape}: "
                "call reset first."
            )
        seeds = range(num_envs) if self._seeds is None else self._seeds
        if len(seeds) != num_envs:
            raise ValueError(f"reset was given {len(seeds)} seeds for {num_envs} environments.")
        # On the CPU: for the few numbers of a key, a GPU's launches would take longer.
        numbers = torch.tensor(list(seeds), dtype=torch.int64)
        self._env_keys = stream_keys(torch.tensor(self.config.seed), numbers)
        self._position = np.full(num_envs, -1)
        self._decisions = np.zeros(num_envs, np.int64)
        self._plans = torch.zeros(
            num_envs * num_agents, self.model.config.horizon, 2 * self._latent_size,
            device=self._device,
        )  # fmt: skip
        self._shape = shape

    _seeds: Sequence[int] | None = None

    def _checked(self, observations: Any) -> NDArray[np.float32]:
        try:
            array = np.asarray(observations, np.float32)
        except (TypeError, ValueError):
            raise ValueError("observations must form one array of numbers.") from None
        size = self.spec.observation_size
        if array.ndim not in (2, 3) or 0 in array.shape:
            raise ValueError(
                f"observations must have shape (B, N, {size}) or (N, {size}), got {array.shape}."
            )
        if array.shape[-1] != size:
            raise ValueError(
                f"observations have {array.shape[-1]} entries per agent, but the model's task "
                f"{self.task} has {size}: another task, preset or observation."
            )
        finite = np.isfinite(array)
        if not finite.all():
            *env, agent, entry = np.argwhere(~finite)[0].tolist()
            where = f" of environment {env[0]}" if env else ""
            value = array[(*env, agent, entry)]
            raise ValueError(
                f"observation of agent {agent}{where} must be finite, got {value} in entry {entry}."
            )
        return array
