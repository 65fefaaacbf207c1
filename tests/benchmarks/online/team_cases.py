"""Small teams with known answers."""

import gymnasium
import numpy as np

from benchmarks.baselines.online.team_env import TeamEnv
from networld_agent.model.task_spec import ActionSpec


class Countdown:
    """A parallel environment: two agents, five choices or reals; ends after `length` steps.

    Observation: (time, own last action). Reward of agent i: its own action times (i + 1).
    """

    def __init__(self, length=4, terminates=False, box=False, **flaws):
        self.possible_agents = ["a", "b"]
        self.length, self.terminates, self.box, self.flaws = length, terminates, box, flaws

    def observation_space(self, agent):
        wide = 3 if agent == "b" and "observation" in self.flaws else 2
        return gymnasium.spaces.Box(-9, 9, (wide,))

    def action_space(self, agent):
        if self.box:
            return gymnasium.spaces.Box(np.float32([-2]), np.float32([6]))
        return gymnasium.spaces.Discrete(4 if agent == "b" and "action" in self.flaws else 5)

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.time, self.last = 0, dict.fromkeys(self.agents, 0.0)
        self.offset = np.random.default_rng(seed).random()
        return self._observations(), {}

    def step(self, actions):
        self.time += 1
        self.last = {agent: float(np.ravel(actions[agent])[0]) for agent in self.agents}
        rewards = {"a": self.last["a"], "b": 2 * self.last["b"]}
        over = self.time >= self.length
        ended = dict.fromkeys(self.agents, over and self.terminates)
        cut = dict.fromkeys(self.agents, over and not self.terminates)
        seen = self._observations()
        if over:
            self.agents = []
        elif "leaves" in self.flaws:
            self.agents = ["a"]
        return seen, rewards, ended, cut, {}

    def _observations(self):
        return {a: np.float32([self.time, self.last[a]]) for a in self.possible_agents}

    def state(self):
        return np.array([self.time, *self.last.values(), self.offset], np.float64)


class Stateless(Countdown):
    """The same without a state."""

    def __getattribute__(self, name):
        if name == "state":
            raise AttributeError(name)
        return super().__getattribute__(name)


class MatrixGame(TeamEnv):
    """Two agents, three choices, one step. Reward: a matrix of the joint action."""

    REWARDS = np.array([[4.0, 0.0, 0.0], [0.0, 2.0, 6.0], [0.0, 8.0, 7.0]])

    def __init__(self, batch):
        self.task, self.batch, self.num_agents = "matrix", batch, 2
        self.observation_size, self.state_size = 2, 1
        self.action = ActionSpec("discrete", sizes=(3,))
        super().__init__()

    def _begin(self, seeds):
        pass

    def _advance(self, actions, active):
        everywhere = np.ones(self.batch, bool)
        return self.REWARDS[actions[:, 0], actions[:, 1]], everywhere, ~everywhere

    def _look(self):
        # Agents of a matrix game must differ to play differently: they see who they are.
        rows = np.tile(np.eye(2, dtype=np.float32), (self.batch, 1, 1))
        return rows, np.zeros((self.batch, 1), np.float32)


class Target(TeamEnv):
    """One agent, one real, one step. Reward: minus the squared distance to a known point."""

    POINT = 0.6

    def __init__(self, batch):
        self.task, self.batch, self.num_agents = "target", batch, 1
        self.observation_size, self.state_size = 1, 1
        self.action = ActionSpec("box", low=(-10.0,), high=(10.0,))
        super().__init__()

    def _begin(self, seeds):
        pass

    def _advance(self, actions, active):
        everywhere = np.ones(self.batch, bool)
        return -((actions[:, 0, 0] / 10 - self.POINT) ** 2), everywhere, ~everywhere

    def _look(self):
        ones = np.ones((self.batch, 1, 1), np.float32)
        return ones, ones[:, 0]
