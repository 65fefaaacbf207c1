"""What learns while it acts: rounds of some steps in environments, then updates."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np
import torch

from benchmarks.baselines.shared.policy import BaselinePolicy
from benchmarks.baselines.shared.training_loop import Counters, Trainable, add_values

__all__ = ["OnlineLearner"]


class OnlineLearner(Trainable):
    """What online training changes, and one round of it; its memory is where environments are.

    Attributes:
        env_steps: taken so far in single environments, all environments counted; `start` sets it.
    """

    unit = "steps"
    env_steps: int

    @abstractmethod
    def round(self) -> dict[str, float]:
        """Acts for some steps and learns from them; numbers for the log.

        Torch's global random numbers are seeded by configuration and round before each call.
        """

    @abstractmethod
    def policy(self) -> BaselinePolicy:
        """The policy as it is now."""

    def save_models(self, folder: Path) -> None:
        """Saves what else was learnt, when a run ends; a world model, say.

        Args:
            folder: of the run.
        """

    def advance(self, at: Counters, seed: int, sums: dict[str, float]) -> None:
        """One round; the run's steps are those of the environments."""
        torch.manual_seed(_round_seed(seed, at.rounds))
        values = self.round()
        at.step, at.rounds = self.env_steps, at.rounds + 1
        add_values(sums, values, at.step)


def _round_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index, 2]).generate_state(1)[0])
