"""The tasks for BenchMARL (M. Bettini et al., JMLR 2024): `pip install 'wirelessenvs[benchmarl]'`.

python -m wirelessenvs.benchmarl task=wirelessenvs/rb algorithm=mappo

takes what BenchMARL's own `run.py` takes. From Python, `WirelessTask.RB.get_from_yaml()` stands
where one of its tasks does. Every task has discrete and real-valued actions, so that all its
algorithms play all of them.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from wirelessenvs.checks import check_names
from wirelessenvs.command import imports_of
from wirelessenvs.faults import needs_extra
from wirelessenvs.tasks import get_task

with imports_of(__name__), needs_extra("benchmarl", "benchmarl", "hydra", "tensordict", "torchrl"):
    from benchmarl.environments import task_config_registry
    from benchmarl.environments.common import Task, TaskClass
    from benchmarl.utils import _read_yaml_config
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from torch import Tensor
    from torchrl.data import Composite
    from torchrl.envs import EnvBase, Transform, UnaryTransform

    from wirelessenvs.torchrl import WirelessEnv

__all__ = ["TaskConfig", "TaskError", "WirelessClass", "WirelessTask", "main", "symlog"]

#: Id of each task, and the argument that makes its actions real-valued or discrete. In fair shares
#: RB observes other units as well; the networks and the reward are the same.
_TASKS: Final[dict[str, tuple[str, str, str, str]]] = {
    "RB": ("rb-v0", "units", "fair-share", "natural"),
    "CBF": ("cbf-v0", "action", "beam", "codebook"),
    "SLICING": ("slicing-v0", "action", "continuous", "discrete"),
}


class TaskError(ValueError):
    """A configuration that a task refuses."""


@dataclass
class TaskConfig:
    """Configuration of a task, the same fields for all three.

    Args:
        preset: named configuration of the task; its first one by default.
        max_steps: length of an episode.
        symlog: whether observations and state are compressed to sign(x) log(1 + |x|): BenchMARL's
            networks scale no input, and counts of packets are large.
        shared_reward: whether every agent receives the mean of all rewards, which is what scores
            are made of; with rewards of their own, agents seek another goal.
        arguments: further fields of the task's configuration.
    """

    preset: str | None = None
    max_steps: int = 200
    symlog: bool = True
    shared_reward: bool = True
    arguments: dict[str, Any] = field(default_factory=dict)


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|)."""
    return values.sign() * values.abs().log1p()


class WirelessClass(TaskClass):
    """One of the tasks, as BenchMARL asks for it; made by `WirelessTask.RB.get_task()`."""

    def get_env_fun(
        self,
        num_envs: int,
        continuous_actions: bool,
        seed: int | None,
        device: Any,
    ) -> Callable[[], EnvBase]:
        """A function that makes a batch of `num_envs` environments."""
        config = TaskConfig(**self.config)
        task_id, name, real, discrete = _TASKS[self.name]
        arguments = {name: real if continuous_actions else discrete, **config.arguments}

        def make() -> EnvBase:
            env = WirelessEnv(
                task_id, num_envs, config.preset, entries=("info", "state"), device=device,
                # A critic that sees actions is blind where these are 10 million hertz.
                rescale_actions=True,
                shared_reward=config.shared_reward, max_steps=config.max_steps, **arguments,
            )  # fmt: skip
            env.set_seed(seed)
            return env

        return make

    def get_env_transforms(self, env: EnvBase) -> list[Transform]:
        """Compression of what networks see, if `symlog` is set."""
        keys = [*((group, "observation") for group in self.group_map(env)), "state"]
        return [UnaryTransform(keys, keys, fn=symlog)] if TaskConfig(**self.config).symlog else []

    def _supports(self, kind: int) -> bool:
        _, name, *kinds = _TASKS[self.name]
        return TaskConfig(**self.config).arguments.get(name, kinds[kind]) == kinds[kind]

    def supports_continuous_actions(self) -> bool:
        """Unless the arguments ask for discrete ones."""
        return self._supports(0)

    def supports_discrete_actions(self) -> bool:
        """Unless the arguments ask for real-valued ones."""
        return self._supports(1)

    def max_steps(self, env: EnvBase) -> int:  # noqa: ARG002
        """Length of an episode."""
        return TaskConfig(**self.config).max_steps

    def has_render(self, env: EnvBase) -> bool:  # noqa: ARG002
        """No: `python -m wirelessenvs.play` draws the tasks."""
        return False

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """One group, "agents"."""
        groups: dict[str, list[str]] = env.group_map
        return groups

    def state_spec(self, env: EnvBase) -> Composite:
        """Of the global state."""
        return Composite({"state": env.full_observation_spec_unbatched["state"].clone()})

    def observation_spec(self, env: EnvBase) -> Composite:
        """Of the agents' observations."""
        return self._of_agents(env, "observation")

    def info_spec(self, env: EnvBase) -> Composite:
        """Of the task's metrics."""
        return self._of_agents(env, "info")

    def _of_agents(self, env: EnvBase, entry: str) -> Composite:
        spec = env.full_observation_spec_unbatched.clone()
        del spec["state"]
        for group in self.group_map(env):
            for key in list(spec[group].keys()):
                if key != entry:
                    del spec[group, key]
        return spec

    def action_spec(self, env: EnvBase) -> Composite:
        """Of the agents' actions."""
        return env.full_action_spec_unbatched

    def action_mask_spec(self, env: EnvBase) -> None:
        """All actions are legal."""

    @staticmethod
    def env_name() -> str:
        """Group of the tasks' configurations."""
        return "wirelessenvs"


class WirelessTask(Task):
    """The tasks: `WirelessTask.RB`, `WirelessTask.CBF`, `WirelessTask.SLICING`."""

    RB = None
    CBF = None
    SLICING = None

    @staticmethod
    def associated_class() -> type[TaskClass]:
        """Class of the tasks."""
        return WirelessClass

    def get_from_yaml(self, path: str | None = None) -> TaskClass:
        """The task with the fields of `TaskConfig` from a file, or with its defaults."""
        return self.get_task({} if path is None else _read_yaml_config(path))

    def get_task(self, config: dict[str, Any] | None = None) -> TaskClass:
        """The task with some fields of `TaskConfig`.

        Raises:
            TaskError: for an unknown field, or a configuration that the task refuses.
        """
        known = asdict(TaskConfig())
        fields = {**known, **(config or {})}
        try:
            check_names("field of the task", config or {}, known)
            chosen = {"max_steps": fields["max_steps"], **fields["arguments"]}
            get_task(_TASKS[self.name][0]).config.from_preset(fields["preset"], **chosen)
        except (ValueError, TypeError, OSError) as error:
            raise TaskError(str(error)) from error
        return super().get_task(fields)


def _register() -> None:
    """Makes the tasks known by name, as `task=wirelessenvs/rb`."""
    group = WirelessClass.env_name()
    for task in _TASKS:
        name = task.lower()
        task_config_registry[f"{group}/{name}"] = getattr(WirelessTask, task)
        ConfigStore.instance().store(name=name, group=f"task/{group}", node=TaskConfig)


_register()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs an experiment as BenchMARL's `run.py` does, with these tasks beside its own.

    Returns:
        The exit status: 2 for a configuration that is refused.
    """
    from benchmarl.run import hydra_experiment

    # It looks for the class of a configuration in its own package only.
    warnings.filterwarnings("ignore", "TaskConfig python dataclass not found")
    if arguments is not None:
        sys.argv[1:] = arguments
    # Else Hydra prints what was raised, with its own advice, and ends the process.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        hydra_experiment()
    except (TaskError, HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ if isinstance(error, HydraException) else None
        what = f"{error} {cause or ''}"
        print(f"error: {' '.join(what.split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
