"""Trained policies: they act in an evaluation, and are stored as safetensors and JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.observation_scaling import ObservationScaling
from networld_agent.errors import ModelError
from networld_agent.model.task_spec import ActionSpec
from networld_agent.storage import (
    WeightsFormat,
    fields_of,
    load_weights,
    read_description,
    save_weights,
    versions,
)
from networld_agent.worlds.interface import Worlds

__all__ = ["BaselinePolicy", "PolicySpec", "read_method"]

_FORM: Final = WeightsFormat("baseline policy", "policy.json", "policy", "wireless-baseline")
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True)
class PolicySpec:
    """All that a policy is made of but its weights.

    Args:
        task: that it was trained for.
        observation_size: d.
        action: of one agent.
        config: of its training.
        extra: further JSON values that the method keeps, say a target return.
        places: N agents that it tells from each other by their index; 0 if by nothing.
    """

    task: str
    observation_size: int
    action: ActionSpec
    config: BaselineConfig
    extra: dict[str, Any] = field(default_factory=dict)
    places: int = 0


class BaselinePolicy(ABC):
    """One network for all agents of a task, each seeing its own observation.

    With `mean_field` it also sees the mean of its neighbours' observations. It is a `Player`: the
    evaluation plays it as any other method.

    Args:
        spec: of the policy; `network` starts with random weights.
    """

    #: Name of the method.
    name: str
    config_type: ClassVar[type[BaselineConfig]]
    #: Attribute that is chosen on validation worlds after training; None if nothing is.
    tuned: ClassVar[str | None] = None
    #: Values of it to try, in shares of the way from `tuned_from` to its value after training.
    tuned_shares: ClassVar[tuple[float, ...]] = ()

    def __init__(self, spec: PolicySpec) -> None:
        self.spec = spec
        self.codec = ActionCodec(spec.action)
        self.scaling = ObservationScaling(
            spec.observation_size, spec.config.mean_field, spec.places
        )
        self.network = self.make_network()
        self.information = "neighbors" if spec.config.mean_field else "local"

    # --------------------------------------------------- what a method writes
    @abstractmethod
    def make_network(self) -> nn.Module:
        """A network that takes the state of a learner's `actor`."""

    @abstractmethod
    def decide(self, inputs: Tensor) -> Tensor:
        """Actions `(B, N[, A])` as the codec encodes them, from scaled inputs `(B, N, k)`."""

    def begin(self, seeds: Sequence[int]) -> None:  # noqa: B027
        """A new episode in every environment."""

    @property
    def tuned_from(self) -> float:
        """Where the way to the tuned attribute's value begins."""
        return 0.0

    # ------------------------------------------------------------------ acting
    def act(self, worlds: Worlds, observations: NDArray[np.float32]) -> NDArray[Any]:
        """Actions `(B, N[, A])`; of the worlds, only who hears whom is read."""
        adjacency = worlds.adjacency if self.scaling.mean_field else None
        return self.act_on(observations, adjacency)

    @torch.inference_mode()
    def act_on(
        self, observations: NDArray[np.float32], adjacency: NDArray[np.bool_] | None = None
    ) -> NDArray[Any]:
        """Actions `(B, N[, A])` of any number of agents.

        Args:
            observations: `(B, N, d)` in the environment's units.
            adjacency: `(B, N, N)`, true at [b, i, j] where i hears j; needed with `mean_field`.

        Raises:
            ValueError: for observations of another size.
        """
        if np.ndim(observations) != 3 or np.shape(observations)[2] != self.scaling.size:
            raise ValueError(
                f"observations must be (B, N, {self.scaling.size}), got {np.shape(observations)}."
            )
        return self.codec.decode(self.decide(self.scaling.joint_inputs(observations, adjacency)))

    @property
    def bytes_per_step(self) -> float:
        """Number of bytes that an agent sends per step, namely its observation."""
        return float(_FLOAT_BYTES * self.scaling.size) if self.scaling.mean_field else 0.0

    @property
    def label(self) -> str:
        """What it is, for errors."""
        return f"the policy {self.name}"

    @property
    def parameters(self) -> int:
        """Number of weights that act."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    # ------------------------------------------------------------------- files
    def fill(self, actor: nn.Module, scaling: ObservationScaling) -> Self:
        """Takes over a learner's weights, as a copy that acts; returns itself."""
        self.network.load_state_dict(actor.state_dict())
        self.scaling.load_state_dict(scaling.state_dict())
        return self._ready()

    def _ready(self) -> Self:
        for module in (self.network, self.scaling):
            module.requires_grad_(False).eval()
        return self

    def save(self, folder: Path) -> Path:
        """Writes the policy, whole or not at all; returns the folder."""
        document = {
            "method": self.name,
            "versions": versions(),
            "task": self.spec.task,
            "observation_size": self.spec.observation_size,
            "action": vars(self.spec.action),
            "config": self.spec.config.to_json(),
            "extra": self.spec.extra,
            "places": self.spec.places,
        }
        return save_weights(_FORM, folder, document, self._weights().state_dict())

    def _weights(self) -> nn.ModuleDict:
        return nn.ModuleDict({"network": self.network, "scaling": self.scaling})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            ModelError: naming the file and its fault.
        """
        document = _read(folder)
        where = folder / _FORM.file
        if document["method"] != cls.name:
            raise ModelError(f"{where}: is a policy of {document['method']!r}, not {cls.name!r}.")
        about = fields_of(document, where)
        for key in ("config", "extra"):
            about.sub(key)

        def spec() -> PolicySpec:
            return PolicySpec(
                about.text("task"),
                about.integer("observation_size", 1),
                ActionSpec.from_json(document["action"]),
                cls.config_type.from_json(document["config"]),
                document["extra"],
                # Policies from before there were indices know none.
                about.integer("places") if "places" in document else 0,
            )

        made = load_weights(
            _FORM, folder, document, lambda: cls(spec()), lambda policy: policy._weights()
        )
        return made._ready()


def read_method(folder: Path) -> str:
    """Name of the method whose policy a folder holds.

    Raises:
        ModelError: naming the file and its fault.
    """
    return str(_read(folder)["method"])


def _read(folder: Path) -> dict[str, Any]:
    document = read_description(_FORM, folder)
    if not isinstance(document.get("method"), str):
        raise ModelError(f"{folder / _FORM.file}: is no description of a {_FORM.what}.")
    return document
