"""Options that every baseline has."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, get_type_hints

from benchmarks.baselines.shared.offline_data import OfflineData
from networld_agent.data.credit import CREDITS
from wirelessenvs.checks import check_choice, check_fields, check_names, check_real
from wirelessenvs.command import parse_overrides

__all__ = ["BaselineConfig", "TrajectoryConfig", "TransitionConfig"]

#: May be 0.
_FROM_ZERO = ("patience", "seed", "snapshots", "threads")
#: Change how a run goes on, not what it ends with.
_NO_RESULT = ("save_every", "threads", "device")


@dataclass(frozen=True)
class BaselineConfig:
    """Options of training; a method adds its own.

    Args:
        steps: updates.
        batch_size: transitions or windows per update.
        learning_rate: of Adam.
        gamma: discount.
        seed: of weights, batches and noise.
        mean_field: whether the mean of the neighbours' observations is appended to the own one.
        hidden_size: width of the hidden layers.
        snapshots: evenly spaced saves of the policy during training; the last one at the end.
        log_every: updates between two lines of the log.
        save_every: updates between two checkpoints.
        threads: of torch; 0 leaves its own choice.
        device: "cpu", "cuda", or "auto": CUDA where there is one.
    """

    steps: int = 20_000
    batch_size: int = 256
    learning_rate: float = 3e-4
    gamma: float = 0.99
    seed: int = 0
    mean_field: bool = False
    hidden_size: int = 256
    snapshots: int = 0
    log_every: int = 100
    save_every: int = 1000
    threads: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(self, zero=_FROM_ZERO)
        check_real("learning_rate", self.learning_rate, 0, low_open=True)
        check_real("gamma", self.gamma, 0, 1)
        if self.snapshots > self.steps:
            raise ValueError(
                f"snapshots must be at most steps ({self.steps}), got {self.snapshots}."
            )

    @classmethod
    def from_overrides(cls, pairs: Sequence[str]) -> Self:
        """The options of `["alpha=2", "steps=1000"]`; all others as they are by default.

        Raises:
            TypeError: for an unknown name; the sentence lists those that exist.
            ValueError: for a value out of bounds.
        """
        return cls.from_json(parse_overrides(pairs))

    @classmethod
    def from_json(cls, options: dict[str, Any]) -> Self:
        """The configuration with these options.

        Raises:
            TypeError: for an unknown name; the sentence lists those that exist.
            ValueError: for a value out of bounds.
        """
        check_names("option", options, get_type_hints(cls))
        return cls(**options)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)

    def identity(self) -> dict[str, Any]:
        """The options that the result depends on."""
        return {name: value for name, value in self.to_json().items() if name not in _NO_RESULT}

    def snapshot_steps(self) -> frozenset[int]:
        """Steps after which the policy is saved."""
        count = self.snapshots
        return frozenset(round(k * self.steps / count) for k in range(1, count + 1))


@dataclass(frozen=True)
class TrajectoryConfig(BaselineConfig):
    """Options of methods that draw their batches from stored trajectories.

    Args:
        trajectory_temperature: of preferring trajectories of high reward, for data of several
            policies: 0.1 is usual (see `networld_agent.data.trajectory_weights`); 0 draws from all
            alike.
        held_out: whether the last trajectory of each policy is held out to choose the weights by,
            as NetWorld's training does with the last of all: they are those with the least loss on
            them, and training stops early.
        validate_every: updates between two looks at held-out data.
        patience: looks without improvement after which training stops; 0 never stops early.
        agent_ids: whether an agent's index, one-hot, is appended to its observation: an observation
            may show poorly where an agent stands. In a network of another size all agents take the
            mean of these vectors.
    """

    trajectory_temperature: float = 0.0
    held_out: bool = False
    validate_every: int = 50
    patience: int = 10
    agent_ids: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.held_out and self.snapshots:
            raise ValueError(
                f"snapshots must be 0 with held_out, which may stop earlier, got {self.snapshots}."
            )

    def identity(self) -> dict[str, Any]:
        """The options that the result depends on."""
        found = super().identity()
        if not self.held_out:
            # Runs from before there was such a choice are still what they were.
            for name in ("held_out", "validate_every", "patience"):
                del found[name]
        if not self.agent_ids:
            del found["agent_ids"]
        return found

    def preferring(self, data: OfflineData) -> OfflineData:
        """The data, drawn from as these options say."""
        return data.preferring(self.trajectory_temperature)


@dataclass(frozen=True)
class TransitionConfig(TrajectoryConfig):
    """Options of methods that learn values from single transitions.

    Args:
        credit: whose rewards an action answers for, in training only: the agent's "own", the mean
            over it and its "neighbors", or over the "team". An agent that answers for itself alone
            takes what others need.
    """

    credit: str = "own"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("credit", self.credit, CREDITS)

    def identity(self) -> dict[str, Any]:
        """The options that the result depends on."""
        found = super().identity()
        if self.credit == "own":
            del found["credit"]
        return found
