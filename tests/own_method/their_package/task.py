"""A channel that carries one packet per slot: whoever sends at the same time loses the slot."""

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv


class Channel(ParallelEnv):
    """Nodes see their own queue and how many sent in the last slot; they send or wait."""

    metadata = {"name": "channel-v0"}  # noqa: RUF012

    def __init__(self, num_nodes=3, max_steps=100):
        self.possible_agents = [f"node_{i}" for i in range(num_nodes)]
        self._max_steps = max_steps

    def observation_space(self, agent):
        return gymnasium.spaces.Box(0, np.inf, (2,), np.float32)

    def action_space(self, agent):
        return gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.agents, self._time = list(self.possible_agents), 0
        self._rng = np.random.default_rng(seed)
        self._queues, self._senders = np.ones(len(self.agents)), 0
        return self._observations(), {agent: {} for agent in self.agents}

    def step(self, actions):
        agents, self._time = self.agents, self._time + 1
        sends = np.array([actions[agent] for agent in agents]) * (self._queues > 0)
        self._senders = int(sends.sum())
        self._queues -= sends if self._senders == 1 else 0
        self._queues += self._rng.random(len(agents)) < 0.8 / len(agents)
        rewards = dict.fromkeys(agents, -float(self._queues.mean()))
        over = dict.fromkeys(agents, self._time == self._max_steps)
        never, infos = dict.fromkeys(agents, False), {agent: {} for agent in agents}
        if self._time == self._max_steps:
            self.agents = []
        return self._observations(), rewards, never, over, infos

    def _observations(self):
        seen = [np.array([queue, self._senders], np.float32) for queue in self._queues]
        return dict(zip(self.possible_agents, seen, strict=True))
