"""The tasks of this package: where each one's parts live, loaded when first needed."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wirelessenvs.checks import check_choice, shown
from wirelessenvs.config import TaskConfig
from wirelessenvs.loading import load_policy
from wirelessenvs.policy import Policy, PolicySpec
from wirelessenvs.reference import ReferenceScore
from wirelessenvs.simulator import Simulator

__all__ = ["TASKS", "Task", "get_task", "make_policy", "make_simulator", "policy_class"]


@dataclass(frozen=True)
class Task:
    """One task of this package and where its parts are.

    Args:
        id: of its PettingZoo environments, "cbf-v0".
        gymnasium_id: of its joint and vector environments, "wirelessenvs/CBF-v0".
        package: that holds configuration, simulator, policies, reference scores and drawing.
        class_prefix: of the configuration and simulator classes.
        score: metric by which papers compare policies, beside the reward.
        title: one line for listings.
    """

    id: str
    gymnasium_id: str
    package: str
    class_prefix: str
    score: str
    title: str

    @property
    def module(self) -> str:
        """Name of the PettingZoo-style module."""
        return f"wirelessenvs.{self.id.replace('-', '_')}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles of an environment name the task: its modules are no data.
        return get_task, (self.id,)

    @cached_property
    def _parts(self) -> Any:
        return importlib.import_module(self.package)

    @property
    def config(self) -> type[TaskConfig]:
        """The configuration class."""
        config: type[TaskConfig] = getattr(self._parts, f"{self.class_prefix}Config")
        return config

    @property
    def simulator(self) -> Callable[..., Simulator[Any]]:
        """The simulator class."""
        simulator: Callable[..., Simulator[Any]] = getattr(
            self._parts, f"{self.class_prefix}Simulator"
        )
        return simulator

    @property
    def policies(self) -> dict[str, type[Policy]]:
        """Policy classes by name."""
        policies: dict[str, type[Policy]] = self._parts.POLICIES
        return policies

    @property
    def reference(self) -> tuple[ReferenceScore, ...]:
        """Scores that policies are known to reach."""
        reference: tuple[ReferenceScore, ...] = self._parts.REFERENCE
        return reference

    @property
    def draw(self) -> Callable[..., None]:
        """`draw(figure, simulator, env)`; imports matplotlib when called."""
        draw: Callable[..., None] = self._parts.draw
        return draw


TASKS: dict[str, Task] = {
    task.id: task
    for task in (
        Task(
            "cbf-v0",
            "wirelessenvs/CBF-v0",
            "wirelessenvs.cbf",
            "CBF",
            "rate",
            "coordinated beamforming in a multi-cell downlink",
        ),
        Task(
            "rb-v0",
            "wirelessenvs/RB-v0",
            "wirelessenvs.rb",
            "RB",
            "served",
            "resource-block scheduling in a clustered ad hoc network",
        ),
        Task(
            "slicing-v0",
            "wirelessenvs/Slicing-v0",
            "wirelessenvs.slicing",
            "Slicing",
            "mean_ssr",
            "bandwidth slicing in a dense cellular network",
        ),
    )
}


def get_task(task_id: str) -> Task:
    """The task of an id like "cbf-v0" or "cbf_v0"; raises `ValueError` listing what exists."""
    if isinstance(task_id, str):
        task_id = task_id.replace("_v", "-v")
    return TASKS[check_choice("environment id", task_id, TASKS)]


def make_simulator(
    task_id: str, num_envs: int = 1, preset: str | None = None, **overrides: Any
) -> Simulator[Any]:
    """A batched simulator.

    Args:
        task_id: "cbf-v0", "rb-v0" or "slicing-v0".
        num_envs: batch size B.
        preset: named configuration of the task; its first one by default.
        **overrides: fields of the task's configuration.

    Example:
        >>> simulator = make_simulator("rb-v0", num_envs=4, preset="rb-9")
        >>> simulator.reset(seeds=0).shape
        (4, 9, 4)
    """
    task = get_task(task_id)
    return task.simulator(task.config.from_preset(preset, **overrides), num_envs)


def make_policy(name: str, source: Any, *, seed: int = 0) -> Policy:
    """A policy for a simulator or an environment, with its batch size.

    Args:
        name: one of the task's policies (the error lists them), or `module:Class` of your own.
        source: a `Simulator`, or an environment with a `simulator` attribute.
        seed: of the policy's own randomness.

    Example:
        >>> simulator = make_simulator("rb-v0")
        >>> expert = make_policy("expert", simulator)
        >>> observations = simulator.reset(seeds=0)
        >>> expert(observations, simulator.privileged(expert.information)).shape
        (1, 8)
    """
    simulator = source if isinstance(source, Simulator) else getattr(source, "simulator", None)
    if simulator is None and hasattr(source, "unwrapped"):
        simulator = getattr(source.unwrapped, "simulator", None)
    if not isinstance(simulator, Simulator):
        raise TypeError(f"source must be a simulator or an environment, got {shown(source)}.")
    spec: PolicySpec = simulator.spec
    if name == "expert" and spec.config.own_reward is not None:
        warnings.warn(
            f"policy 'expert' does well by the built-in reward {spec.config.built_in_reward!r}, "
            f"not by {shown(spec.config.own_reward)}: it plays, and need not be the best.",
            stacklevel=2,
        )
    return policy_class(get_task(simulator.task), name)(spec, simulator.num_envs, seed)


def policy_class(task: Task, name: str, what: str = "policy") -> type[Policy]:
    """The class of one of the task's policies, or of `module:Class`.

    Raises:
        ValueError: if there is none; the sentence starts with `what`.
    """
    if isinstance(name, str) and ":" in name:
        return load_policy(name, what)
    return task.policies[check_choice(what, name, task.policies)]
