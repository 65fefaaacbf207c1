"""The whole world model: normalisation, next state, reward and termination, observations.

model = WorldModel(spec, DimaConfig.from_preset("wireless"))
model.observe(states, observations, rewards)              # every real step, once
losses = model.update({"denoiser": ..., "reward": ..., "state": ...})
model.begin(context)
imagined = model.step(actions)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.config import BatchShape, DimaConfig
from benchmarks.baselines.dima.sequences import Context, Sequences, WorldSpec

__all__ = ["ImaginedStep", "WorldModel"]


class ImaginedStep(NamedTuple):
    """What one imagined step returns; ordinary tensors without gradients.

    Args:
        state: `(B, S)` in the environment's units.
        observations: `(B, n, O)` in the environment's units.
        reward: `(B,)` in the environment's units.
        termination: `(B,)` probability that the state ends the episode for good.
    """

    state: Tensor
    observations: Tensor
    reward: Tensor
    termination: Tensor


class WorldModel(nn.Module):
    """A learned environment.

    Random numbers are torch's global ones: seed these before each call for runs that can be
    repeated or resumed (`torch.manual_seed`, as `benchmarks.baselines.training_loop` does).

    Args:
        spec: of the environment.
        config: sizes and choices.
    """

    #: Names of the parts, each with its own optimiser.
    PARTS = ("denoiser", "reward", "state")

    def __init__(self, spec: WorldSpec, config: DimaConfig) -> None:
        super().__init__()
        self.spec, self.config = spec, config

    # ---------------------------------------------------------------- training
    def batches(self) -> dict[str, BatchShape]:
        """Rows B and steps L of the `Sequences` that an update of each part takes.

        Pieces for "denoiser" should end at every step of an episode alike: a piece that would
        begin before the episode does is padded on the left. Pieces for "reward" may be padded on
        either side.
        """
        return self.config.batches()

    def observe(self, states: Tensor, observations: Tensor, rewards: Tensor) -> None:
        """Takes real steps into the running statistics; each step is to be given once.

        Args:
            states: `(..., S)`.
            observations: `(..., n, O)`.
            rewards: `(...)`.
        """
        raise NotImplementedError

    def update(self, batches: Mapping[str, Sequences]) -> dict[str, Tensor]:
        """One optimiser step of every part that has a batch.

        Args:
            batches: by part's name, any of `PARTS`; of shapes as in `batches()`.

        Returns:
            Scalars for a log: "denoiser_loss", "reward_loss", "termination_loss", "state_loss",
            and each part's gradient norm before clipping, "denoiser_gradient", ...

        Raises:
            ValueError: for an unknown part or a batch of other shapes than the environment's.
        """
        raise NotImplementedError

    # -------------------------------------------------------------- imagination
    def begin(self, context: Context) -> None:
        """Starts B imagined episodes after real steps."""
        raise NotImplementedError

    def step(self, actions: Tensor) -> ImaginedStep:
        """Goes on by one step in all imagined episodes.

        Args:
            actions: `(B, n, A)` in [-1, 1], or `(B, n)` integers from 0.

        Raises:
            RuntimeError: before `begin`.
        """
        raise NotImplementedError

    def scaled_states(self, states: Tensor) -> Tensor:
        """0.5 s_n `(..., S)` of states in the environment's units, as the networks see them."""
        raise NotImplementedError

    def decode(self, states: Tensor) -> Tensor:
        """Observations `(..., n, O)` of states `(..., S)`, both in the environment's units."""
        raise NotImplementedError

    # -------------------------------------------------------------------- files
    def save(self, folder: Path) -> Path:
        """Writes weights and statistics, whole or not at all; returns the folder."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path, spec: WorldSpec | None = None) -> Self:
        """Reads what `save` wrote; it can imagine, and be trained anew.

        Raises:
            ModelError: naming the file and its fault, or if the model is of another environment
                than `spec`.
        """
        raise NotImplementedError

    def checkpoint(self) -> dict[str, Tensor]:
        """All that training needs to go on exactly: weights, statistics, optimisers, counters."""
        raise NotImplementedError

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `checkpoint` returned; other entries are ignored."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where the weights are; give batches and contexts there."""
        raise NotImplementedError
