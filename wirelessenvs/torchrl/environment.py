"""TorchRL environments whose batch advances in one call of a simulator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Categorical, Composite
from torchrl.envs import EnvBase, MarlGroupMapType, check_marl_grouping

from wirelessenvs.actions import check_actions, from_unit
from wirelessenvs.checks import check_choice, check_flag, check_int, shown
from wirelessenvs.config import TaskConfig
from wirelessenvs.facade import SimulatorFacade
from wirelessenvs.families.batch import FamilyBatch
from wirelessenvs.families.deployment import Deployment
from wirelessenvs.lockstep import check_seeds
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import get_task
from wirelessenvs.torchrl.specs import action_spec, box_spec, done_spec, real_spec

__all__ = ["ENTRIES", "FamilyEnv", "WirelessEnv"]

#: What a tensordict may hold beside observations, rewards and flags.
ENTRIES: Final = ("info", "state", "adjacency", "context")

#: Names beside which a group would have no place in a tensordict.
_RESERVED: Final = ("state", "done", "terminated", "truncated", "next", "_reset", "_step")

GroupMap: TypeAlias = "Mapping[str, Sequence[str]] | MarlGroupMapType | None"


class _BatchEnv(EnvBase):
    """What both environments share: specs, seeds, resets and steps of a batch.

    Args:
        batch: that plays.
        entries: of `ENTRIES`.
        group_map: names of groups and of the agents in them, or one of TorchRL's ready ones.
        categorical_actions: whether a discrete action is an integer, not a one-hot vector.
        rescale_actions: whether a real-valued action lies in [-1, 1], not in units of the task.
        shared_reward: whether every agent receives the mean of all agents' rewards.
        device: of the tensors; the simulators run on the CPU.
    """

    def __init__(
        self,
        batch: Simulator[Any] | FamilyBatch,
        entries: Sequence[str],
        group_map: GroupMap,
        categorical_actions: bool,
        rescale_actions: bool,
        shared_reward: bool,
        device: torch.device | str | None,
    ) -> None:
        super().__init__(device=device, batch_size=torch.Size((batch.num_envs,)))
        self._batch = batch
        self._entries = _checked_entries(entries)
        real = batch.action_space.shape != ()
        self._rescaled = check_flag("rescale_actions", rescale_actions) and real
        self._one_hot = not check_flag("categorical_actions", categorical_actions) and not real
        self._shared_reward = check_flag("shared_reward", shared_reward)
        agents = list(batch.agents)
        #: Agents of each group.
        self.group_map = _checked_groups(group_map, agents)
        # None for all agents in their order: nothing is copied then.
        self._rows: dict[str, list[int] | None] = {
            group: None if members == agents else [agents.index(name) for name in members]
            for group, members in self.group_map.items()
        }
        self._seeds: list[int | None] = [None] * batch.num_envs
        self._over = torch.ones((batch.num_envs, 1), dtype=torch.bool)
        self._make_specs()

    @property
    def num_envs(self) -> int:
        """Batch size B."""
        return self._batch.num_envs

    @property
    def agents(self) -> list[str]:
        """Names of the agents, in the order of every agent axis."""
        return list(self._batch.agents)

    # ------------------------------------------------------------------ specs
    @property
    def _acted(self) -> gymnasium.spaces.Discrete | gymnasium.spaces.Box:
        """Space of one agent's action, as it is given."""
        space = self._batch.action_space
        return gymnasium.spaces.Box(-1.0, 1.0, space.shape) if self._rescaled else space

    def _make_specs(self) -> None:
        observed, acted, rewarded = (Composite(device=self.device) for _ in range(3))
        for group, members in self.group_map.items():
            n = len(members)
            observed[group] = self._group_spec(n)
            action = action_spec(self._acted, n, not self._one_hot, self.device)
            acted[group] = Composite({"action": action}, shape=(n,), device=self.device)
            reward = real_spec((n, 1), self.device)
            rewarded[group] = Composite({"reward": reward}, shape=(n,), device=self.device)
        if "state" in self._entries:
            assert isinstance(self._batch, Simulator)
            observed["state"] = box_spec(self._batch.state_space, 1, self.device)[0]
        self.full_observation_spec_unbatched = observed
        self.full_action_spec_unbatched = acted
        self.full_reward_spec_unbatched = rewarded
        self.full_done_spec_unbatched = done_spec(self.device)

    def _group_spec(self, agents: int) -> Composite:
        batch, device = self._batch, self.device
        specs = {"observation": box_spec(batch.observation_space, agents, device)}
        if isinstance(batch, FamilyBatch):
            specs["mask"] = Categorical(2, torch.Size((agents,)), device, torch.bool)
        if "adjacency" in self._entries:
            shape = torch.Size((agents, batch.num_agents))
            specs["adjacency"] = Categorical(2, shape, device, torch.bool)
        if "context" in self._entries:
            specs["context"] = box_spec(self.context_space, agents, device)
        if "info" in self._entries:
            metrics = {name: real_spec((agents, 1), device) for name in batch.metric_names}
            specs["info"] = Composite(metrics, shape=(agents,), device=device)
        return Composite(specs, shape=(agents,), device=device)

    # ---------------------------------------------------------------- episodes
    def _set_seed(self, seed: int | None) -> None:
        if seed is not None:  # one, of which TorchRL makes the next: lists are for `reset`
            self._seeds = check_seeds(check_int("seed", seed, 0), self.num_envs)

    def _reset(
        self,
        tensordict: TensorDictBase | None = None,
        seed: int | Sequence[int | None] | None = None,
        **_: Any,
    ) -> TensorDictBase:
        mask = np.ones(self.num_envs, np.bool_)
        if tensordict is not None and (chosen := tensordict.get("_reset", None)) is not None:
            mask = chosen.reshape(self.num_envs).cpu().numpy()
        if seed is not None:
            self._seeds = check_seeds(seed, self.num_envs)
        observations = self._batch.reset(self._seeds, mask)
        # A seed starts one episode; the next reset goes on from there.
        self._seeds = [
            None if begun else pending for begun, pending in zip(mask, self._seeds, strict=True)
        ]
        self._over = self._over & ~torch.from_numpy(mask)[:, None]
        zeros = np.zeros(observations.shape[:2])
        return self._tensordict(observations, dict.fromkeys(self._batch.metric_names, zeros))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        mask = None
        if (chosen := tensordict.get("_step", None)) is not None:
            mask = chosen.reshape(self.num_envs).cpu().numpy()
        step = self._batch.step(self._joint_actions(tensordict), mask)
        truncated = torch.from_numpy(step.truncated)[:, None]
        if mask is not None:
            # What is not stepped stays as it is.
            truncated |= self._over & ~torch.from_numpy(mask)[:, None]
        self._over = truncated
        result = self._tensordict(step.observations, step.metrics)
        rewards = self._tensor(self._rewards(step.rewards))[..., None]
        for group, rows in self._rows.items():
            result[group]["reward"] = rewards if rows is None else rewards[:, rows]
        return result

    def _rewards(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._shared_reward:
            return own
        if not isinstance(self._batch, FamilyBatch):
            return np.repeat(own.mean(1, keepdims=True), own.shape[1], axis=1)
        present = self._batch.present
        return present * (own.sum(1) / present.sum(1))[:, None]

    def _joint_actions(self, tensordict: TensorDictBase) -> NDArray[Any]:
        """`(B, N)` integers or `(B, N, A)` reals of all groups."""
        space = self._batch.action_space
        parts = {
            group: self._numbers(tensordict.get((group, "action")).detach().cpu(), group)
            for group in self._rows
        }
        joint = next(iter(parts.values()))
        if None not in self._rows.values():
            shape = (self.num_envs, self._batch.num_agents, *(space.shape or ()))
            joint = np.empty(shape, np.result_type(*parts.values()))
            for group, rows in self._rows.items():
                joint[:, rows] = parts[group]
        if not self._rescaled:
            return joint
        assert isinstance(space, gymnasium.spaces.Box)
        # Here, where a sentence can tell the value in the units that it was given in.
        given = check_actions(joint, self._acted, self.agents, self.num_envs)
        return from_unit(given, space)

    def _numbers(self, action: torch.Tensor, group: str) -> NDArray[Any]:
        """A group's actions; of one-hot vectors, which may be rounded a little, the places."""
        space = self._batch.action_space
        tail = space.shape or ()
        if self._one_hot and isinstance(space, gymnasium.spaces.Discrete):
            tail = (int(space.n),)
        shape = (self.num_envs, len(self.group_map[group]), *tail)
        if tuple(action.shape) != shape:
            raise ValueError(
                f"action of group {group!r} must have shape {shape}, got {tuple(action.shape)}."
            )
        if not self._one_hot:
            return action.numpy()
        hot = action.to(torch.float64)
        chosen = hot.argmax(-1)
        ideal = torch.nn.functional.one_hot(chosen, hot.shape[-1])
        wrong = ~((hot - ideal).abs() < 1e-3).all(-1)  # true for NaN
        if isinstance(self._batch, FamilyBatch):
            rows = self._rows[group]
            present = torch.from_numpy(self._batch.present)
            wrong &= present if rows is None else present[:, rows]
        if wrong.any():
            env, place = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"action of {self.group_map[group][place]} of environment {env} must be one-hot, "
                f"got {shown(action[env, place].tolist())}."
            )
        return chosen.numpy()

    def _tensordict(
        self, observations: NDArray[np.float32], metrics: Mapping[str, NDArray[np.float64]]
    ) -> TensorDict:
        """Observations, what else was asked for, and the flags."""
        arrays = {"observation": observations} | self._others()
        seen = {name: self._tensor(array) for name, array in arrays.items()}
        infos = {}
        if "info" in self._entries:
            infos = {name: self._tensor(values)[..., None] for name, values in metrics.items()}
        groups: dict[str, Any] = {
            group: self._group(rows, seen, infos) for group, rows in self._rows.items()
        }
        if "state" in self._entries:
            assert isinstance(self._batch, Simulator)
            groups["state"] = self._tensor(self._batch.state())
        over = self._over.to(self.device) if self.device is not None else self._over
        groups |= {"truncated": over.clone(), "terminated": torch.zeros_like(over)}
        groups["done"] = over.clone()  # whoever fills it does not fill the own one
        return TensorDict(groups, self.batch_size, self.device)

    def _group(
        self,
        rows: list[int] | None,
        seen: Mapping[str, torch.Tensor],
        infos: Mapping[str, torch.Tensor],
    ) -> TensorDict:
        size = (self.num_envs, self._batch.num_agents if rows is None else len(rows))
        if rows is not None:
            seen = {name: tensor[:, rows] for name, tensor in seen.items()}
            infos = {name: tensor[:, rows] for name, tensor in infos.items()}
        content: dict[str, Any] = dict(seen)
        if infos:
            content["info"] = TensorDict(dict(infos), size, self.device)
        return TensorDict(content, size, self.device)

    def _others(self) -> dict[str, NDArray[Any]]:
        """Further arrays `(B, N, ...)` of agents, by name."""
        others: dict[str, NDArray[Any]] = {}
        if isinstance(self._batch, FamilyBatch):
            others["mask"] = self._batch.present
        if "adjacency" in self._entries:
            others["adjacency"] = np.array(self._batch.adjacency)
        if "context" in self._entries:
            others["context"] = self._contexts()
        return others

    def _contexts(self) -> NDArray[np.float32]:
        raise NotImplementedError

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if tensor.dtype is torch.float64:
            tensor = tensor.to(torch.float32)
        return tensor if self.device is None else tensor.to(self.device)


def _checked_entries(entries: Sequence[str]) -> tuple[str, ...]:
    return tuple(check_choice("an entry", entry, ENTRIES) for entry in _listed("entries", entries))


def _listed(name: str, value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise TypeError(f"{name} must be a sequence of names, got {shown(value)}.")
    return list(value)


def _checked_groups(group_map: GroupMap, agents: list[str]) -> dict[str, list[str]]:
    if group_map is None:
        return {"agents": agents}
    if isinstance(group_map, MarlGroupMapType):
        return dict(group_map.get_group_map(agents))
    if not isinstance(group_map, Mapping):
        raise TypeError(
            f"group_map must be a dictionary from names to agents, or one of TorchRL's, got "
            f"{shown(group_map)}."
        )
    for name in group_map:
        if not isinstance(name, str) or not name or name in _RESERVED:
            raise ValueError(
                f"group_map must name its groups by words other than {', '.join(_RESERVED)}, got "
                f"{shown(name)}."
            )
    groups = {name: _listed(f"group {name!r}", members) for name, members in group_map.items()}
    for name in [agent for members in groups.values() for agent in members]:
        check_choice("an agent of group_map", name, agents)
    check_marl_grouping(groups, agents)
    return groups


class WirelessEnv(SimulatorFacade, _BatchEnv):
    """B environments of a task as one TorchRL environment of batch size `(B,)`.

    One simulator advances all of them, so that a step costs little more than TorchRL itself.
    Environment b equals a single environment seeded with the same seed, bit for bit, up to the
    rounding of rewards and metrics to float32.

    ## Entries
    | key | shape | what |
    |---|---|---|
    | `("agents", "observation")` | `(B, N, D)` | float32 |
    | `("agents", "action")` | `(B, N)`, `(B, N, n)` or `(B, N, A)` | category, one-hot, or box |
    | `("agents", "reward")` | `(B, N, 1)` | each agent's own, or the mean with `shared_reward` |
    | `("agents", "info", metric)` | `(B, N, 1)` | the metrics of the step; zero after a reset |
    | `"state"` | `(B, S)` | global state, if in `entries` |
    | `("agents", "adjacency")` | `(B, N, N)` | whom each agent hears, if in `entries` |
    | `("agents", "context")` | `(B, N, C)` | public numbers of the site, if in `entries` |
    | `"done"`, `"truncated"` | `(B, 1)` | true at `max_steps` |
    | `"terminated"` | `(B, 1)` | false: no task ends by itself, and values go on |

    ## Seeds
    `set_seed(s)`, or `reset(seed=s)`, gives environment b the seed s + b, from its next reset on;
    every reset after that goes on to the next episode. A reset with a `_reset` mask, as TorchRL's
    rollouts and collectors make it, restarts only those environments.

    Args:
        task_id: "cbf-v0", "rb-v0" or "slicing-v0".
        num_envs: B.
        preset: named configuration of the task.
        config: a ready configuration instead of preset and overrides.
        entries: any of "info", "state", "adjacency", "context".
        group_map: groups of agents by name; by default one, "agents".
        categorical_actions: whether a discrete action is an integer, not a one-hot vector.
        rescale_actions: whether a real-valued action lies in [-1, 1], not in units of the task.
        shared_reward: whether every agent receives the mean of all agents' rewards.
        device: of the tensors; the simulators run on the CPU.
        **overrides: fields of the task's configuration.
    """

    def __init__(
        self,
        task_id: str,
        num_envs: int = 1,
        preset: str | None = None,
        config: TaskConfig | None = None,
        entries: Sequence[str] = ("info",),
        group_map: GroupMap = None,
        categorical_actions: bool = True,
        rescale_actions: bool = False,
        shared_reward: bool = False,
        device: torch.device | str | None = "cpu",
        **overrides: Any,
    ) -> None:
        self._build(get_task(task_id), num_envs, preset, None, config, overrides)
        super().__init__(
            self.simulator,
            entries,
            group_map,
            categorical_actions,
            rescale_actions,
            shared_reward,
            device,
        )

    @property
    def max_steps(self) -> int:
        """Length of an episode."""
        return int(self.simulator.config.max_steps)

    def _contexts(self) -> NDArray[np.float32]:
        values = self.simulator.context.values
        return np.broadcast_to(values, (self.num_envs, *values.shape)).copy()


class FamilyEnv(_BatchEnv):
    """B environments that each play another deployment of a family in every episode.

    Entries are those of `WirelessEnv`, for the number of agents of the largest deployment of the
    split, and `("agents", "mask")`, `(B, N)`: true for the agents that an episode has. Rows of
    the others are zero, and their actions change nothing. There is no `"state"`.

    Environment b plays what `wirelessenvs.family_v0` plays with the same seed.

    Args:
        family: "rb", "cbf" or "slicing".
        split: "train", "validation", "test", or one of the family's "beyond-..." splits.
        num_envs: B.
        first: only the first so many deployments of the split.
        entries: any of "info", "adjacency", "context".
        group_map: groups of agents by name; by default one, "agents".
        categorical_actions: whether a discrete action is an integer, not a one-hot vector.
        rescale_actions: whether a real-valued action lies in [-1, 1], not in units of the task.
        shared_reward: whether every agent receives the mean of all agents' rewards.
        device: of the tensors; the simulators run on the CPU.
        **overrides: arguments of the task that a deployment leaves open.
    """

    def __init__(
        self,
        family: str = "rb",
        split: str = "train",
        num_envs: int = 1,
        first: int | None = None,
        entries: Sequence[str] = ("info",),
        group_map: GroupMap = None,
        categorical_actions: bool = True,
        rescale_actions: bool = False,
        shared_reward: bool = False,
        device: torch.device | str | None = "cpu",
        **overrides: Any,
    ) -> None:
        if "state" in _listed("entries", entries):
            raise ValueError(
                "a family has no entry 'state': its size would change with the number of agents."
            )
        #: What plays.
        self.batch = batch = FamilyBatch(family, split, num_envs, first, **overrides)
        super().__init__(
            batch, entries, group_map, categorical_actions, rescale_actions, shared_reward, device
        )

    @property
    def context_space(self) -> Any:
        """Space of one agent's context."""
        return self.batch.context_space

    @property
    def deployments(self) -> list[Deployment]:
        """Of the running episodes, one per environment."""
        return list(self.batch.deployments)

    def _contexts(self) -> NDArray[np.float32]:
        return self.batch.contexts
