"""One deployment, the endless list of a split's deployments, and the family they come from."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, overload

import numpy as np

from wirelessenvs.checks import check_choice, check_int
from wirelessenvs.config import TaskConfig
from wirelessenvs.joint import JointEnv
from wirelessenvs.parallel import WirelessParallelEnv
from wirelessenvs.registration import make, make_vec
from wirelessenvs.simulator import Simulator
from wirelessenvs.tasks import Task, get_task
from wirelessenvs.vector import WirelessVectorEnv

__all__ = ["FACADES", "Deployment", "Deployments", "Family"]

#: Every façade with its own arguments; others are fields of the task's configuration.
FACADES = {
    "parallel": ("render_mode", "dict_observation"),
    "joint": ("render_mode",),
    "vector": ("num_envs", "render_mode", "autoreset_mode"),
    "simulator": ("num_envs",),
}
#: What PettingZoo and Gymnasium call `max_steps`.
_LENGTHS = ("max_cycles", "max_episode_steps")
#: Deployments of a split. Splits lie this far apart in the keys that everything is drawn from.
SPLIT_SIZE = 2**24


@dataclass(frozen=True)
class Family:
    """A law over the deployments of one task.

    Args:
        name: "rb", "cbf", "slicing".
        version: raised whenever a deployment of some (split, index) changes.
        task_id: of the task that its deployments configure.
        splits: name of each split and the law behind it, whose `sizes` are the numbers of agents
            that it draws from. New ones go to the end: the position is part of what a deployment
            is drawn from.
        draw: `draw(law, key, rng)` gives the fields that one deployment fixes; `key` is an integer
            that no other deployment of the family has.
        quantities: `quantities(config)` names the numbers by which deployments are told apart in
            pictures and reports; the first is the number of agents.
        replacing: fields of the configuration that would say otherwise what a deployment fixes.
        common: fields of the configuration that all its deployments share by default.
        rules: policies without learning or hindsight that an expert is compared with.
        expert: policy that data sets are made with and that scores call 100.
        bound: policy that knows more than anybody can: an upper reference.
    """

    name: str
    version: int
    task_id: str
    splits: Mapping[str, Any]
    draw: Callable[[Any, int, np.random.Generator], dict[str, Any]]
    quantities: Callable[[Any], dict[str, float]]
    replacing: tuple[str, ...]
    common: Mapping[str, Any]
    rules: tuple[str, ...]
    expert: str
    bound: str

    @property
    def task(self) -> Task:
        """The task of the family."""
        return get_task(self.task_id)


@dataclass(frozen=True, repr=False)
class Deployment:
    """A task with one draw of everything that a site has for good.

    Args:
        family: that it was drawn from.
        split: "train", "validation", "test" or "beyond-...".
        index: within the split.
        fields: of the task's configuration, as drawn.

    Example:
        >>> from wirelessenvs import deployments
        >>> site = deployments("rb", "test")[17]
        >>> env = site.make(max_steps=100)
        >>> simulator = site.make("simulator", num_envs=4)
        >>> simulator.num_agents == site.config.num_nodes
        True
    """

    family: Family = field(hash=False)
    split: str
    index: int
    fields: Mapping[str, Any] = field(hash=False)

    def __repr__(self) -> str:
        return f"Deployment({self.name!r})"

    @property
    def name(self) -> str:
        """Family, split and index, "rb/test/17"."""
        return f"{self.family.name}/{self.split}/{self.index}"

    @property
    def key(self) -> int:
        """A number that no other deployment of the family has; the draw follows from it."""
        return _key(self.family, self.split, self.index)

    @cached_property
    def config(self) -> TaskConfig:
        """The task's configuration at this site."""
        return self.configure()

    @property
    def quantities(self) -> dict[str, float]:
        """The numbers that tell this deployment from others of its family."""
        return self.family.quantities(self.config)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what was drawn."""
        return hashlib.sha256(json.dumps(self.fields, sort_keys=True).encode()).hexdigest()

    def configure(self, **overrides: Any) -> TaskConfig:
        """The configuration with fields changed that are no part of the deployment.

        Raises:
            TypeError: for a field that the deployment fixes, or that says otherwise what it fixes,
                and for an unknown one.
            ValueError: for a value out of bounds.
        """
        for name in overrides:
            if name in self.fields or name == "preset":
                raise TypeError(f"{name} is fixed by deployment {self.name}: choose another one.")
            if name in self.family.replacing and overrides[name] is not None:
                raise TypeError(
                    f"{name} would replace what deployment {self.name} fixes: leave it out, or "
                    f"make a {self.family.task_id} without a deployment."
                )
        fields = {**self.family.common, **overrides, **self.fields}
        return self.family.task.config.from_preset(**fields)

    @overload
    def make(self, facade: Literal["parallel"] = ..., **arguments: Any) -> WirelessParallelEnv: ...
    @overload
    def make(self, facade: Literal["joint"], **arguments: Any) -> JointEnv: ...
    @overload
    def make(self, facade: Literal["vector"], **arguments: Any) -> WirelessVectorEnv: ...
    @overload
    def make(self, facade: Literal["simulator"], **arguments: Any) -> Simulator[Any]: ...

    def make(self, facade: str = "parallel", **arguments: Any) -> Any:
        """An environment at this site.

        Args:
            facade: "parallel" (PettingZoo), "joint" (Gymnasium), "vector" (a batch for Gymnasium)
                or "simulator".
            **arguments: `num_envs` of a batch, `render_mode`, other arguments of the façade, and
                fields of the task's configuration that are no part of the deployment, `max_steps`
                or `observation`.

        Raises:
            ValueError: for an unknown façade or a value out of bounds.
            TypeError: for an unknown argument, or a field that the deployment fixes.
        """
        check_choice("facade", facade, FACADES)
        own = {name: arguments.pop(name) for name in FACADES[facade] if name in arguments}
        for name in _LENGTHS:
            if name in arguments:
                arguments["max_steps"] = arguments.pop(name)
        config, task = self.configure(**arguments), self.family.task
        if facade == "parallel":
            return make(task.id, config=config, **own)
        if facade == "joint":
            return JointEnv(task.id, config=config, **own)
        if facade == "vector":
            return make_vec(task.id, config=config, **own)
        return task.simulator(config, **own)


def _key(family: Family, split: str, index: int) -> int:
    # Splits begin at 1: no key is a small number that somebody may use as a layout's seed.
    return (1 + list(family.splits).index(split)) * SPLIT_SIZE + index


class Deployments(Sequence[Deployment]):
    """All deployments of a split, drawn when asked for; a slice is a tuple of them.

    Example:
        >>> from wirelessenvs import deployments
        >>> train = deployments("rb", "train")
        >>> [site.name for site in train[:2]], len(train)
        (['rb/train/0', 'rb/train/1'], 16777216)
    """

    def __init__(self, family: Family, split: str) -> None:
        names = tuple(family.splits)
        self.family = family
        self.split = check_choice(f"split of family {family.name!r}", split, names)

    def __repr__(self) -> str:
        return f"deployments({self.family.name!r}, {self.split!r})"

    def __len__(self) -> int:
        return SPLIT_SIZE

    @overload
    def __getitem__(self, index: int) -> Deployment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Deployment, ...]: ...

    def __getitem__(self, index: int | slice) -> Deployment | tuple[Deployment, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number = check_int("index of a deployment", index)
        if number < 0:
            number += SPLIT_SIZE
        if not 0 <= number < SPLIT_SIZE:
            raise IndexError(
                f"index of a deployment must be between 0 and {SPLIT_SIZE - 1}, got {index}."
            )
        family = self.family
        key = _key(family, self.split, number)
        entropy = (zlib.crc32(family.name.encode()), family.version, key)
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
        fields = family.draw(family.splits[self.split], key, rng)
        return Deployment(family, self.split, number, fields)
