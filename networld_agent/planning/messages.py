"""What agents hear from each other: the neighbours' mean, and what it costs to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["FLOAT_BYTES", "MessageCount", "adjacency_of", "mean_weights"]

FLOAT_BYTES: Final = 4


def adjacency_of(graph: Any, num_envs: int, num_agents: int) -> NDArray[np.bool_]:
    """`(B, N, N)` who hears whom, from whatever describes it.

    Args:
        graph: something with an `adjacency`, or the matrix itself, `(N, N)` or `(B, N, N)`, with a
            true entry [i, j] where i hears j.
        num_envs: B.
        num_agents: N.

    Raises:
        ValueError: for another shape, or an agent that is its own neighbour.
    """
    adjacency = np.asarray(getattr(graph, "adjacency", graph))
    shape = (num_envs, num_agents, num_agents)
    if adjacency.shape not in (shape, shape[1:]):
        raise ValueError(
            f"graph must have an adjacency of shape {shape[1:]} or {shape}, got {adjacency.shape}."
        )
    adjacency = np.broadcast_to(adjacency != 0, shape)
    if np.diagonal(adjacency, axis1=1, axis2=2).any():
        raise ValueError("graph must not make an agent its own neighbour.")
    return adjacency


def mean_weights(adjacency: NDArray[np.bool_], device: torch.device) -> Tensor:
    """`(B, N, N)` matrices whose product with `(B, N, D)` latents is the neighbours' mean.

    An isolated agent's row is zero, and so is its mean.
    """
    degrees = np.maximum(adjacency.sum(-1, keepdims=True), 1)
    return torch.as_tensor((adjacency / degrees).astype(np.float32), device=device)


@dataclass
class MessageCount:
    """Communication so far.

    An agent sends its latent once per plan, by broadcast, if anyone hears it. Over links to single
    receivers it would send one copy to each.

    Args:
        agent_steps: actions taken, over all agents and environments.
        broadcasts: latents sent.
        receptions: latents received.
        message_bytes: size of one latent.
    """

    message_bytes: int
    agent_steps: int = 0
    broadcasts: int = 0
    receptions: int = 0

    def count_round(self, adjacency: NDArray[np.bool_]) -> None:
        """One round of messages in the environments `(B, N, N)` that plan."""
        self.broadcasts += int(adjacency.any(-2).sum())
        self.receptions += int(adjacency.sum())

    @property
    def bytes_per_step(self) -> float:
        """Bytes that an agent sends per step, by broadcast, on average."""
        return self.message_bytes * self.broadcasts / max(self.agent_steps, 1)

    @property
    def unicast_bytes_per_step(self) -> float:
        """The same over links to single receivers."""
        return self.message_bytes * self.receptions / max(self.agent_steps, 1)
