"""A team environment whose dynamics are linear, and a model of it that is right by construction."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from benchmarks.baselines.dima.config import DenoiserConfig
from benchmarks.baselines.dima.sequences import WorldSpec
from benchmarks.baselines.dima.state_normaliser import StateNormaliser
from benchmarks.baselines.dima.world_model import ImaginedStep
from benchmarks.baselines.online.team_env import TeamEnv
from networld_agent.model.task_spec import ActionSpec

SPEC = WorldSpec("linear", num_agents=2, state_size=3, observation_size=3, action_size=2)
DRIFT = 0.9
EFFECTS = np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32)


def bonus(actions):
    """Agent 1's first component earns twice what agent 0's does."""
    return actions[..., 0, 0] + 2 * actions[..., 1, 0]


class LinearEnv(TeamEnv):
    """s' = 0.9 s + sum_k B_k a_k + noise of the episode's seed; ends after `length` steps.

    The reward is the sum of s, and `pay` times a bonus for the actions.
    """

    def __init__(self, batch, length=100, noise=0.3, pay=0.0):
        self.task, self.batch, self.num_agents = "linear", batch, 2
        self.observation_size = self.state_size = 3
        self.action = ActionSpec("box", low=(-1.0, -1.0), high=(1.0, 1.0))
        self.length, self.noise, self.pay = length, noise, pay
        self.states = np.zeros((batch, 3), np.float32)
        self.elapsed = np.zeros(batch, np.int64)
        self.rngs = [np.random.default_rng(0)] * batch
        super().__init__()

    def _begin(self, seeds):
        for env, seed in enumerate(seeds):
            if seed is not None:
                self.rngs[env] = np.random.default_rng(seed)
                self.states[env] = self.rngs[env].normal(size=3)
                self.elapsed[env] = 0

    def _advance(self, actions, active):
        reward = self.states.sum(1) + self.pay * bonus(actions).astype(np.float64)
        for env in np.flatnonzero(active):
            noise = self.noise * self.rngs[env].normal(size=3)
            self.states[env] = (
                DRIFT * self.states[env] + np.einsum("na,nas->s", actions[env], EFFECTS) + noise
            )
            self.elapsed[env] += 1
        over = self.elapsed >= self.length
        return reward, np.zeros(self.batch, np.bool_), over

    def _look(self):
        return np.repeat(self.states[:, None], 2, 1), self.states.copy()


class KnowingModel:
    """Predicts without noise; effects of actions are multiplied by `share`, rewards are more."""

    def __init__(self, share=1.0, heeds_order=False, pay=0.0, more=0.0):
        self.spec, self.share, self.heeds_order = SPEC, share, heeds_order
        self.pay, self.more = pay, more
        self.config = SimpleNamespace(denoiser=DenoiserConfig())
        self.states, self.observations = StateNormaliser(3, 1e3), StateNormaliser(6, 1e3)
        self.rewards = StateNormaliser(1, 1e3)
        self.denoiser = SimpleNamespace(sample=self._sample)

    def eval(self):
        return self

    def scaled_states(self, states):
        return 0.5 * self.states(states)

    def _next(self, states, actions):
        moved = torch.einsum("bna,nas->bs", actions, torch.from_numpy(EFFECTS))
        return DRIFT * states + self.share * moved

    def _sample(self, states, actions, valid, order, noise):
        present = self.states.inverse(states[:, -1] / 0.5)
        shift = 0.1 * order[:, :1] if self.heeds_order else 0
        return self.scaled_states(self._next(present, actions[:, -1])) + shift

    def reward_of(self, states, actions):
        return states.sum(1) + self.share * self.pay * bonus(actions) + self.more

    def begin(self, context):
        self.present = context.states[:, -1]

    def step(self, actions):
        reward = self.reward_of(self.present, actions)
        self.present = self._next(self.present, actions)
        seen = self.present[:, None].expand(-1, 2, -1)
        return ImaginedStep(self.present, seen, reward, torch.zeros(len(reward)))
