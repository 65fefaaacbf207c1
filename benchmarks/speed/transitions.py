"""Learners of single transitions on random ones, at the sizes that other libraries are timed at."""

from __future__ import annotations

from typing import Final

import torch

from benchmarks.baselines.bc import BCConfig
from benchmarks.baselines.cql.method import CQLConfig
from benchmarks.baselines.iql import IQLConfig
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.training_loop import Learner
from benchmarks.baselines.shared.transitions import TransitionBatch
from benchmarks.validation.fitting import learner_of
from networld_agent.model.task_spec import ActionSpec

__all__ = ["KINDS", "METHODS", "transitions_learner"]

#: Kinds of actions.
KINDS: Final = {
    "discrete (11)": ActionSpec("discrete", sizes=(11,)),
    "box (6)": ActionSpec("box", low=(-1.0,) * 6, high=(1.0,) * 6),
}
METHODS: Final = {"bc": BCConfig, "iql": IQLConfig, "cql": CQLConfig}


def transitions_learner(method: str, kind: str, batch_size: int) -> Learner:
    """The learner of a method at its defaults, on observations of 40 entries."""
    source = _RandomTransitions(ActionCodec(KINDS[kind]), batch_size)
    return learner_of(source, METHODS[method]())


class _RandomTransitions:
    """Gaussian observations and rewards, uniform actions.

    Args:
        codec: of the actions.
        batch_size: B.
    """

    input_size = 40

    def __init__(self, codec: ActionCodec, batch_size: int) -> None:
        self.codec, self._batch_size = codec, batch_size

    def __call__(self, step: int) -> TransitionBatch:
        """The batch of a step."""
        rows, generator = self._batch_size, torch.Generator().manual_seed(step)
        inputs = torch.randn(2, rows, self.input_size, generator=generator)
        if self.codec.discrete:
            actions = torch.randint(self.codec.num_choices, (rows,), generator=generator)
        else:
            actions = torch.rand(rows, self.codec.size, generator=generator) * 2 - 1
        rewards = torch.randn(rows, generator=generator)
        return TransitionBatch(inputs[0], actions, rewards, inputs[1], torch.ones(rows))
