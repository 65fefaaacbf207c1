"""Options of DIMA's policy, and of its online loop."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.baselines.dima.config import PRESETS, DimaConfig
from benchmarks.baselines.mappo.config import PpoConfig
from wirelessenvs.checks import check_choice, check_real
from wirelessenvs.command import parse_overrides

__all__ = ["ImaginationConfig", "OnlineConfig"]


@dataclass(frozen=True)
class ImaginationConfig(PpoConfig):
    """Options of online and offline training, from arXiv 2505.20922 where it states them.

    Args:
        model: preset of the world model.
        model_set: "part_option=value" of the world model that differ, separated by spaces.
        starts: imagined episodes per policy update.
        horizon: H, steps of each.
        batch_size: imagined steps per batch of a policy update.
    """

    batch_size: int = 3000
    learning_rate: float = 5e-4
    hidden_size: int = 128
    clip: float = 0.1
    entropy: float = 0.001
    model: str = "paper"
    model_set: str = ""
    starts: int = 600
    horizon: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        self.world()

    def world(self) -> DimaConfig:
        """The world model's configuration.

        Raises:
            ValueError: for an unknown preset or a value out of bounds.
            TypeError: for an unknown option.
        """
        check_choice("model", self.model, tuple(PRESETS))
        return DimaConfig.from_preset(self.model, **parse_overrides(self.model_set.split()))


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
