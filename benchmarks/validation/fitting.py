"""What the proofs share: data in one batch, and learners that are trained without files."""

from __future__ import annotations

from typing import Any, TypeVar

from benchmarks.baselines.bc import BCConfig, BCLearner
from benchmarks.baselines.cql.method import CQLConfig, cql_learner
from benchmarks.baselines.iql import IQLConfig, IQLLearner
from benchmarks.baselines.shared.action_codec import ActionCodec
from benchmarks.baselines.shared.config import BaselineConfig
from benchmarks.baselines.shared.training_loop import Learner
from benchmarks.baselines.shared.transitions import TransitionBatch, TransitionSource

__all__ = ["OneBatch", "fitted", "learner_of", "updated"]

L = TypeVar("L", bound=Learner)


class OneBatch:
    """All of the data in one batch, the same at every step.

    Args:
        codec: of the actions.
        batch: the data.
    """

    def __init__(self, codec: ActionCodec, batch: TransitionBatch) -> None:
        self.codec, self.batch = codec, batch
        self.input_size = batch.inputs.shape[1]

    def __call__(self, step: int) -> TransitionBatch:  # noqa: ARG002
        """The batch."""
        return self.batch


def updated(learner: L, updates: int) -> L:
    """The learner after so many updates."""
    for step in range(updates):
        learner.update(learner.batch(step), step)
    return learner


def learner_of(source: TransitionSource, config: BaselineConfig) -> Any:
    """The learner of BC, CQL or IQL, whichever the options are of."""
    if isinstance(config, BCConfig):
        return BCLearner(source, config)
    if isinstance(config, IQLConfig):
        return IQLLearner(source, config)
    assert isinstance(config, CQLConfig)
    return cql_learner(source, config)


def fitted(source: TransitionSource, config: BaselineConfig) -> Any:
    """The same after its updates."""
    return updated(learner_of(source, config), config.steps)
