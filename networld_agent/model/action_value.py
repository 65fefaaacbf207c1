"""What an action is worth, from what an agent knows when it acts."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from networld_agent.model.task_spec import ActionSpec

__all__ = ["ActionValue", "action_features", "feature_size"]

#: Components of more choices enter as one number.
_ONE_HOT: Final = 2048
#: Inputs are cut here, in standard deviations: beyond it lies what the data hardly shows.
_LIMIT: Final = 5.0
_ALL: Final = slice(None)


def _is_one_hot(size: int) -> bool:
    return size <= _ONE_HOT


def feature_size(action: ActionSpec) -> int:
    """Entries of `action_features`."""
    if action.kind == "box":
        return action.num_components
    return sum(size if _is_one_hot(size) else 1 for size in action.sizes)


def action_features(action: ActionSpec, actions: Tensor) -> Tensor:
    """Actions `(..., [A])` as the network reads them, `(..., F)`.

    Choices are one-hot; reals and very long lists of choices are scaled to -1 .. 1.

    Example:
        >>> action_features(ActionSpec("discrete", sizes=(3,)), torch.tensor([1])).tolist()
        [[0.0, 1.0, 0.0]]
    """
    # Bounds stay on the host: a copy to a GPU could not be captured with the decision.
    if action.kind == "box":
        bounds = zip(actions.float().unbind(-1), action.low, action.high, strict=True)
        return torch.stack([2 * (x - low) / (high - low) - 1 for x, low, high in bounds], -1)
    columns = (actions[..., None] if action.kind == "discrete" else actions) - action.start
    parts = []
    for column, size in zip(columns.unbind(-1), action.sizes, strict=True):
        if _is_one_hot(size):
            choices = torch.arange(size, device=column.device)
            parts.append((column[..., None] == choices).float())
        else:
            parts.append(2 * column[..., None].float() / (size - 1) - 1)
    return torch.cat(parts, -1)


class ActionValue(nn.Module):
    """Own observation, neighbours' mean and a whole action to a value.

    The observation, which an agent has in full, not its latent, which was made for other ends.
    Actions enter as a whole: components that are good one by one may be impossible together. The
    value is the product of an embedding of the state and one of the action, so that many actions
    cost little more than one.

    Agents of a network differ by where they stand, which an observation shows poorly; every place
    has a vector of its own. In a network of another size all agents take the mean of the vectors.

    Values are discounted sums of standardised rewards: differences between actions are what
    matters. Nothing is known of actions that the data never shows; `actions` are some that it does.

    Args:
        action: of the task.
        candidates: K, actions to choose from.
        num_agents: N of the data.
        observation_size: d.
        heard_size: D, of what is known of the neighbours.
        width: of the hidden layers and of the embeddings.
    """

    #: `(K, [A])` to choose from.
    actions: Tensor
    #: `(d + D)` of what the network sees, in its data.
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        action: ActionSpec,
        candidates: int,
        num_agents: int,
        observation_size: int,
        heard_size: int,
        width: int,
    ) -> None:
        super().__init__()
        self.action = action
        self.first = nn.Linear(observation_size + heard_size, width)
        self.places = nn.Parameter(torch.zeros(num_agents, width))
        self.rest = nn.Sequential(nn.ELU(), nn.Linear(width, width), nn.ELU())
        self.embedding = nn.Sequential(
            nn.Linear(feature_size(action), width), nn.ELU(), nn.Linear(width, width)
        )
        kind = torch.float32 if action.kind == "box" else torch.int64
        self.register_buffer("actions", torch.zeros((candidates, *action.shape), dtype=kind))
        self.register_buffer("mean", torch.zeros(observation_size + heard_size))
        self.register_buffer("std", torch.ones(observation_size + heard_size))

    def forward(self, observations: Tensor, heard: Tensor, some: Tensor | slice = _ALL) -> Tensor:
        """Values `(..., N, K)` of the candidates.

        Args:
            observations: `(..., N, d)` of all agents, as the task's encoder sees them.
            heard: `(..., N, D)` means of the neighbours' latents.
            some: of the candidates, which to rate.
        """
        rated: Tensor = self._state(observations, heard) @ self._embedded(self.actions[some]).T
        return rated.float()

    def of(self, observations: Tensor, heard: Tensor, actions: Tensor) -> Tensor:
        """Values `(..., N)` of actions `(..., N, [A])`."""
        return (self._state(observations, heard) * self._embedded(actions)).sum(-1).float()

    def _embedded(self, actions: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(action_features(self.action, actions))
        return embedded / embedded.shape[-1] ** 0.5

    def _state(self, observations: Tensor, heard: Tensor) -> Tensor:
        inputs = (torch.cat([observations, heard], -1) - self.mean) / self.std
        places: Tensor = self.places
        if inputs.shape[-2] != len(places):
            places = places.mean(0)
        state: Tensor = self.rest(self.first(inputs.clamp(-_LIMIT, _LIMIT)) + places)
        return state
