"""Episodes that end for good: learnt from real steps, and respected in imagination."""

import numpy as np
import pytest
import torch
from dima_cases import tiny

from benchmarks.baselines.dima.imagination import critic_size, imagine
from benchmarks.baselines.dima.online import DimaLearner
from benchmarks.baselines.dima.policy_config import OnlineConfig
from benchmarks.baselines.mappo.actor import TeamActor
from benchmarks.baselines.mappo.ppo import TeamPPO
from benchmarks.baselines.online.team_env import TeamEnv
from benchmarks.baselines.shared.training_loop import Counters
from networld_agent.model.task_spec import ActionSpec


class Pole(TeamEnv):
    """Two agents hold an unstable point: x' = 1.1 x + 0.2 (a_1 + a_2); it falls beyond |x| = 1.

    Every step earns 1: only what ends an episode tells good from bad.
    """

    def __init__(self, batch):
        self.task, self.batch, self.num_agents = "pole", batch, 2
        self.observation_size = self.state_size = 1
        self.action = ActionSpec("box", low=(-1.0,), high=(1.0,))
        self.x, self.age = np.zeros(batch, np.float32), np.zeros(batch, np.int64)
        super().__init__()

    def _begin(self, seeds):
        for env, seed in enumerate(seeds):
            if seed is not None:
                self.x[env] = np.random.default_rng(seed).uniform(-0.5, 0.5)
                self.age[env] = 0

    def _advance(self, actions, active):
        moved = 1.1 * self.x + 0.2 * actions[:, :, 0].sum(1)
        self.x = np.where(active, moved, self.x).astype(np.float32)
        self.age += active
        fallen = np.abs(self.x) > 1
        return np.ones(self.batch), fallen, (self.age >= 60) & ~fallen

    def _look(self):
        return np.repeat(self.x[:, None, None], 2, 1), self.x[:, None].copy()


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    config = OnlineConfig(
        model=tiny(denoiser_offset_noise=0.1, denoiser_rollout_steps=1), num_envs=10, prefill=1000,
        train_every=200, model_updates=60, policy_updates=4, starts=60, horizon=10, batch_size=200,
        epochs=4, gamma=0.95, hidden_size=32, learning_rate=3e-3, clip=0.2, device="cpu",
    )  # fmt: skip
    made = DimaLearner(Pole(10), config, tmp_path_factory.mktemp("pole"))
    made.start(Counters(), None)
    for index in range(9):
        torch.manual_seed(index)
        made.round()
    return made


def lives(learner, act):
    """Mean number of steps until an episode ends."""
    env = Pole(20)
    observations, _ = env.reset(99)
    steps, running = np.zeros(20), np.ones(20, bool)
    while running.any():
        step = env.step(act(observations))
        steps += running
        running &= ~(step.terminated | step.truncated)
        observations = step.observations
    return steps.mean()


def test_the_model_knows_which_actions_end_an_episode(learner):
    """By the reward-and-termination model alone, at states on both sides of the bound."""
    states = torch.linspace(-0.95, 0.95, 39).repeat_interleave(9)[:, None]
    pushes = torch.linspace(-1, 1, 9).repeat(39)
    actions = pushes[:, None, None].expand(-1, 2, 1).contiguous()
    led_to = 1.1 * states[:, 0] + 0.4 * pushes
    clear = (led_to.abs() - 1).abs() > 0.15
    memory = learner.model.reward.begin(len(states))
    learner.model.eval()
    with torch.no_grad():
        scaled = learner.model.scaled_states(states)
        _, ended = learner.model.reward.extend(scaled, actions, memory)
    right = (ended > 0.5) == (led_to.abs() > 1)
    assert (led_to[clear].abs() > 1).sum() > 20
    beyond = led_to.abs() > 1
    assert right[clear & beyond].float().mean() > 0.9
    assert right[clear & ~beyond].float().mean() > 0.9


def test_imagined_episodes_end_where_the_point_falls(learner):
    start = learner._replay.starts(200, 3, np.random.default_rng(0))
    torch.manual_seed(0)
    # Of random weights: the policy that was learnt does not fall.
    actor = TeamActor.of(1, learner.env.codec, learner.config)
    ppo = TeamPPO(actor, critic_size(learner.model, learner.config), learner.config)
    found = imagine(learner.model, ppo, learner.scaling, start, 10)
    # The critic sees 0.5 s_n of the state that a step led to; beyond the bound nothing goes on.
    normaliser = learner.model.states
    led_to = normaliser.inverse(found.critic_inputs[1:, :, :1] / 0.5)[..., 0]
    alive = found.alive
    assert found.terminated[alive].sum() > 30
    assert (led_to[alive & ~found.terminated].abs() < 1.15).float().mean() > 0.97
    assert (led_to[alive & found.terminated].abs() > 0.85).float().mean() > 0.9


def test_a_policy_learns_to_live_from_ends_alone(learner):
    policy = learner.policy()
    rng = np.random.default_rng(1)
    learnt = lives(learner, lambda seen: policy.codec.encode(policy.act_on(seen)).numpy())
    random = lives(learner, lambda _: rng.uniform(-1, 1, (20, 2, 1)).astype(np.float32))
    still = lives(learner, lambda _: np.zeros((20, 2, 1), np.float32))
    assert max(random, still) < 30
    assert learnt > 55
