"""A deterministic model of one step, to compare with: several small networks and their mean."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.dima.config import BatchShape
from benchmarks.baselines.dima.imagination import flat_actions
from benchmarks.baselines.dima.sequences import Context, WorldSpec
from benchmarks.baselines.dima.state_normaliser import StateNormaliser
from benchmarks.studies.dima_diagnosis.recording import Recording

__all__ = ["StepEnsemble"]

_MEMBERS: Final = 5
_HIDDEN: Final = 256
_RATE: Final = 1e-3


class StepEnsemble(nn.Module):
    """Each member predicts the change of the normalised state from state and joint action.

    Members differ in their weights at the start and in their batches; there is no noise.

    Args:
        spec: of the environment.
        limit: greatest magnitude of a normalised entry.
    """

    def __init__(self, spec: WorldSpec, limit: float) -> None:
        super().__init__()
        self._spec, self._limit = spec, limit
        self.states = StateNormaliser(spec.state_size, limit)
        inputs = spec.state_size + spec.num_agents * (spec.num_choices or spec.action_size)
        self.members = nn.ModuleList(
            nn.Sequential(
                nn.Linear(inputs, _HIDDEN), nn.SiLU(),
                nn.Linear(_HIDDEN, _HIDDEN), nn.SiLU(),
                nn.Linear(_HIDDEN, spec.state_size),
            )
            for _ in range(_MEMBERS)
        )  # fmt: skip

    def fit(self, data: Recording, updates: int, rows: int, seed: int) -> None:
        """Learns from recorded play.

        Args:
            data: whose states set the scale.
            updates: of every member.
            rows: steps per update.
            seed: of batches.
        """
        self.states.update(data.states[:, :-1])
        rng = np.random.default_rng([seed, 4])
        optimizer = torch.optim.AdamW(self.parameters(), _RATE)
        for _ in range(updates):
            loss = torch.zeros(())
            for member in self.members:
                piece = data.sequences(BatchShape(rows, 1), rng)
                present, following = self.states(piece.states).unbind(1)
                change = member(self._inputs(present, piece.actions[:, 0]))
                loss = loss + (change - (following - present)).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    def begin(self, context: Context) -> None:
        """Starts imagined episodes after real steps; only the present state is seen."""
        self._present = self.states(context.states[:, -1])

    @torch.no_grad()
    def step(self, actions: Tensor) -> Tensor:
        """Goes on by one step: states `(B, S)` in the environment's units."""
        inputs = self._inputs(self._present, actions)
        change = torch.stack([member(inputs) for member in self.members]).mean(0)
        self._present = (self._present + change).clamp(-self._limit, self._limit)
        return self.states.inverse(self._present)

    def _inputs(self, present: Tensor, actions: Tensor) -> Tensor:
        return torch.cat([present, flat_actions(self._spec, actions)], -1)
