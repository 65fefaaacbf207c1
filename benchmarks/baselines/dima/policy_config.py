"""Options of DIMA's policy, and of its online loop."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.baselines.dima.config import OPTIONS, PRESETS, DimaConfig
from benchmarks.baselines.mappo.config import PpoConfig
from wirelessenvs.checks import check_choice, check_names, check_real

__all__ = ["ImaginationConfig", "OnlineConfig"]


@dataclass(frozen=True)
class ImaginationConfig(PpoConfig):
    """Options of online and offline training, from arXiv 2505.20922 where it states them.

    Args:
        model: the world model. By name, `from_json` also takes a preset of it, and each of its
            options by part and name: `{"model": "wireless", "reward_width": 64}`.
        starts: imagined episodes per policy update.
        horizon: H, steps of each.
        critic_actions: whether the critic sees the last joint action beside the state, as in the
            released code.
        batch_size: imagined steps per batch of a policy update.
    """

    batch_size: int = 3000
    learning_rate: float = 5e-4
    hidden_size: int = 128
    clip: float = 0.1
    entropy: float = 0.001
    model: DimaConfig = PRESETS["paper"]
    starts: int = 600
    horizon: int = 15
    critic_actions: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.model, DimaConfig):
            raise TypeError(f"model must be a DimaConfig, got {self.model!r}.")

    @classmethod
    def from_json(cls, options: dict[str, Any]) -> Self:
        """The configuration with these options, of the policy or of its world model.

        Raises:
            TypeError: for an unknown name; the sentence lists those that exist.
            ValueError: for an unknown preset or a value out of bounds.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        check_names("option", options, [*known, *OPTIONS])
        own = {name: value for name, value in options.items() if name in known}
        model = own.get("model", cls.model)
        if isinstance(model, dict):
            model = DimaConfig.from_json(model)
        elif not isinstance(model, DimaConfig):
            model = PRESETS[check_choice("model", model, tuple(PRESETS))]
        changed = {name: value for name, value in options.items() if name not in known}
        return cls(**{**own, "model": model.replace(**changed)})

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**super().to_json(), "model": self.model.to_json()}


@dataclass(frozen=True)
class OnlineConfig(ImaginationConfig):
    """The online loop; `steps` are steps of single environments, all environments counted.

    Args:
        num_envs: environments played side by side.
        train_every: environment steps between two epochs of training, all environments counted;
            a multiple of `num_envs`. The paper's table says 1,000 epochs per million steps; the
            released code trains once per finished episode, which depends on how long these are.
        prefill: environment steps of random actions before the first epoch.
        model_updates: of every part of the world model, per epoch.
        policy_updates: per epoch, each on newly imagined episodes.
        newest: share of the run that counts as new.
        favour: share of imagination's starts that are drawn from there.
        log_every: epochs between two lines of the log.
        save_every: epochs between two checkpoints.
    """

    log_every: int = 1
    save_every: int = 5
    num_envs: int = 10
    train_every: int = 1000
    prefill: int = 1000
    model_updates: int = 200
    policy_updates: int = 4
    newest: float = 0.25
    favour: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("newest", self.newest, 0, 1, low_open=True)
        check_real("favour", self.favour, 0, 1)
        if self.train_every % self.num_envs:
            raise ValueError(
                f"train_every must be a multiple of num_envs ({self.num_envs}), "
                f"got {self.train_every}."
            )
