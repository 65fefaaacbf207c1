"""Observations as the baselines' networks see them: symlog, then standardised on the data."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.baselines.shared.offline_data import OfflineData, Places
from networld_agent.model.mean_field import mean_weights
from networld_agent.model.symlog import symlog

__all__ = ["ObservationScaling"]

#: Standardised entries beyond it count as it. A policy that drifts out of its data must not be led
#: by the one entry that has left it: an expert's data shows no long queues, and clones that see one
#: as 10 deviations stay stuck there (mean reward of bc on rb-expert: -5.8, with 3 -2.0).
_LIMIT: Final = 3.0


class ObservationScaling(nn.Module):
    """symlog, then mean 0 and deviation 1 in every entry, limited to ±3.

    Args:
        size: entries d of an observation.
        mean_field: whether the mean over the neighbours' scaled observations is appended.
        places: N agents whose index, one-hot, is appended; 0 for none.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int, mean_field: bool = False, places: int = 0) -> None:
        super().__init__()
        self.size, self.mean_field, self.places = size, mean_field, places
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    @classmethod
    def of_data(
        cls, data: OfflineData, mean_field: bool = False, agent_ids: bool = False
    ) -> ObservationScaling:
        """The scaling that standardises this data.

        Raises:
            ValueError: if indices are asked for and data of many networks is given.
        """
        places = data.num_places if agent_ids else 0
        scaling = cls(data.observation_size, mean_field, places)
        rows = torch.from_numpy(data.sample_rows())
        scaled = symlog(rows).double()
        deviation = scaled.std(0, correction=0)
        scaling.mean.copy_(scaled.mean(0))
        # An entry that never changes carries nothing: any scale will do.
        scaling.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))
        return scaling

    @property
    def input_size(self) -> int:
        """Entries k of a network's input: d, or 2 d with the neighbours' mean, and N of indices."""
        return self.size * (2 if self.mean_field else 1) + self.places

    def forward(self, observations: Tensor) -> Tensor:
        """`(..., d)` in the environment's units to `(..., d)` in [-3, 3]."""
        scaled = (symlog(observations) - self.mean) / self.deviation
        return scaled.clamp(-_LIMIT, _LIMIT)

    def joint_inputs(
        self, observations: NDArray[np.float32], adjacency: NDArray[np.bool_] | None
    ) -> Tensor:
        """Inputs `(B, N, k)` of all agents, from `(B, N, d)` and who hears whom `(B, N, N)`.

        Raises:
            ValueError: if the neighbours are needed and not given.
        """
        scaled: Tensor = self(torch.from_numpy(np.array(observations, np.float32)))
        parts = [scaled]
        if self.mean_field:
            if adjacency is None:
                raise ValueError("a policy with mean_field needs the adjacency of the agents.")
            weights = mean_weights(torch.from_numpy(np.array(adjacency)))
            parts.append(weights @ scaled)
        if self.places:
            agents = scaled.shape[1]
            known = agents == self.places
            ids = torch.eye(agents) if known else torch.full((agents, self.places), 1 / self.places)
            parts.append(ids.expand(len(scaled), -1, -1))
        return torch.cat(parts, -1)

    def inputs(self, data: OfflineData, places: Places, length: int) -> Tensor:
        """Inputs `(B, L, k)` of single agents, from the data."""
        own: Tensor = self(torch.from_numpy(data.observations(places, length)))
        parts = [own]
        if self.mean_field:
            parts.append(self._heard(data, places, length).view_as(own))
        if self.places:
            assert places.agents is not None
            agents = torch.from_numpy(places.agents)
            ids = nn.functional.one_hot(agents, self.places).to(own.dtype)
            parts.append(ids[:, None].expand(-1, length, -1))
        return torch.cat(parts, -1)

    def _heard(self, data: OfflineData, places: Places, length: int) -> Tensor:
        """`(B L, d)` means of the neighbours' scaled observations."""
        row, step, heard, weights = data.heard(places, length)
        shares = torch.from_numpy(weights)[:, None]
        flat = torch.zeros(len(places.starts) * length, self.size)
        return flat.index_add_(
            0, torch.from_numpy(row * length + step), self(torch.from_numpy(heard)) * shares
        )
