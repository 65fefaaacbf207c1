"""Pieces of episodes against a plain list of everything that happened."""

import numpy as np
import pytest
import torch

from benchmarks.baselines.dima.config import BatchShape
from benchmarks.baselines.dima.dataset_memory import DatasetMemory
from benchmarks.baselines.dima.replay import Replay
from benchmarks.baselines.online.collector import Collector
from benchmarks.baselines.online.team_env import TeamEnv
from networld_agent.model.task_spec import ActionSpec


class Counters(TeamEnv):
    """Environments of their own lengths, some of which end for good; the state says all."""

    LENGTHS = (3, 5, 8)

    def __init__(self, box=False):
        self.task, self.batch, self.num_agents = "counters", 3, 2
        self.observation_size, self.state_size = 2, 3
        self.action = (
            ActionSpec("box", low=(-2.0,), high=(2.0,))
            if box
            else ActionSpec("discrete", sizes=(4,))
        )
        self._time = np.zeros(3, np.int64)
        self._number = np.full(3, -1, np.int64)
        super().__init__()

    def _begin(self, seeds):
        for env, seed in enumerate(seeds):
            if seed is not None:
                self._time[env], self._number[env] = 0, self._number[env] + 1

    def _advance(self, actions, active):
        self._time += active
        over = active & (self._time >= self.LENGTHS)
        ends = np.array([True, False, False])
        return self._time + 0.5, over & ends, over & ~ends

    def _look(self):
        state = np.stack([np.arange(3), self._number, self._time], 1).astype(np.float32)
        rows = np.stack([state[:, 1:], state[:, 1:] + 100], 1)
        return rows, state


def random_act(env):
    def act(observations):
        shape = observations.shape[:2]
        if env.codec.discrete:
            return torch.randint(4, shape), torch.zeros(shape)
        return 3 * torch.rand(*shape, 1) - 1.5, torch.zeros(shape)

    return act


def played(rounds=4, steps=6, box=False):
    """Environment, replay memory and all rollouts."""
    torch.manual_seed(0)
    env = Counters(box)
    collector, replay = Collector(env, 0), Replay(env)
    collector.start()
    rollouts = []
    for _ in range(rounds):
        rollouts.append(collector.collect(random_act(env), steps))
        replay.add(rollouts[-1])
    return env, replay, rollouts


def history(rollouts):
    """Steps of each environment: (episode, time) to action, reward, terminated."""
    steps = {}
    for rollout in rollouts:
        for t in range(rollout.rewards.shape[0]):
            for b in range(rollout.rewards.shape[1]):
                env, number, time = rollout.states[t, b].int().tolist()
                steps[env, number, time] = (
                    rollout.actions[t, b].clamp(
                        -1.0 if rollout.actions.is_floating_point() else 0,
                        1.0 if rollout.actions.is_floating_point() else 9,
                    ),
                    rollout.rewards[t, b].item(),
                    rollout.terminated[t, b].item(),
                )
    return steps


@pytest.mark.parametrize("box", [False, True])
@pytest.mark.parametrize(("part", "length"), [("denoiser", 5), ("reward", 7), ("state", 1)])
def test_every_step_of_a_piece_is_one_that_happened(part, length, box):
    _, replay, rollouts = played(box=box)
    steps = history(rollouts)
    assert len(replay) == 4 * 6 * 3 == len(steps)
    batch = replay.batch(part, BatchShape(400, length), np.random.default_rng(0))
    seen = set()
    for row in range(400):
        for t in range(length):
            if not batch.valid[row, t]:
                continue
            env, number, time = batch.states[row, t].int().tolist()
            action, reward, terminated = steps[env, number, time]
            torch.testing.assert_close(batch.actions[row, t], action, rtol=0, atol=0)
            assert batch.rewards[row, t] == reward == time + 1.5
            assert batch.terminated[row, t].item() == terminated
            assert batch.states[row, t + 1].int().tolist() == [env, number, time + 1]
            assert batch.observations[row, t, 1].tolist() == [number + 100, time + 100]
            seen.add((env, number, time))
        anchor = -1 if part == "denoiser" else 0
        assert batch.valid[row, anchor]
    assert seen == steps.keys()
    for row in range(400):
        outside = ~batch.valid[row]
        assert not batch.actions[row][outside].any()
        assert not batch.rewards[row][outside].any()


def test_a_context_reaches_back_to_the_start_of_its_episode_and_no_further():
    _, replay, rollouts = played()
    steps, lengths = history(rollouts), set()
    start = replay.starts(500, 3, np.random.default_rng(1))
    context = start.context
    for row in range(500):
        env, number, time = context.states[row, -1].int().tolist()
        assert (env, number, time) in steps
        assert start.observations[row, 0].tolist() == [number, time]
        wanted = [time >= 2, time >= 1, True]
        assert context.valid[row].tolist() == wanted
        for back in range(1, 3):
            if time >= back:
                assert context.states[row, -1 - back].int().tolist() == [env, number, time - back]
                action = steps[env, number, time - back][0]
                assert context.actions[row, -back].tolist() == action.tolist()
            else:
                assert not context.states[row, -1 - back].any()
        lengths.add(sum(wanted))
    assert lengths == {1, 2, 3}


def test_most_starts_are_new():
    _, replay, _ = played(rounds=40)
    streams, rows = replay.choose(20_000, np.random.default_rng(0), newest=True)
    order = {tuple(step): index for index, step in enumerate(replay._order.tolist())}
    places = np.array([order[step] for step in zip(streams.tolist(), rows.tolist(), strict=True)])
    share = np.mean(places >= 0.75 * len(replay))
    assert share == pytest.approx(0.7 + 0.3 * 0.25, abs=0.02)
    streams, rows = replay.choose(20_000, np.random.default_rng(0))
    places = np.array([order[step] for step in zip(streams.tolist(), rows.tolist(), strict=True)])
    assert np.mean(places >= 0.75 * len(replay)) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("box", [False, True])
def test_a_memory_read_from_its_files_is_the_same(box, tmp_path):
    env, replay, rollouts = played(rounds=0, box=box)
    collector = Collector(env, 0)
    collector.start()
    for index in range(5):
        rollouts.append(collector.collect(random_act(env), 6))
        replay.add(rollouts[-1])
        if index in (0, 2, 4):
            files = replay.save(tmp_path)
    assert len(files) == 3
    (tmp_path / "steps-000003.safetensors").write_bytes(b"of a killed process")
    again = Replay(env)
    again.load(tmp_path, files)
    assert sorted(path.name[-11:] for path in tmp_path.iterdir()) == ["safetensors"] * 3
    for rng in (3, 4):
        one, other = (
            memory.batch("denoiser", BatchShape(200, 6), np.random.default_rng(rng))
            for memory in (replay, again)
        )
        for name in vars(one):
            assert torch.equal(getattr(one, name), getattr(other, name))
    for memory in (replay, again):
        memory.add(rollouts[0])
    assert len(again) == len(replay) == 6 * 18
    path = tmp_path / "steps-000001.safetensors"
    whole = path.read_bytes()
    # A bit of the last number: safetensors alone would read it.
    for damaged in (b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"steps-000001.* does not fit its checksum"):
            Replay(env).load(tmp_path, files)
    path.unlink()
    with pytest.raises(ValueError, match=r"steps-000001.*: the file is missing"):
        Replay(env).load(tmp_path, files)


class Stored:
    """As much of `OfflineData` as is read: entries are 1000 episode + 100 agent + step."""

    def __init__(self):
        index = np.add.outer(
            np.add.outer(1000 * np.arange(3), 100 * np.arange(2)), np.arange(6)
        ).astype(np.float32)
        self.dataset = self
        self.observations = np.stack([index, -index], -1)
        self.actions = np.tile(np.arange(5), (3, 2, 1))
        self.rewards = index[:, :, :5] * np.array([1.0, 3.0])[None, :, None]
        self.episodes = np.array([0, 2])
        self.num_agents, self.observation_size, self.num_steps = 2, 2, 5
        self.action = ActionSpec("discrete", sizes=(5,))


def test_stored_trajectories_are_read_as_joint_steps():
    memory = DatasetMemory(Stored())
    assert memory.state_size == 4
    batch = memory.pieces(np.array([1, 1, 0]), np.array([-1, 3, 0]), 3)
    assert batch.valid.tolist() == [[False, True, True], [True, True, False], [True] * 3]
    assert batch.states[0, 1].tolist() == [2000, -2000, 2100, -2100]
    assert not batch.states[0, 0].any()
    assert batch.states[1, 2].tolist() == [2005, -2005, 2105, -2105]
    assert batch.actions[1].tolist() == [[3, 3], [4, 4], [0, 0]]
    assert batch.rewards[2, 1] == (1 * 1 + 3 * 101) / 2
    assert not batch.terminated.any()
    start = memory.starts(50, 3, np.random.default_rng(0))
    times = start.context.states[:, -1, 0].int() % 100
    assert start.context.valid.sum(1).tolist() == (times.clamp(max=2) + 1).tolist()
    assert set(times.tolist()) == {0, 1, 2, 3, 4}
    states, observations, rewards = memory.sample(4)
    assert states.shape == (4, 4)
    assert torch.equal(observations.flatten(1), states)
    assert rewards[0] == (0 + 300) / 2
