"""Chooses a baseline's weights by held-out data, as the training of NetWorld does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from benchmarks.baselines.shared.config import TrajectoryConfig
from benchmarks.baselines.shared.offline_data import OfflineData
from networld_agent.fields import Fields

if TYPE_CHECKING:
    from benchmarks.baselines.shared.training_loop import Learner

__all__ = ["HeldOut"]

#: Batches of held-out data that weights are judged on, the same at every look.
_BATCHES: Final = 4
#: Steps of their random numbers: none of training's.
_FIRST_STEP: Final = 2**32


class HeldOut:
    """Looks at held-out data now and then, and keeps the acting weights of the least loss.

    Args:
        learner: in training.
        data: that it draws from, with something held out.
        config: of the run.
    """

    def __init__(self, learner: Learner, data: OfflineData, config: TrajectoryConfig) -> None:
        self._learner, self._config = learner, config
        with data.held_out_only():
            self._batches = [learner.batch(_FIRST_STEP + i) for i in range(_BATCHES)]
        self.best, self.best_step, self.worse = math.inf, 0, 0
        self._weights: dict[str, Tensor] = {}

    @property
    def stopped(self) -> bool:
        """Whether patience is at its end."""
        return bool(self._config.patience and self.worse >= self._config.patience)

    def after(self, step: int) -> None:
        """Looks, if it is time to, after so many updates."""
        if step % self._config.validate_every:
            return
        loss = self._loss()
        # Of equals the first: what is no better is not waited for. Not a number is no better.
        if loss < self.best:
            self.best, self.best_step, self.worse = loss, step, 0
            state = self._learner.actor.state_dict()
            self._weights = {name: tensor.clone() for name, tensor in state.items()}
        else:
            self.worse += 1

    def _loss(self) -> float:
        total = 0.0
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for number, batch in enumerate(self._batches):
                # The same noise at every look, for losses that draw some.
                torch.manual_seed(number)
                total += float(self._learner.held_out_loss(batch))
        return total / len(self._batches)

    def choose(self) -> None:
        """Gives the learner the chosen weights, if it has been judged at all."""
        if self._weights:
            self._learner.actor.load_state_dict(self._weights)

    # ------------------------------------------------------------------ checkpoint
    def tensors(self) -> dict[str, Tensor]:
        """The chosen weights."""
        return self._weights

    def state(self) -> dict[str, Any]:
        """All else, as JSON values."""
        # JSON has no infinity.
        best = None if math.isinf(self.best) else self.best
        return {"best": best, "best_step": self.best_step, "worse": self.worse}

    def restore(self, tensors: dict[str, Tensor], state: Fields) -> None:
        """Takes over what `tensors` and `state` returned."""
        self._weights = tensors
        self.best = math.inf if state.raw("best") is None else state.real("best")
        self.best_step, self.worse = state.integer("best_step", 0), state.integer("worse", 0)
