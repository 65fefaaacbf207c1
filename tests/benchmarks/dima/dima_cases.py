"""Small worlds that DIMA's tests share."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from benchmarks.baselines.dima.config import DimaConfig
from benchmarks.baselines.dima.sequences import Context, Sequences, WorldSpec

DISCRETE = WorldSpec("discrete", num_agents=3, state_size=5, observation_size=4, num_choices=6)
REAL = WorldSpec("real", num_agents=2, state_size=5, observation_size=4, action_size=2)


def tiny(**overrides):
    return DimaConfig.from_preset("tiny", **overrides)


def learner_of(model):
    """A model as the learner that a checkpoint holds."""
    return SimpleNamespace(module=model, optimizers=tuple(model.optimizers.values()))


def random_actions(spec, *shape):
    if spec.discrete:
        return torch.randint(spec.num_choices, (*shape, spec.num_agents))
    return torch.rand(*shape, spec.num_agents, spec.action_size) * 2 - 1


def random_sequences(spec, rows, steps):
    states = 3 + 2 * torch.randn(rows, steps + 1, spec.state_size)
    return Sequences(
        states=states,
        observations=states[:, :, None, : spec.observation_size].repeat(1, 1, spec.num_agents, 1),
        actions=random_actions(spec, rows, steps),
        rewards=states[:, :-1].mean(-1),
        terminated=torch.rand(rows, steps) < 0.1,
        valid=torch.ones(rows, steps, dtype=torch.bool),
    )


def random_batches(model, spec):
    return {
        part: random_sequences(spec, shape.rows, shape.steps)
        for part, shape in model.batches().items()
    }


def random_context(spec, rows, size=3):
    piece = random_sequences(spec, rows, size)
    return Context(piece.states[:, :size], piece.actions[:, : size - 1], piece.valid)


class LinearTeam:
    """s' = 0.7 s + sum_k B_k a_k + noise: every agent's effect is known."""

    def __init__(self, spec: WorldSpec, noise: float) -> None:
        generator = torch.Generator().manual_seed(7)
        shape = (spec.num_agents, spec.action_size, spec.state_size)
        self.spec, self.noise = spec, noise
        self.effects = torch.randn(shape, generator=generator) * 0.6

    def next_states(self, states, actions):
        drift = 0.7 * states + torch.einsum("...na,nas->...s", actions, self.effects)
        return drift + self.noise * torch.randn_like(states)

    def sequences(self, rows, steps):
        states, actions = [torch.randn(rows, self.spec.state_size)], []
        for _ in range(steps):
            actions.append(random_actions(self.spec, rows))
            states.append(self.next_states(states[-1], actions[-1]))
        stacked = torch.stack(states, 1)
        seen = stacked[:, :, None, : self.spec.observation_size]
        return Sequences(
            states=stacked,
            observations=seen.repeat(1, 1, self.spec.num_agents, 1),
            actions=torch.stack(actions, 1),
            rewards=stacked[:, :-1].sum(-1),
            terminated=torch.zeros(rows, steps, dtype=torch.bool),
            valid=torch.ones(rows, steps, dtype=torch.bool),
        )
