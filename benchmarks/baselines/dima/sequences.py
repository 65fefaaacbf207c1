"""What the world model is trained on, and where its imagination starts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from wirelessenvs.checks import check_flag, check_int

__all__ = ["Context", "Sequences", "WorldSpec"]


@dataclass(frozen=True)
class WorldSpec:
    """The environment that a world model is of.

    Args:
        task: id, "rb-v0"; a stored model says by it what it belongs to.
        num_agents: n.
        state_size: S, entries of the global state.
        observation_size: O, entries of one agent's observation.
        action_size: A, components of one agent's real-valued action; 0 if actions are choices.
        num_choices: K of a discrete action; 0 if actions are reals.
        observed: whether the state begins with all observations, one agent after the other.
    """

    task: str
    num_agents: int
    state_size: int
    observation_size: int
    action_size: int = 0
    num_choices: int = 0
    # Says how the numbers above are arranged, not which environment it is.
    observed: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.task, str):
            raise TypeError(f"task must be a word, got {self.task!r}.")
        for name in ("num_agents", "state_size", "observation_size"):
            check_int(name, getattr(self, name), 1)
        for name in ("action_size", "num_choices"):
            check_int(name, getattr(self, name), 0)
        check_flag("observed", self.observed)
        if self.observed and self.state_size < self.num_agents * self.observation_size:
            raise ValueError(
                f"a state of {self.state_size} entries cannot begin with {self.num_agents} "
                f"observations of {self.observation_size}."
            )
        if (self.action_size == 0) == (self.num_choices == 0):
            raise ValueError(
                "an action has either action_size reals or num_choices choices, got "
                f"{self.action_size} and {self.num_choices}."
            )

    @property
    def discrete(self) -> bool:
        """Whether an action is one integer."""
        return self.num_choices > 0

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Shape of a joint action: `(n,)` or `(n, A)`."""
        return (self.num_agents,) if self.discrete else (self.num_agents, self.action_size)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Sequences:
    """Pieces of episodes: L steps, and the L + 1 states around them.

    Step t takes `actions[:, t]` in `states[:, t]`, earns `rewards[:, t]` and leads to
    `states[:, t + 1]`. Padding, on either side of a piece, is zero and not valid. Two episodes in
    one piece are apart by at least one padded step, across which nothing is seen.

    Args:
        states: `(B, L + 1, S)` float32 in the environment's units.
        observations: `(B, L + 1, n, O)` float32 in the environment's units.
        actions: `(B, L, n, A)` float32 in [-1, 1], or `(B, L, n)` int64 from 0.
        rewards: `(B, L)` float32, one for the team.
        terminated: `(B, L)` booleans, true where `states[:, t + 1]` ends the episode for good; an
            episode that is merely cut ends without it.
        valid: `(B, L)` booleans, false where the step is padding.
    """

    states: Tensor
    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    valid: Tensor

    @property
    def num_steps(self) -> int:
        """Number of steps L."""
        return self.valid.shape[1]

    def to(self, device: torch.device | str) -> Sequences:
        """The same on a device."""
        fields = {f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)}
        return Sequences(**fields)

    def check(self, spec: WorldSpec) -> None:
        """Compares all shapes with the environment's.

        Raises:
            ValueError: naming the first that does not fit.
        """
        rows, steps = self.valid.shape
        wanted = {
            "states": (rows, steps + 1, spec.state_size),
            "observations": (rows, steps + 1, spec.num_agents, spec.observation_size),
            "actions": (rows, steps, *spec.action_shape),
            "rewards": (rows, steps),
            "terminated": (rows, steps),
        }
        for name, shape in wanted.items():
            _check_shape(name, getattr(self, name), shape)


@dataclass(frozen=True)
class Context:
    """The last C real steps before imagination.

    Args:
        states: `(B, C, S)` in the environment's units, the present one last; zero before an
            episode's start.
        actions: `(B, C - 1, n, A)` or `(B, C - 1, n)`, taken between these states.
        valid: `(B, C)` booleans, false before an episode's start.
    """

    states: Tensor
    actions: Tensor
    valid: Tensor

    def check(self, spec: WorldSpec, size: int) -> None:
        """Compares all shapes with the environment's and the model's C.

        Raises:
            ValueError: naming the first that does not fit.
        """
        rows = len(self.states)
        _check_shape("states", self.states, (rows, size, spec.state_size))
        _check_shape("actions", self.actions, (rows, size - 1, *spec.action_shape))
        _check_shape("valid", self.valid, (rows, size))


def _check_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}.")
